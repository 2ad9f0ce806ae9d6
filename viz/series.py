"""A series and how it goes on, with matplotlib (extra ``plot``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.viz.axes import axes_for, draw_curve, finish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["forecasts"]


def forecasts(
    values: Any,
    said: Mapping[str, tuple[int, Any]],
    *,
    label: str = "value",
    start: float = 0,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Plot a series and what was said of parts of it, or of what comes after it.

    Parameters
    ----------
    values : array_like, shape (rows,)
        The series.
    said : mapping of str to (int, array_like)
        By what the legend calls it: the row at which a forecast begins, and its values.
    label : str
        The unit of the values.
    start : number
        What the time axis shows for the first row.
    ax : matplotlib Axes, optional
        Where to plot.
    theme : {"light", "dark"}
        The colours.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    ShapeError
        If the series is no row of numbers.
    DrawingError
        If there is no matplotlib.
    """
    values = np.asarray(values, float)
    if values.ndim != 1:
        raise ShapeError(
            "a series has one axis", where="forecasts", expected="(rows,)", got=values.shape
        )
    ax = axes_for(ax, theme)
    draw_curve(ax, start + np.arange(len(values)), values, "observed", theme)
    for name, (row, forecast) in said.items():
        forecast = np.asarray(forecast, float)
        draw_curve(ax, start + row + np.arange(len(forecast)), forecast, name, theme)
    finish(ax, theme, "time", label)
    return ax
