"""paths: how many ways lead back, and which."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

import tinygrad_lstm as tg
from tinygrad_lstm import LSTM, DtypeError, Tensor, UnknownNameError, gradients, paths


def document(T):
    return LSTM(2, 2, rng=0).error(np.ones((T, 1, 2)), np.zeros((T, 1, 2)))


def test_the_ways_to_W_f():
    found = list(map(str, paths(document(1), "W_f")))
    assert found == [
        "Error → Error<1> → a<1> → tanh_c<1> → c<1> → keep<1> → Γ_f<1> → sum_f<1> → W_f"
    ]
    two = paths(document(2), "W_f")
    assert (
        two.count == len(two) == len(set(map(str, two))) == 7
    )  # the document's "other paths": by c<1>, and by a<1> into each gate


def test_a_path_is_made_of_branches():
    loss = document(3)
    for path in paths(loss, "b_c"):
        above = loss
        for branch, name in zip(path.branches, path.names, strict=False):
            assert branch.stage.output is above and branch.stage.name == name
            above = branch.stage.inputs[branch.argument]
        assert above.name == path.names[-1] == "b_c"


def test_through_splits_the_paths():
    loss = document(3)
    every = set(map(str, paths(loss, "W_u")))
    for name in ("c<2>", "a<1>", "sum_u<3>", "Error", "W_u", "Error<1>"):
        with_it = paths(loss, "W_u", through=name)
        found = list(map(str, with_it))
        assert with_it.count == len(found) == len(set(found))
        assert set(found) == {p for p in every if name in p.split(" → ")}
    assert (
        not paths(loss, "c<3>", through="c<1>") and list(paths(loss, "c<3>", through="c<1>")) == []
    )


def test_they_are_counted_without_being_listed():
    many = paths(document(400), "W_f")
    assert many.count > 10**100 and many
    assert len([path for path, _ in zip(many, range(3), strict=False)]) == 3
    x = y = Tensor(1.0, True, "x")
    for _ in range(100):
        y = y + y
    assert paths(y, x).count == 2**100 == gradients(y)[x]  # each addition doubles both


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_of_sums_the_gradient_is_the_count(seed):
    """Where every slope is 1, the derivative is the number of paths: backward itself is the
    judge."""
    rng = np.random.default_rng(seed)
    values = [Tensor(1.0, True, f"x{i}") for i in range(3)]
    for _ in range(rng.integers(1, 9)):
        a, b, c = (values[i] for i in rng.integers(len(values), size=3))
        values.append(tg.add_n(a, b, c) if rng.random() < 0.5 else a + b)
    root = values[-1]
    g = gradients(root)
    for x in root.tape.leaves:
        assert paths(root, x).count == g[x] == sum(1 for _ in paths(root, x))


def test_printing():
    x = Tensor(2.0, True, "x")
    y = (x * x).named("y")
    assert str(paths(y, "x")) == "2 paths from y to x\ny → x\ny → x"
    assert str(paths((x + 1.0).named("s"), "x")) == "1 path from s to x\ns → x"
    text = str(paths(document(4), "W_f", through="c<2>"))
    assert text.splitlines()[0].endswith("from Error to W_f through c<2>") and text.endswith("more")
    assert str(paths(y, y)) == "1 path from y to y\ny"


def test_bad_input():
    with pytest.raises(UnknownNameError, match="did you mean"):
        paths(document(1), "W_ff")
    with pytest.raises(DtypeError, match="only what a tape led to"):
        paths(np.ones(2), "x")
