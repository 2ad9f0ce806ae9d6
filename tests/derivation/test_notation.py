"""One notation: a stage is written on its node, in the page, and in a derivation from one table."""

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import Tensor, block, explain, gradients, linear, scope
from tinygrad_lstm.derivation.forward import forward
from tinygrad_lstm.derivation.notation import LATEX
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.player.steps import recording

A = np.arange(6.0).reshape(2, 3) / 7 + 0.1


def stage(make):
    x, y = Tensor(A, True, "x"), Tensor(A, True, "y")
    return make(x, y).tape.stages[-1]


@pytest.mark.parametrize(
    ("make", "written"),
    [
        (lambda x, y: x @ y.T, "x transpose#1"),
        (lambda x, y: x.T, "xᵀ"),
        (lambda x, y: x * y, "x ∘ y"),
        (lambda x, y: 2.0 * x, "2 · x"),
        (lambda x, y: tg.sigmoid(x), "σ(x)"),
        (lambda x, y: x**2, "x²"),
        (lambda x, y: x - y, "x − y"),
        (lambda x, y: tg.concatenate([x, y], axis=1), "[x, y]"),
        (lambda x, y: tg.concatenate([x, y]), "concatenate(x, y, axis=0)"),
        (lambda x, y: tg.add_n(*[x] * 9), "x + … + x"),
        (lambda x, y: x.sum(axis=0), "Σ_n x[n, :]"),
        (lambda x, y: tg.squared_error(x, y), "½ Σ(y − x)²"),
        (lambda x, y: x[x.numpy() > 0.5], "x[mask]"),
        (lambda x, y: x[()], "x[()]"),
        (lambda x, y: tg.checkpoint(tg.tanh)(x), "checkpoint(x)"),
    ],
)
def test_how_stages_are_written(make, written):
    found = stage(make)
    names = {id(x): found.output.tape.label(x) for x in found.output.tape.values}
    assert forward(found, lambda x: names[id(x)]) == written


def layer():
    W, b, z = Tensor(A, True, "W"), Tensor([1.0, 2.0], True, "b"), Tensor(A, True, "z")
    with scope("layer2"), block(1):
        s = linear(z, W, b).named("s")
        return s.sum().named("E")


def test_node_page_and_derivation_write_linear_alike():
    loss = layer()
    graph = build(loss.tape, gradients(loss))
    (node,) = (n for n in graph.nodes if n.name == "layer2.s<1>")
    assert node.formula == "z Wᵀ + b"
    values = recording(graph, gradients(loss))["values"]
    (rule,) = (value["rule"] for value in values if value["name"] == "layer2.s<1>")
    assert [piece if isinstance(piece, str) else "v" for piece in rule] == [
        *("v", " ", "v", "ᵀ + ", "v")
    ]
    assert "δz = ones(2, 2) W" in str(explain(loss, "z"))


def test_linear_and_squared_error_in_latex():
    loss = layer()
    linear_stage = loss.tape.stages[0]
    names = {id(x): loss.tape.label(x) for x in loss.tape.values}
    assert forward(linear_stage, lambda x: names[id(x)], notation=LATEX) == r"z {W{}}^{\top} + b"
    error = stage(tg.squared_error)
    written = forward(error, lambda x: x.name, notation=LATEX)
    assert written == r"\frac{1}{2} \sum (y - x)^{2}"
