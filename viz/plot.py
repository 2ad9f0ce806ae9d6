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
from tinygrad_lstm.viz.axes import (
    as_curve,
    axes_for,
    beside,
    colour_bar,
    draw_curve,
    dress,
    finish,
    labelled,
    plain_numbers,
    shades,
)
from tinygrad_lstm.viz.look.style import THEMES
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

GAP = 0.03  # between two heat maps, of their common height


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
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> loss = lstm.error(np.ones((9, 1, 1)), np.zeros((9, 1, 2)))
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
    ax = axes_for(ax, theme)
    ax.set_yscale("log")
    one_value = len({norms.value for _, norms in found}) == 1
    for name, norms in found:
        if several:
            draw_curve(
                ax,
                norms.blocks,
                norms.total,
                str(name) if one_value else f"{norms.value}<t>, {name}",
                theme,
            )
        else:
            _flow(ax, norms, theme)
    roots = dict.fromkeys(g.tape.label(g.tape.root) for g in named.values())
    finish(
        ax,
        theme,
        "block t (backward runs to the left)",
        f"norm of the derivative of {labelled(', '.join(roots))},\nover batch and units",
    )
    plain_numbers(ax.yaxis)
    return ax


def _flow(ax: Any, norms: Norms, theme: str) -> None:
    draw_curve(ax, norms.blocks, norms.total, f"{norms.value}<t>: the sum", theme, wide=True)
    for consumer, sizes in norms.branches.items():
        draw_curve(ax, norms.blocks, sizes, f"{norms.value}<t> via {consumer}", theme)


def gate_activity(
    loss: Tensor,
    values: str | Sequence[str] = ("Γ_f", "Γ_u", "Γ_o", "c~"),
    *,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Plot the gates over time as a heat map, one row a unit, from the values on the tape of a
    loss.

    Gates, which are what a sigmoid returns, are on a scale from 0 to 1, with the share of all their
    entries above 0.9 and below 0.1 beside them; other values on one with both signs: blue is
    positive (1 is an open gate), orange negative, the colour of the page 0, and red what is not
    finite. Unit 1 is on top. Of a batch the mean is shown; the shares are those of single entries.

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
    >>> lstm = LSTM(input_size=1, hidden_size=2, rng=0)
    >>> loss = lstm.error(np.ones((9, 1, 1)), np.zeros((9, 1, 2)))
    >>> ax = plot.gate_activity(loss)
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Γ_f<t>', 'Γ_u<t>', 'Γ_o<t>', 'c~<t>']
    """
    found = block_values(loss, values)
    ax = axes_for(ax, theme)
    heights = np.array([len(v.entries) for v in found])
    tops = np.cumsum(heights + GAP * heights.sum()) - heights - GAP * heights.sum()
    bars: dict[bool, Any] = {}
    for v, top in zip(found, tops, strict=True):
        extent = (v.blocks[0] - 0.5, v.blocks[-1] + 0.5, top + len(v.entries), top)
        bars[v.is_gate] = ax.imshow(
            v.entries, extent=extent, aspect="auto", **_scale(v, found, theme)
        )
    ax.set_xlim(min(v.blocks[0] for v in found) - 0.5, max(v.blocks[-1] for v in found) + 0.5)
    ax.set_ylim(tops[-1] + heights[-1], 0)
    middles = tops + heights / 2
    ax.set_yticks(middles, [labelled(f"{v.value}<t>") for v in found], parse_math=False)
    if True in bars:
        beside(
            ax, theme, [(y, _shares(v)) for y, v in zip(middles, found, strict=True) if v.is_gate]
        )
    batch = max(v.averaged for v in found)
    mean = "" if batch == 1 else f", mean of the batch, N = {batch}"
    for is_gate, image in reversed(bars.items()):  # each stands before the last
        bar = colour_bar(ax, image)
        dress(bar, theme, "", f"{'gate' if is_gate else 'value'}{mean}")
    if not all(np.isfinite(v.entries).all() for v in found):
        ax.fill([], [], color=THEMES[theme].fork, label="no finite value")  # for the legend
    finish(ax, theme, "block t", "")
    ax.tick_params(axis="y", length=0)
    return ax


def _scale(v: BlockValues, found: Sequence[BlockValues], theme: str) -> dict[str, Any]:
    """Of a gate from 0 to 1; of other values, all on one scale, on both sides of 0."""
    if v.is_gate:
        return {"cmap": shades(theme, both=False), "vmin": 0.0, "vmax": 1.0}
    others = [w.entries[np.isfinite(w.entries)] for w in found if not w.is_gate]
    reach = max(1.0, *(np.abs(entries).max(initial=0.0) for entries in others))
    return {"cmap": shades(theme), "vmin": -reach, "vmax": reach}


def _shares(v: BlockValues) -> str:
    """How often a gate is open, and how often closed."""
    return f"{v.above:.0%} > 0.9\n{v.below:.0%} < 0.1"


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
        str(name): as_curve(curve, f"losses[{name!r}]" if name else "losses", log)
        for name, curve in named.items()
    }
    if not curves:
        raise DataError(
            "there is no curve",
            where="losses",
            expected="numbers, or a mapping from names to numbers",
        )
    ax = axes_for(ax, theme)
    ax.set_yscale("log" if log else "linear")
    for name, curve in curves.items():
        draw_curve(ax, np.arange(1, len(curve) + 1), curve, name, theme)
    if log:
        plain_numbers(ax.yaxis)
    finish(ax, theme, "epoch", "loss")
    return ax
