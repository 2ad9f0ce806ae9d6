"""Plots over time with matplotlib, which the extra ``plot`` brings: gradient flow, gate activity,
loss curves.

Each function draws into `ax`, or into a figure of its own, and returns the Axes for the user to go
on with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.errors import DataError, DrawingError
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.text import shortened
from tinygrad_lstm.viz.through_time import BlockValues, Norms, block_values, gradient_norms

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "BlockValues",
    "Norms",
    "block_values",
    "gate_activity",
    "gradient_flow",
    "gradient_norms",
    "loss_curves",
]

LINES = {  # told apart by colour-blind readers, and by dashes in grey
    "light": ("#0a4f9e", "#c04f00", "#03a28a", "#9016fa", "#16191d"),
    "dark": ("#8cc8ff", "#ff9d4d", "#b05df9", "#fc3981", "#f2f4f6"),
}
GAP = 0.03  # between two heat maps, of their common height
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))


def gradient_flow(
    gradients: Gradients | Mapping[str, Gradients],
    values: str | Sequence[str] | None = None,
    *,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Plot what each branch sends back against t, on a logarithmic scale.

    For every value the wide line is the norm of its total derivative, and the narrow ones are its
    branches. A derivative of exactly 0 has no place on this scale: it is a circle on the lower
    edge, and what is not finite a cross on the upper. Branches add up, their norms do not: the norm
    of the sum is at most the sum of the norms.

    Parameters
    ----------
    gradients : Gradients, or mapping of str to Gradients
        What ``gradients(loss)`` returned. Of several, by name, the total derivatives are compared.
    values : str or sequence of str, optional
        Values without their blocks, ``("c", "a")``. By default those that one block hands to
        another.
    ax : matplotlib Axes, optional
        Where to plot.
    theme : {"light", "dark"}
        The colours.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    Error
        As :func:`gradient_norms` does, which computes the numbers; and where there is no
        matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, gradients
    >>> from tinygrad_lstm.viz import plot
    >>> loss = LSTM(input_size=1, hidden_size=2, rng=0).error(np.ones((9, 1, 1)), np.zeros((9, 1, 2)))
    >>> ax = plot.gradient_flow(gradients(loss), ("c", "a"))
    >>> ax.get_yscale()
    'log'
    """
    several = isinstance(gradients, Mapping) and not isinstance(gradients, Gradients)
    named: dict[str, Any] = dict(gradients) if several else {"": gradients}
    found = [(name, norms) for name, g in named.items() for norms in gradient_norms(g, values)]
    if not found:
        raise DrawingError(
            "there are no gradients",
            where="gradient_flow",
            expected="what gradients(loss) returned, once or by name",
        )
    ax = _axes(ax, theme)
    ax.set_yscale("log")
    one_value = len({norms.value for _, norms in found}) == 1
    for name, norms in found:
        if several:
            _curve(
                ax,
                norms.blocks,
                norms.total,
                str(name) if one_value else f"{norms.value}<t>, {name}",
                theme,
            )
        else:
            _flow(ax, norms, theme)
    roots = dict.fromkeys(g.tape.label(g.tape.root) for g in named.values())
    _finish(
        ax,
        theme,
        "block t (backward runs to the left)",
        f"norm of the derivative of {_label(', '.join(roots))}",
    )
    return ax


def _flow(ax: Any, norms: Norms, theme: str) -> None:
    _curve(ax, norms.blocks, norms.total, f"{norms.value}<t>: the sum", theme, wide=True)
    for consumer, sizes in norms.branches.items():
        _curve(ax, norms.blocks, sizes, f"{norms.value}<t> via {consumer}", theme)


