"""The parts of a plot: Axes in the colours of a theme, curves with what no scale can show, a legend
of what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.errors import DataError, DrawingError
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.text import shortened

__all__ = [
    "axes_for",
    "beside",
    "colour_bar",
    "draw_curve",
    "dress",
    "finish",
    "labelled",
    "plain_numbers",
    "shades",
]

LINES = {  # told apart by colour-blind readers, and by dashes in grey
    "light": ("#0a4f9e", "#c04f00", "#03a28a", "#9016fa", "#16191d"),
    "dark": ("#8cc8ff", "#ff9d4d", "#b05df9", "#fc3981", "#f2f4f6"),
}
FEW = 300  # from the smallest to the largest number of a scale on which 2 and 5 have ticks too
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def axes_for(ax: Any, theme: str) -> Any:
    """The Axes to draw in: those given, or those of a new figure."""
    if not isinstance(theme, str) or theme not in THEMES:
        raise DrawingError(
            "there is no such theme",
            where="theme=",
            expected=" or ".join(THEMES),
            got=shortened(ascii(theme)),
        )
    try:
        import matplotlib.axes
        from matplotlib import pyplot
    except ImportError as error:
        raise DrawingError(
            "there is no matplotlib to plot with", do="pip install 'tinygrad-lstm[plot]'"
        ) from error
    if ax is None:
        return pyplot.subplots(figsize=(8.3, 3.6), layout="constrained")[1]
    if not isinstance(ax, matplotlib.axes.Axes):
        raise DrawingError(
            "that is nothing to plot in",
            where="ax=",
            expected="one matplotlib Axes",
            got=type(ax).__name__,
        )
    return ax


def as_curve(curve: Any, where: str, log: bool) -> np.ndarray:
    """A curve as an array."""
    try:
        if isinstance(curve, str):
            raise TypeError("text")  # whose characters may be digits
        numbers = np.array([float(loss) for loss in curve])
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            "a loss is a number",
            where=where,
            expected="a sequence of numbers",
            got=shortened(ascii(curve)),
        ) from error
    if not numbers.size:
        raise DataError(
            "the curve is empty", where=where, expected="the loss of at least one epoch"
        )
    if log and (numbers < 0).any():
        raise DataError(
            "a logarithmic scale has no negative numbers",
            where=where,
            got=numbers.min(),
            do="plot with log=False",
        )
    return numbers


def draw_curve(
    ax: Any, x: np.ndarray, y: np.ndarray, label: str, theme: str, wide: bool = False
) -> None:
    """A line through what the scale can show; what it cannot show is marked at the edge."""
    number = sum(line.get_gid() == "curve" for line in ax.lines)
    color = LINES[theme][number % len(LINES[theme])]
    zero = (y == 0) & (ax.get_yscale() == "log")
    shown = np.isfinite(y) & ~zero
    alone = np.flatnonzero(
        shown & ~np.r_[False, shown[:-1]] & ~np.r_[shown[1:], False]
    )  # a line has no place for one point
    style = (
        {"linewidth": 7, "alpha": 0.3, "solid_capstyle": "round"}
        if wide
        else {"linestyle": DASHES[number % len(DASHES)], "gid": "curve"}
    )
    marker = {"marker": "o", "markersize": 4, "markevery": alone} if alone.size else {}
    ax.plot(x, np.where(shown, y, np.nan), color=color, label=labelled(label), **marker, **style)
    _marks(ax, x[zero], 0, "o", color, "exactly 0")
    _marks(ax, x[~np.isfinite(y)], 1, "x", color, "not finite")


def _marks(ax: Any, x: np.ndarray, edge: float, marker: str, color: str, label: str) -> None:
    """Marks at the lower edge (0) or at the upper one (1), in the legend once."""
    if x.size:
        label = "_" if label in ax.get_legend_handles_labels()[1] else label
        style = {
            "color": color,
            "fillstyle": "none",
            "markersize": 4,
            "clip_on": False,
            "gid": "mark",
        }
        ax.plot(
            x,
            np.full(x.size, edge),
            marker,
            label=label,
            transform=ax.get_xaxis_transform(),
            **style,
        )


def finish(ax: Any, theme: str, xlabel: str, ylabel: str) -> None:
    """Labels, whole numbers on the time axis, and a legend of what is there."""
    from matplotlib.ticker import MaxNLocator

    dress(ax, theme, xlabel, ylabel)
    ax.xaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 5, 10], integer=True))
    colors, drawn = (
        THEMES[theme],
        sorted(ax.get_legend_handles_labels()[0], key=lambda artist: artist.get_gid() == "mark"),
    )
    if drawn:
        style = {
            "facecolor": colors.page,
            "edgecolor": colors.frame,
            "labelcolor": colors.text,
            "fontsize": "small",
            "handlelength": 3,
        }
        for text in ax.legend(handles=drawn, loc="best", **style).get_texts():
            text.set_parse_math(False)


def plain_numbers(axis: Any) -> None:
    """0.2 and 1e-6 on a logarithmic scale, not 2 x 10^-1 and 10^-6: the decades, and between few of
    them 2 and 5 as well."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = sorted(axis.get_view_interval())
    few = low > 0 and high < FEW * low
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if few else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("e-0", "e-")))
    axis.set_minor_formatter(NullFormatter())


def colour_bar(ax: Any, image: Any) -> Any:
    """The Axes of a bar of colours, behind what stands beside the plot."""
    return ax.figure.colorbar(image, ax=ax, pad=0.02).ax


def beside(ax: Any, theme: str, texts: list[tuple[float, str]]) -> None:
    """Texts on the right side of a plot, each at its height."""
    right = ax.secondary_yaxis("right")
    heights, said = zip(*texts, strict=True)
    right.set_yticks(heights, said, fontsize="small")
    right.tick_params(length=0, labelcolor=THEMES[theme].muted)
    right.spines[:].set_visible(False)


def dress(ax: Any, theme: str, xlabel: str, ylabel: str) -> None:
    """The colours of the theme, for the Axes and the page around it."""
    colors = THEMES[theme]
    ax.figure.set_facecolor(colors.page)
    ax.set_facecolor(colors.page)
    ax.set_xlabel(xlabel, color=colors.text)
    ax.set_ylabel(ylabel, color=colors.text, parse_math=False)
    ax.title.set_color(colors.text)
    ax.tick_params(which="both", color=colors.line, labelcolor=colors.muted)
    ax.spines[:].set_color(colors.line)


def shades(theme: str, both: bool = True) -> Any:
    """From the negative colour over that of the page, which is 0, to the positive, or from 0 on;
    what is not a number has the colour of forks."""
    from matplotlib.colors import LinearSegmentedColormap

    positive, negative, *_ = LINES[theme]
    return LinearSegmentedColormap.from_list(
        "", [negative, THEMES[theme].page, positive][0 if both else 1 :]
    ).with_extremes(bad=THEMES[theme].fork)


def labelled(name: str) -> str:
    """A name in a plot. matplotlib leaves a label out that starts with an underscore."""
    name = shortened(name)
    return f" {name}" if name.startswith("_") else name
