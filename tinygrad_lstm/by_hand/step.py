"""One step of gradient descent by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tinygrad_lstm.by_hand.arrays import Arrays, array
from tinygrad_lstm.errors import ShapeError, UnknownNameError

__all__ = ["update"]


def update(parameters: Mapping[str, Any], gradients: Mapping[str, Any], rate: float) -> Arrays:
    """One step of gradient descent (B18): ``parameter - rate * gradient``.

    Parameters
    ----------
    parameters : mapping of str to array_like or Tensor
        Weights, biases, and trained initial states where there are any. They are not changed.
    gradients : mapping of str to array_like or Tensor
        dError/d<name> for each of their names: what :func:`lstm` or ``gradients(loss)`` returned.
    rate : float
        The learning rate α.

    Returns
    -------
    dict of str to ndarray
        The new parameters, in the dtype of the old.

    Raises
    ------
    UnknownNameError, ShapeError
        If a parameter has no gradient, or one of another shape.

    Examples
    --------
    >>> from tinygrad_lstm import by_hand
    >>> by_hand.update({"b_f": [1.0, 2.0]}, {"b_f": [10.0, 0.0]}, rate=0.01)
    {'b_f': array([0.9, 2. ])}
    """
    updated = {}
    for name, value in parameters.items():
        if name not in gradients:
            raise UnknownNameError(
                "the parameter has no gradient",
                where=f"by_hand.update, {name}",
                do="give one, or leave the parameter out",
            )
        old, slope = array(value), array(gradients[name])
        if old.shape != slope.shape:
            raise ShapeError(
                "the gradient does not have its parameter's shape",
                where=f"by_hand.update, {name}",
                expected=old.shape,
                got=slope.shape,
            )
        updated[name] = (old - float(rate) * slope).astype(
            old.dtype if old.dtype.kind == "f" else float
        )  # B18
    return updated
