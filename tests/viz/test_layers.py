"""Layers and directions: compared, derived and drawn as what they are made of."""

import numpy as np
import pytest
from cases import levelled

from tinygrad_lstm import Tensor, by_hand, compare, explain, gradients, nn, tanh
from tinygrad_lstm.viz import draw

KINDS = {"two layers": {"num_layers": 2}, "both directions": {"bidirectional": True}}


def made(options, T=3):
    model, rng = nn.LSTM(2, 2, rng=0, **options), np.random.default_rng(0)
    x, targets = (
        Tensor(rng.normal(size=(T, 1, 2)), True),
        rng.normal(size=(T, 1, 2 * model.directions)),
    )
    return model, x, targets, model.error(x, targets)


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_what_blocks_read_of_the_weights_is_listed_and_not_drawn(options):
    model, _, _, loss = made(options)
    graph = levelled(loss)
    listed = {p.name for p in graph.parameters}
    second = "layer2" if "num_layers" in options else "reverse"
    assert {*model.parameters(), "W_f", "b_o", f"{second}.W_c", f"{second}.b_u"} <= listed
    outside = {node.name for node in graph.nodes if node.block is None}
    assert outside == {"Error"}
    starts = {node.name for node in graph.nodes if node.block in (0, 4)}
    assert starts == {"a<0>", "c<0>"} | (
        {"layer2.a<0>", "layer2.c<0>"} if second == "layer2" else {"reverse.a<4>", "reverse.c<4>"}
    )


def test_what_is_computed_of_inputs_outside_of_blocks_is_drawn():
    cell = nn.LSTM(2, 2, rng=0)
    start = tanh(Tensor(np.ones((1, 1, 2)), True, "start") * 2.0).named("made")
    graph = levelled(cell(np.ones((2, 1, 2)), (start, start))[0].sum())
    assert "made" in {node.name for node in graph.nodes}


@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
def test_a_derivation_computes_what_backward_finds(options):
    model, x, targets, loss = made(options)
    g = gradients(loss)
    assert compare(g, by_hand.lstm(model, x, targets)).ok
    for name in ("weight_ih_l0", "W_f", "c<2>"):
        np.testing.assert_allclose(explain(loss, name).evaluate(), g[name], rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("suffix", ["svg", "html"])
def test_layers_are_drawn(tmp_path, options, suffix):
    model, x, targets, loss = made(options, T=2)
    g = gradients(loss)
    report = compare(g, by_hand.lstm(model, x, targets, as_printed=True))
    path = tmp_path / f"layers.{suffix}"
    marks = {"comparison": report} if suffix == "svg" else {}
    draw(loss, path, gradients=g, **marks)
    assert path.stat().st_size > 10_000
