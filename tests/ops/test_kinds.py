"""The kind of an operation is declared with it, so that a new operation is one place of the
package."""

import re
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lstm as tg
from tinygrad_lstm import DataError, Tensor, compare, explain, gradcheck, gradients, stage
from tinygrad_lstm.engine.operation import KINDS, Operation, operation
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.look.style import SHAPES, kind

PACKAGE = Path(tg.__file__).parent
OPERATIONS = {
    found.name: found
    for function in vars(tg).values()
    if isinstance(found := getattr(function, "op", None), Operation)
}


def test_every_kind_is_used_and_drawn():
    assert {op.kind for op in OPERATIONS.values()} == set(KINDS)
    expected = {
        **dict.fromkeys(["add", "multiply"], "arithmetic"),
        **dict.fromkeys(["matmul", "linear", "outer"], "product"),
        **dict.fromkeys(["tanh", "sigmoid", "softmax", "gelu"], "function"),
        **dict.fromkeys(["reshape", "transpose", "where"], "move"),
        **dict.fromkeys(["sum", "mean", "prod"], "reduction"),
        **dict.fromkeys(["squared_error", "cross_entropy"], "loss"),
    }
    assert {name: OPERATIONS[name].kind for name in expected} == expected


@operation(kind="product", analytic=True)
def doubled(x):
    """x @ x.T @ x @ ..., in short: twice x."""
    return np.add(x, x)


@doubled.rule
def doubled_x(g, y, x):
    return g + g


def test_a_new_operation_needs_nothing_but_its_declaration():
    x = Tensor([[1.0, 2.0]], True, "x")
    y = doubled(x)
    loss = y.sum()
    g = gradients(loss)
    (node,) = (n for n in build(loss.tape, g).nodes if n.name == "doubled#1")
    assert (kind(node), node.formula) == ("product", "doubled(x)")
    assert kind(node) in SHAPES and "doubled(x)" in draw(loss, gradients=g).dot
    assert compare(g, {"x": [[2.0, 2.0]], "x via doubled#1": [[2.0, 2.0]]}).ok
    np.testing.assert_array_equal(explain(loss, "x").evaluate(), g["x"])
    gradcheck(lambda x: doubled(x).sum(), x)


def test_the_name_of_a_function_stands_in_no_table_of_pictures():
    looks = (PACKAGE / "viz" / "look").resolve()
    if not looks.is_dir():  # an editable install that maps the folder
        looks = Path(draw.__code__.co_filename).parent / "look"
    text = "\n".join(path.read_text(encoding="utf-8") for path in looks.glob("*.py"))
    names = [name for name, op in OPERATIONS.items() if op.kind in ("function", "product")]
    assert [n for n in names if re.search(rf"[\"' ]{n}[\"' ][,:]?", text)] == []


def test_a_stage_of_ones_own_has_a_kind():
    @stage(kind="function")
    def cube(x):
        return x**3

    @cube.rule
    def cube_x(g, y, x):
        return g * (3 * x**2)

    plain = stage(lambda x: x * 1.0, name="plain")
    x = Tensor(2.0, True, "x")
    loss = cube(x) + plain(x)
    kinds = {n.op: kind(n) for n in build(loss.tape).nodes}
    assert kinds == {"leaf": "leaf", "cube": "function", "plain": "arithmetic", "add": "arithmetic"}
    with pytest.raises(DataError, match="no such kind of operation: expected arithmetic"):
        stage(lambda x: x, name="odd", kind="gate")
