"""e.rolled.python(): loops over t where the blocks repeat."""

import networks
import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DataError, Tensor, add_n, block, explain, gradients


def run(text, values):
    space = {}
    exec(text, space)
    return space["backward"](values)


def check(loss, e):
    found, g = run(e.rolled.python(), e.values), gradients(loss)
    assert set(found) == {line.name for line in e.lines}
    for line in e.lines:
        value, expected = found[line.name], g[line.value]
        assert value.shape == expected.shape and value.dtype == expected.dtype
        largest = np.max(np.abs(expected), initial=1e-12)
        np.testing.assert_allclose(value, expected, rtol=1e-10, atol=1e-11 * largest)


@pytest.mark.parametrize("name", networks.NETWORKS)
def test_every_network(name):
    loss = networks.NETWORKS[name]()
    check(loss, explain(loss))


@pytest.mark.parametrize(
    "name",
    [
        *("gru", "bidirectional", "stacked", "convolution", "sequence_input", "tied_embedding"),
        *("peephole", "layer_normed", "lstm"),
    ],
)
def test_long_ones_are_no_longer(name):
    """The text is made from few blocks, and computes all."""
    loss = getattr(networks, name)(40)
    e = explain(loss)
    check(loss, e)
    assert len(e.rolled.python().splitlines()) < len(e.python().splitlines()) / 3


def test_it_says_what_the_rolled_form_says():
    e = explain(networks.lstm(5))
    text = e.rolled.python()
    assert "    for t in range(4, 0, -1):\n        # δError<t> = 1\n" in text
    assert (
        "        # δΓ_f<t> = δkeep<t> ∘ c<t−1>\n"
        "        d[f'Γ_f<{t}>'] = d[f'keep<{t}>'] * v[f'c<{t - 1}>']\n"
    ) in text
    assert (
        "    # δW_f = Σ_{t=1..T} δsum_f<t>ᵀ z<t>\n"
        "    d['W_f'] = sum((d[f'sum_f<{t}>'].T @ v[f'z<{t}>'] for t in range(1, 6)))\n"
    ) in text


@pytest.mark.parametrize("name", ["a {b}", "it's", 'a "b"', "a\\b", "x\ny", "名", "t", "d"])
def test_names_of_any_characters(name):
    rng = np.random.default_rng(0)
    w, h = Tensor(rng.normal(size=(2, 2)), True, "w" + name), Tensor(np.ones((1, 2)), True, "h")
    errors = []
    for t in range(1, 6):
        with block(t):
            h = tg.tanh(h @ w).named(name)
            errors.append(h.sum())
    loss = add_n(*errors)
    check(loss, explain(loss))


def test_other_kinds_of_numbers():
    rng = np.random.default_rng(0)
    for dtype in (np.float32, complex):
        w, h = Tensor(rng.normal(size=2), True, "w", dtype), Tensor(np.ones(2), False, "h")
        for t in range(1, 6):
            with block(t):
                h = (h * w).named("h")
        loss = abs(h).sum() if dtype is complex else h.sum()
        e = explain(loss)
        found, g = run(e.rolled.python(), e.values), gradients(loss)
        assert found["w"].dtype == dtype
        np.testing.assert_allclose(found["w"], g["w"], rtol=1e-5)


def test_along_some_paths():
    loss = networks.lstm(4)
    e = explain(loss, "W_f", through="c<2>")
    found = run(e.rolled.python(), e.values)
    expected = gradients(loss.tape.find("c<2>"), gradients(loss)["c<2>"])["W_f"]
    np.testing.assert_allclose(next(v for k, v in found.items() if k.startswith("W_f")), expected)


def test_one_formula_is_no_program():
    e = explain(networks.lstm(2), "W_f")
    assert e.steps.python() == e.python()
    with pytest.raises(DataError, match="a formula, not a program"):
        e.expanded(depth=1).python()
