"""Losses."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm._operation import operation, unbroadcast


@operation(analytic=True)
def squared_error(prediction: Any, target: Any) -> Any:
    """Half the sum of squared differences, over all entries: ``1/2 * sum((target - prediction)**2)``.

    This is the Error of the LSTM's derivation (F15). Its derivative by the prediction is the difference itself (B1).

    Parameters
    ----------
    prediction, target : Tensor or array_like
        Values of one shape, or of shapes that broadcast.

    Returns
    -------
    Tensor or ndarray
        A scalar.
    """
    difference = target - prediction
    return 0.5 * (difference * difference).sum()


@squared_error.rule
def squared_error_prediction(g: Any, y: Any, prediction: Any, target: Any) -> Any:
    return unbroadcast(-g * (target - prediction), prediction)


@squared_error.rule
def squared_error_target(g: Any, y: Any, prediction: Any, target: Any) -> Any:
    return unbroadcast(g * (target - prediction), target)
