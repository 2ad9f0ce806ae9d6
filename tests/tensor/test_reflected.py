"""What stands on the left of a Tensor, and what few ask of one."""

import numpy as np
import pytest

from tinygrad_lstm import ShapeError, Tensor


@pytest.mark.parametrize(
    ("f", "right", "slope"),
    [
        (lambda t: [[1.0, 2.0], [3.0, 4.0]] @ t, [8.0, 18.0], [4.0, 6.0]),
        (lambda t: 7.0 % t, [1.0, 1.0], [-3.0, -2.0]),
        (lambda t: 7.0 // t, [3.0, 2.0], [0.0, 0.0]),
    ],
)
def test_a_number_or_list_on_the_left(f, right, slope):
    t = Tensor([2.0, 3.0], requires_grad=True)
    y = f(t)
    assert y.numpy().tolist() == right
    y.sum().backward()
    assert t.grad.tolist() == slope


def test_masks_on_the_left():
    mask = Tensor([True, False])
    assert (True & mask).tolist() == [True, False]
    assert (True | mask).tolist() == [True, True]
    assert (True ^ mask).tolist() == [False, True]


def test_a_name_is_taken_away_and_a_shape_is_kept():
    t = Tensor([1, 2], name="t", dtype=np.float32)
    t.name = None
    assert t.name is None and repr(t) == "Tensor([1., 2.], dtype=float32)"
    with pytest.raises(ShapeError, match="a leaf keeps its shape"):
        t.data = np.ones(3)
    assert t.conjugate().tolist() == [1.0, 2.0] and t.searchsorted(1.5).item() == 1