def gate_activity(
    loss: Tensor,
    values: str | Sequence[str] = ("Γ_f", "Γ_u", "Γ_o", "c~"),
    *,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Plot the gates over time as a heat map, one row a unit, from the values on the tape of a
    loss.

    Blue is positive (1 is an open gate), orange negative, the colour of the page 0, and red what is
    not finite. Unit 1 is on top. Of a batch the mean is shown.

    Parameters
    ----------
    loss : Tensor
        The value whose tape is read.
    values : str or sequence of str
        Which values, without their blocks.
    ax : matplotlib Axes, optional
        Where to plot. The bar of colours takes some of its place.
    theme : {"light", "dark"}
        The colours.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    Error
        As :func:`block_values` does, which reads the numbers; and where there is no matplotlib.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM
    >>> from tinygrad_lstm.viz import plot
    >>> loss = LSTM(input_size=1, hidden_size=2, rng=0).error(np.ones((9, 1, 1)), np.zeros((9, 1, 2)))
    >>> ax = plot.gate_activity(loss)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Γ_f<t>', 'Γ_u<t>', 'Γ_o<t>', 'c~<t>']
    """
    found = block_values(loss, values)
    ax = _axes(ax, theme)
    reach = max(1.0, *(np.abs(v.entries[np.isfinite(v.entries)]).max(initial=0.0) for v in found))
    heights = np.array([len(v.entries) for v in found])
    tops = np.cumsum(heights + GAP * heights.sum()) - heights - GAP * heights.sum()
    for v, top in zip(found, tops, strict=True):
        extent = (v.blocks[0] - 0.5, v.blocks[-1] + 0.5, top + len(v.entries), top)
        style = {"cmap": _shades(theme), "vmin": -reach, "vmax": reach, "aspect": "auto"}
        image = ax.imshow(v.entries, extent=extent, **style)
    ax.set_xlim(min(v.blocks[0] for v in found) - 0.5, max(v.blocks[-1] for v in found) + 0.5)
    ax.set_ylim(tops[-1] + heights[-1], 0)
    ax.set_yticks(tops + heights / 2, [_label(f"{v.value}<t>") for v in found], parse_math=False)
    figure: Any = ax.figure
    bar = figure.colorbar(image, ax=ax, pad=0.015)
    batch = max(v.averaged for v in found)
    _dress(bar.ax, theme, "", "value" if batch == 1 else f"mean of the batch, N = {batch}")
    if not all(np.isfinite(v.entries).all() for v in found):
        ax.fill([], [], color=THEMES[theme].fork, label="no finite value")  # for the legend
    _finish(ax, theme, "block t", "")
    ax.tick_params(axis="y", length=0)
    return ax


def loss_curves(
    losses: Sequence[Any] | Mapping[str, Sequence[Any]],
    *,
    log: bool = False,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Plot the loss of every epoch; several curves by name.

    Parameters
    ----------
    losses : sequence of numbers, or mapping of str to sequence of numbers
        The loss of epoch 1, 2, ...: numbers, or Tensors of one entry. What is not finite is a cross
        on the upper edge.
    log : bool, default False
        Whether the scale is logarithmic.
    ax : matplotlib Axes, optional
        Where to plot.
    theme : {"light", "dark"}
        The colours.

    Returns
    -------
    matplotlib Axes

    Raises
    ------
    DataError
        If a curve is empty or has something else than numbers, or negative ones on a logarithmic
        scale.
    DrawingError
        If there is no matplotlib.

    Examples
    --------
    >>> from tinygrad_lstm.viz import plot
    >>> ax = plot.loss_curves({"rate 0.1": [3.0, 2.0, 1.5], "rate 1": [3.0, 4.0, float("inf")]})
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['rate 0.1', 'rate 1', 'not finite']
    """
    named = losses if isinstance(losses, Mapping) else {"": losses}
    curves = {
        str(name): _numbers(curve, f"losses[{name!r}]" if name else "losses", log)
        for name, curve in named.items()
    }
    if not curves:
        raise DataError(
            "there is no curve",
            where="losses",
            expected="numbers, or a mapping from names to numbers",
        )
    ax = _axes(ax, theme)
    ax.set_yscale("log" if log else "linear")
    for name, curve in curves.items():
        _curve(ax, np.arange(1, len(curve) + 1), curve, name, theme)
    if log:
        _plain_numbers(ax.yaxis)
    _finish(ax, theme, "epoch", "loss")
    return ax


def _numbers(curve: Any, where: str, log: bool) -> np.ndarray:
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


# The parts of a plot.


def _axes(ax: Any, theme: str) -> Any:
    """The Axes to draw in: those given, or those of a new figure."""
    if not isinstance(theme, str) or theme not in THEMES:
        raise DrawingError(
            "there is no such theme",
            where="theme=",
            expected=" or ".join(THEMES),
            got=shortened(ascii(theme)),
        )
    try:
        from matplotlib import axes, pyplot
    except ImportError as error:
        raise DrawingError(
            "there is no matplotlib to plot with", do="pip install 'tinygrad-lstm[plot]'"
        ) from error
    if ax is None:
        return pyplot.subplots(figsize=(8.3, 3.6), layout="constrained")[1]
    if not isinstance(ax, axes.Axes):
        raise DrawingError(
            "that is nothing to plot in",
            where="ax=",
            expected="one matplotlib Axes",
            got=type(ax).__name__,
        )
    return ax


def _curve(
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
    ax.plot(x, np.where(shown, y, np.nan), color=color, label=_label(label), **marker, **style)
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


def _finish(ax: Any, theme: str, xlabel: str, ylabel: str) -> None:
    """Labels, whole numbers on the time axis, and a legend of what is there."""
    from matplotlib.ticker import MaxNLocator

    _dress(ax, theme, xlabel, ylabel)
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


def _plain_numbers(axis: Any) -> None:
    """60 on a logarithmic scale, not 6 x 10^1."""
    from matplotlib.ticker import LogFormatter

    axis.set_major_formatter(LogFormatter())
    axis.set_minor_formatter(LogFormatter(labelOnlyBase=False, minor_thresholds=(2, 0.5)))


def _dress(ax: Any, theme: str, xlabel: str, ylabel: str) -> None:
    """The colours of the theme, for the Axes and the page around it."""
    colors = THEMES[theme]
    ax.figure.set_facecolor(colors.page)
    ax.set_facecolor(colors.page)
    ax.set_xlabel(xlabel, color=colors.text)
    ax.set_ylabel(ylabel, color=colors.text, parse_math=False)
    ax.title.set_color(colors.text)
    ax.tick_params(which="both", color=colors.line, labelcolor=colors.muted)
    ax.spines[:].set_color(colors.line)


def _shades(theme: str) -> Any:
    """From the negative colour over that of the page, which is 0, to the positive; what is not a
    number has the colour of forks."""
    from matplotlib.colors import LinearSegmentedColormap

    positive, negative, *_ = LINES[theme]
    return LinearSegmentedColormap.from_list(
        "", [negative, THEMES[theme].page, positive]
    ).with_extremes(bad=THEMES[theme].fork)


def _label(name: str) -> str:
    """A name in a plot. matplotlib leaves a label out that starts with an underscore."""
    name = shortened(name)
    return f" {name}" if name.startswith("_") else name
