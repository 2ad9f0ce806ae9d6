"""Which level, rows and elision of a graph can be read at a given width."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.options import Options, page_of

__all__ = ["fitted"]


LEVELS = ("stages", "gates", "blocks")  # from the most to the least that is drawn


def fitted(options: Options, measured: Callable[[Options], tuple[float, float, float]]) -> Options:
    """The options with the first level, rows and elision whose text is legible at their width.

    Parameters
    ----------
    options : Options
        With a width.
    measured : callable
        The width and the height of the picture with some options, and the size of its smallest
        text; in points.

    Raises
    ------
    DrawingError
        If none is legible, with what to do.
    """
    assert options.width is not None
    page, most = page_of(options.width), 0.0
    for choice in _choices(options):
        width, height, smallest = measured(choice)
        found = smallest * min(page.width / width, page.height / height)
        if found >= page.smallest:
            return choice
        most = max(most, found)
    less = 'level="block", blocks=1' if options.level in LEVELS[:2] else 'level="gates", blocks=1'
    raise DrawingError(
        "no picture of this graph is legible at that width",
        where=f"draw(width={options.width!r})",
        expected=f"text of at least {page.smallest:g} {page.unit} on {page.width:g} {page.unit}",
        got=f"at most {most:.1f} {page.unit}",
        do=f"draw less ({less}), give a wider width=, or None for its own size",
    )


def _choices(options: Options) -> Iterator[Options]:
    """From all that was asked for to less: fewer blocks in a row, sums without the entries, fewer
    blocks, a lower level."""
    levels = LEVELS[LEVELS.index(options.level) :] if options.level in LEVELS else [options.level]
    blocks = [options.blocks] if options.blocks == 1 else [options.blocks, 1]
    for level in levels:
        for count, details in product(blocks, (True, False)):
            for wrap in [options.wrap] if options.wrap else [None, 4, 3, 2, 1]:
                yield replace(options, level=level, blocks=count, details=details, wrap=wrap)
