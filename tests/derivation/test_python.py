"""e.python(): the derivation as a module that runs without this package, and equals gradients()."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from networks import NETWORKS
from rows import activation, elementwise, layer, linalg, loss, product, reduction, select, shape

import tinygrad_lstm as tg
from tinygrad_lstm import DataError, Tensor, explain, gradients, stage

FAMILIES = (activation, elementwise, layer, linalg, loss, product, reduction, select, shape)
CASES = [
    pytest.param(row, make, id=f"{row.name}-{i}")
    for family in FAMILIES
    for row in family.ROWS
    for i, make in enumerate(row.makes)
]
SCALE = 3.0


def close(actual, expected, rtol=1e-11):
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    np.testing.assert_allclose(
        actual, expected, rtol=rtol, atol=rtol * np.max(np.abs(expected), initial=1)
    )


def run(text, values):
    space = {}
    exec(text, space)
    return space["backward"](values)


@pytest.mark.parametrize(("row", "make"), CASES)
def test_every_operation(row, make):
    rng = np.random.default_rng(5)
    xs = [Tensor(a, True, f"x{i}") for i, a in enumerate(make(rng))]
    y = row.f(*xs)
    weights = rng.normal(size=y.shape).astype(y.dtype)
    g, e = gradients(y, weights), explain(y, xs, gradient=weights)
    found = run(e.python(), e.values)
    assert list(found) == [line.name for line in e.lines]
    for line in e.lines:
        close(found[line.name], g[line.value])


ALONE = """
import pickle, sys
sys.modules["tinygrad_lstm"] = None
found = {}
for name, (text, values) in pickle.load(sys.stdin.buffer).items():
    space = {}
    exec(text, space)
    found[name] = space["backward"](values)
pickle.dump(found, sys.stdout.buffer)
"""


def test_every_network_in_a_process_without_this_package(tmp_path):
    losses = {name: make() for name, make in NETWORKS.items()}
    derived = {name: explain(value) for name, value in losses.items()}
    given = {name: (e.python(), e.values) for name, e in derived.items()}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE],
        input=pickle.dumps(given),
        capture_output=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
    )
    for name, found in pickle.loads(done.stdout).items():
        g = gradients(losses[name])
        for line in derived[name].lines:
            close(found[line.name], g[line.value])


def test_a_comment_says_what_is_printed():
    e = explain(NETWORKS["lstm"]())
    text = e.python()
    assert [row.strip()[2:] for row in text.splitlines() if row.startswith("    # ")] == [
        str(line) for line in e.lines
    ]
    assert "    d_Γ_f_2 = d_keep_2 * c_1\n" in text
    assert "    # δΓ_f<2> = δkeep<2> ∘ c<1>\n" in text


NAMES = [
    *("a & b", "δ", "名", "x y", "x_y", "class", "np", "values", "backward", "\x00", "\u2028"),
    *("'\"\\", "{x}", "d_x", "x<1>", "x_1", "print", "u", "1", "１", "ﬁ", "fi", "\ud800"),
    *("coding: latin-1", "x" * 20000, '"""', "#", "\\N{DASH}", "gradient", "np.pi", "_", "ids"),
]


def test_names_of_any_characters():
    rng = np.random.default_rng(0)
    xs = [Tensor(rng.normal(size=2), True, name) for name in NAMES]
    y = sum((tg.tanh(x) * x).sum() for x in xs).named("gradient#1")
    e, g = explain(y, gradient=2.0), gradients(y, 2.0)
    text = e.python()
    assert max(map(len, (row for row in text.splitlines() if "= values" in row))) < 20100
    found = run(text, e.values)
    for x in xs:
        close(found[x.name], g[x])


def test_numbers_keep_their_kind():
    x = Tensor([1.0, 2.0], True, "x", np.float32)
    c = Tensor([1 + 2j, -1j], True, "c")
    for y in (
        x * np.float32(0.1) * 0.1,
        tg.where(x > 1, x, -np.inf) * Tensor(np.float32(3)),
        (c * (2 - 1j) * x).imag,
        abs(c) * x,
    ):
        weights = np.ones(y.shape, y.dtype)
        with np.errstate(all="ignore"):
            e, g = explain(y, gradient=weights), gradients(y, weights)
        found = run(e.python(), e.values)
        for line in e.lines:
            close(found[line.name], g[line.value], 1e-5)


def twice(v):
    return SCALE * float(v)


@stage
def listed(x, k=2):
    return k * x


@listed.rule
def listed_x(g, y, x, k=2):
    return np.array([k * twice(v) / SCALE for v in g])


def test_a_rule_on_arrays_comes_along_with_what_it_reads():
    x = Tensor([2.0, 3.0], True, "x")
    e = explain(listed(x, k=5).sum())
    text = e.python()
    assert "SCALE = 3.0" in text and "def twice(v):" in text and "def listed_x(g, y, x" in text
    close(run(text, e.values)["x"], np.array([5.0, 5.0]))


def test_what_cannot_be_written_is_refused_by_name():
    x = Tensor([2.0, 3.0], True, "x")
    y = (x * 2).named("y")
    y.register_hook(lambda g: g * 5)
    with pytest.raises(DataError, match="a hook cannot be written"):
        explain(y.sum()).python()
    k = 3.0

    @stage
    def inner(x):
        return k * x

    @inner.rule
    def inner_x(g, y, x):
        return np.array([k * float(v) for v in g])

    with pytest.raises(DataError, match="inner_x cannot be written"):
        explain(inner(x).sum()).python()
