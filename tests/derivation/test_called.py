"""What derivations, and what belongs to them, are called."""

import pytest

from tinygrad_lstm import DataError, Tensor, derive, explain, paths, tanh


def test_in_a_debugger():
    x = Tensor([1.0], True, "x")
    y = tanh(x).named("y")
    assert repr(explain(y, "x", gradient=[1.0])) == "<Explanation of δx: 2 lines>"
    assert repr(paths(y, "x")) == "<Paths from y to x: 1>"
    assert repr(derive(y.sum().named("L"))) == "<Hand side of L: 0 of 3 done>"
    with pytest.raises(DataError, match="there is nothing to explain"):
        explain(y, [], gradient=[1.0])


def test_more_paths_than_one_counts():
    x = Tensor(1.0, True, "x")
    y = x
    for _ in range(60):
        y = y + y
    assert "about 1.15·10^18 paths" in str(paths(y.named("y"), "x"))
