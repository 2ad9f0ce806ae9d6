"""From a graph to its layout: the LSTM's, or that of another cell whose blocks repeat, in rows."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.layout import cells, gates, lstm
from tinygrad_lstm.viz.layout.labels import apart
from tinygrad_lstm.viz.layout.places import Layout, Measures
from tinygrad_lstm.viz.layout.wrap import wrapped

__all__ = ["arranged"]


def arranged(
    graph: Graph,
    measures: Measures,
    dot: Callable[[str], str] | None = None,
    wrap: int | None = None,
) -> tuple[Layout | None, bool]:
    """The layout of a graph, and whether it is the LSTM's; None where `dot` has to lay out all.

    Parameters
    ----------
    graph : Graph
        What is drawn.
    measures : Measures
        The room that its texts need.
    dot : callable, optional
        Graphviz, from DOT text to its plain format: it places one block of any other cell.
    wrap : int, optional
        The most frames in a row.
    """
    known = lstm.place(graph, measures) or gates.place(graph, measures)
    layout = known or (cells.place(graph, measures, dot) if dot else None)
    if layout is None:
        return None, False
    rows = wrapped(layout, wrap) if wrap else layout
    if rows is not known:  # in whose one row every label has its place
        rows = apart(rows, measures.labels)
    return rows, known is not None
