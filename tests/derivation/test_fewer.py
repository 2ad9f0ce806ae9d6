"""A recurrent form from few blocks is that from all."""

import sys

import networks
import numpy as np
import pytest
from networks import parameters

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, add_n, block, explain

ROLLED = {
    **{
        name: getattr(networks, name)
        for name in (
            *("gru", "packed_gru", "peephole", "bidirectional", "layer_normed", "convolution"),
            *("tied_embedding", "columns", "sequence_input", "stacked", "lstm"),
        )
    },
    "no names": lambda T: networks.gru(T, named=False),
}


def from_all(e):
    e._brief = None
    return str(e.rolled)


def recurrent(T, step, loss=lambda h, t: (h * h).sum()):
    rng = np.random.default_rng(0)
    p = parameters(rng, W=(3, 3))
    h, errors = Tensor(rng.normal(size=(1, 3)), True, "h<0>"), []
    for t in range(1, T + 1):
        with block(t):
            h = step(h, p["W"], t).named("h")
            if (error := loss(h, t)) is not None:
                errors.append(error.named("E"))
    return add_n(*errors).named("E")


def plain(h, W, t):
    return tg.tanh(h @ W)


OTHERS = {
    "a loss at the last block": lambda T: recurrent(
        T, plain, lambda h, t: h.sum() if t == T else None
    ),
    "a loss now and then": lambda T: recurrent(
        T, plain, lambda h, t: h.sum() if t % 3 == 0 else None
    ),
    "another step in the middle": lambda T: recurrent(
        T, lambda h, W, t: plain(h, W, t) if t != T // 2 else tg.sigmoid(h @ W)
    ),
    "another operation from the middle on": lambda T: recurrent(
        T, lambda h, W, t: tg.tanh(h @ W) if t < T // 2 else tg.tanh(h @ W.T)
    ),
    "cut in the middle": lambda T: recurrent(
        T, lambda h, W, t: plain(h.detach() if t == T // 2 else h, W, t)
    ),
    "numbers that grow": lambda T: recurrent(T, lambda h, W, t: plain(h, W, t) * (0.9**t)),
    "masks": lambda T: recurrent(
        T, lambda h, W, t: tg.dropout(h @ W, 0.5, np.random.default_rng(t)) + h
    ),
    "what is not finite": lambda T: recurrent(
        T,
        lambda h, W, t: tg.where(h > 9, tg.log(h * 0.0), h) @ W if t == T // 2 else plain(h, W, t),
    ),
}


@pytest.mark.parametrize("name", ROLLED)
def test_few_blocks_say_what_all_say(name):
    e = explain(ROLLED[name](40))
    few = str(e.rolled)
    assert e._rolled is not e._whole or name == "columns"  # numbers differ in every block there
    assert few == from_all(explain(ROLLED[name](40)))


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_blocks_that_differ(name):
    assert str(explain(OTHERS[name](40)).rolled) == from_all(explain(OTHERS[name](40)))


def test_a_state_that_is_asked_for():
    loss = networks.gru(40)
    for wrt in ("h<0>", "h<20>", "h<39>", ["h<2>", "Wz"]):
        assert str(explain(loss, wrt).rolled) == from_all(explain(loss, wrt))
    e = explain(loss, "Uz", through="h<20>")
    assert "h<20>" in str(e.rolled) and e._rolled is e._whole


def test_blocks_that_reach_far_back():
    def make(T):
        rng = np.random.default_rng(0)
        p = parameters(rng, W=(3, 3), V=(3, 3))
        hs = [Tensor(rng.normal(size=(1, 3)), True, f"h<{t}>") for t in (-2, -1, 0)]
        for t in range(1, T + 1):
            with block(t):
                hs.append(tg.tanh(hs[-1] @ p["W"] + hs[-3] @ p["V"]).named("h"))
        return hs[-1].sum().named("L")

    e = explain(make(60))
    assert "δW = Σ_{t=1..T} h<t−1>ᵀ δadd#1<t>" in str(e.rolled)
    assert e._rolled is not e._whole and str(e.rolled) == from_all(explain(make(60)))


def calls(function):
    """How often Python calls something while the function runs: its work, on any machine."""
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event == "call"

    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


def test_a_block_more_is_only_walked_over():
    """The lines are written from a few blocks: a hundred more take a part of what those cost."""
    losses = [networks.gru(T) for T in (100, 200)]
    few, many = (calls(lambda loss=loss: str(explain(loss).rolled)) for loss in losses)
    assert many - few < few / 2


def test_a_thousand_blocks_fit_the_same_page():
    text = str(explain(networks.gru(1000)).rolled)
    assert text.startswith("T = 1000\n") and len(text.splitlines()) == 22
