"""A checkpoint is explained by the stages inside of it."""

import numpy as np
import pytest
from networks import parameters

import tinygrad_lstm as tg
from tinygrad_lstm import GradientError, Tensor, add_n, block, checkpoint, explain, gradients


def rows(view):
    return [row.partition("  ")[0] for row in str(view).splitlines()]


def recurrent(T=4, kept=True, nested=False):
    rng = np.random.default_rng(0)
    p = parameters(rng, W=(3, 3), b=(3,))
    h, errors = Tensor(rng.normal(size=(2, 3)), True, "h<0>"), []

    def step(h):
        inner = (lambda s: tg.tanh(s)) if not nested else checkpoint(tg.tanh)
        return inner((h @ p["W"] + p["b"]).named("s"))

    for t in range(1, T + 1):
        with block(t):
            h = (step if kept else checkpoint(step))(h).named("h")
            errors.append((h * h).sum().named("E"))
    return add_n(*errors).named("E")


@pytest.mark.parametrize("nested", [False, True])
def test_a_checkpoint_is_explained_as_what_it_runs(nested):
    plain, loss = recurrent(), recurrent(kept=False, nested=nested)
    e = explain(loss)
    assert "vjp_" not in str(e) and rows(e) == rows(explain(plain))
    assert str(e.rolled) == str(explain(plain).rolled)
    for name, value in e.evaluate().items():
        np.testing.assert_allclose(value, gradients(loss)[name], rtol=1e-12)
    space = {}
    exec(e.python(), space)
    found = space["backward"](e.values)
    np.testing.assert_allclose(found["W"], gradients(loss)["W"], rtol=1e-12)


@pytest.mark.parametrize("T", [0, 4])
def test_numbers_are_those_of_the_tape(T):
    """What is inside of a checkpoint is numbered behind what the tape has, and kept back: no right
    derivation is called wrong."""
    x, w = Tensor([[1.0, 2.0]], True, "x"), Tensor([[0.5, 0.3]], True, "w")

    def step(h):
        inner = checkpoint(lambda a: checkpoint(lambda b: tg.tanh(b * w))(a * w + a))(h)
        return (inner + x) * w

    if T:
        errors, h = [], x
        for t in range(1, T + 1):
            with block(t), tg.scope("l1"):
                h = step(h)
                errors.append((h * h).sum())
        loss = add_n(*errors)
    else:
        loss = step(x).sum()
    e, g = explain(loss), gradients(loss)
    for view in (e, e.rolled):
        space = {}
        exec(view.python(), space)
        found = space["backward"](e.values)
        report = tg.compare(g, found)
        assert report.ok and {"x", "w"} <= set(found) and any("add#" in name for name in found)
    for key in ("l1.add#1<2>", "l1.checkpoint#1<3>") if T else ("add#1", "checkpoint#1"):
        np.testing.assert_allclose(explain(loss, key).evaluate(), g[key], rtol=1e-12)


@pytest.mark.parametrize("make", [tg.nn.RNN, tg.nn.GRU, tg.nn.LSTM])
def test_a_layer_in_checkpoints_has_the_names_of_its_tape(make):
    """The last state of a checkpoint is cut out of what it returns under the name that it has
    inside."""
    net = make(2, 2, rng=0)
    loss = (net(np.ones((4, 1, 2)), checkpoint=2)[0] ** 2).sum()
    e, g = explain(loss), gradients(loss)
    for view in (e, e.rolled):
        space = {}
        exec(view.python(), space)
        assert tg.compare(g, space["backward"](e.values)).ok
    state = "c" if make is tg.nn.LSTM else "h"
    assert f"δcheckpoint#1.{state}<2> = " in str(e)
    np.testing.assert_allclose(explain(loss, f"{state}<2>").evaluate(), g[f"{state}<2>"])


def test_keys_are_names_and_tensors():
    loss = recurrent(kept=False)
    h = loss.tape.find("h<2>")
    for key in ("h<2>", h, "s<2>"):
        assert explain(loss, key).lines[-1].name == (key if isinstance(key, str) else "h<2>")
    np.testing.assert_allclose(explain(loss, h).evaluate(), gradients(loss)[h])
    through = explain(loss, "W", through=h)
    np.testing.assert_allclose(through.evaluate(), gradients(h, gradients(loss)[h])["W"])


def test_many_blocks_and_what_is_read_by_nobody_else():
    x = Tensor([1.0, 2.0], True, "x")
    e = explain(checkpoint(lambda v: tg.tanh(v) * v)(x).sum(), "x")
    assert "tanh#1" in str(e) and "vjp" not in str(e)
    text = str(explain(recurrent(60, kept=False)).rolled)
    assert text == str(explain(recurrent(60)).rolled)


def test_a_function_that_computes_something_else_is_refused():
    rng = np.random.default_rng(0)
    x = Tensor([1.0, 2.0], True, "x")
    loss = checkpoint(lambda v: v * rng.normal(size=2))(x).sum()
    with pytest.raises(GradientError, match="another value than the first time"):
        explain(loss)
