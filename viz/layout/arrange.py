"""From a graph to its layout: the LSTM's, or that of another cell whose blocks repeat, in rows."""

from __future__ import annotations

from collections.abc import Callable

from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.layout import cells, gates, lstm
from tinygrad_lstm.viz.layout.labels import apart
from tinygrad_lstm.viz.layout.places import Layout, Measures
from tinygrad_lstm.viz.layout.wiring import ROWS
from tinygrad_lstm.viz.layout.wrap import wrapped

__all__ = ["arranged"]

ROOMS = (ROWS, 1.3 * ROWS, 1.6 * ROWS)


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
    if known is not None:
        rows = wrapped(known, wrap) if wrap else known
        if rows is not known:  # in whose one row every label has its place
            rows, _ = apart(rows, measures.labels)
        return rows, True
    return (_roomy(graph, measures, dot, wrap) if dot else None), False


def _roomy(
    graph: Graph, measures: Measures, dot: Callable[[str], str], wrap: int | None
) -> Layout | None:
    """The layout of any cell, with as much between the rows of a block as its labels need."""
    best, fewest = None, None
    for rows in ROOMS if graph.few else (ROWS,):
        if (layout := cells.place(graph, measures, dot, rows)) is None:
            return best
        found, hits = apart(wrapped(layout, wrap) if wrap else layout, measures.labels)
        if fewest is None or hits < fewest:
            best, fewest = found, hits
        if not hits:
            break
    return best
