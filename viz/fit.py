"""Which level, rows and elision of a graph can be read at a given width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.options import Options, Page, page_of

__all__ = ["Size", "fitted"]


LEVELS = ("stages", "gates", "blocks", "rolled")  # from the most to the least that is drawn
ROWS = (None, 4, 3, 2, 1)  # blocks in a row


class Size(NamedTuple):
    """The width and the height of a picture, and the size of its smallest text; in points."""

    width: float
    height: float
    smallest: float

    def across(self, page: Page) -> float:
        """The size of the smallest text where the picture is as wide as a page at most."""
        return self.smallest * page.width / self.width

    def down(self, page: Page) -> float:
        """The same where it is as high at most."""
        return self.smallest * page.height / self.height

    def on(self, page: Page) -> float:
        """The same where it is within the page."""
        return min(self.across(page), self.down(page))


def fitted(options: Options, measured: Callable[[Options], Size]) -> Options:
    """The options with the first level, rows and elision whose text is legible at their width.

    Parameters
    ----------
    options : Options
        With a width.
    measured : callable
        How large the picture is with some options.

    Raises
    ------
    DrawingError
        If none is legible, with a width at which one is.
    """
    assert options.width is not None
    page, most = page_of(options.width), 0.0
    for rows in _choices(options, page):
        if math.isinf(page.height):  # what is widest needs no look where the narrowest is too wide
            found = max((size.on(page) for size in _narrow(rows, options, measured)), default=0.0)
            most = max(most, found)
            if found < page.smallest:
                continue
        for choice in rows:
            if (size := _size(choice, options, measured)) is None:
                break
            most = max(most, size.on(page))
            if size.on(page) >= page.smallest:
                return choice
            if size.down(page) < page.smallest:
                break  # with fewer blocks in a row it is higher
    raise _refused(options, page, most, measured)


def _size(choice: Options, asked: Options, measured: Callable[[Options], Size]) -> Size | None:
    """How large a picture is; None where blocks are not alike and cannot be rolled up, which was
    not asked for."""
    try:
        return measured(choice)
    except DrawingError:
        if choice.level == asked.level:
            raise
        return None


def _narrow(
    rows: list[Options], asked: Options, measured: Callable[[Options], Size]
) -> Iterator[Size]:
    """The sizes of the narrowest pictures: one block in a row, or from top to bottom."""
    for choice in rows[-2:]:
        if size := _size(choice, asked, measured):
            yield size


def _refused(
    options: Options, page: Page, most: float, measured: Callable[[Options], Size]
) -> DrawingError:
    """What is said where nothing is legible: the least width, of some high page, at which a picture
    is."""
    paper = page_of(1)
    sizes = (size for rows in _choices(options, paper) for size in _narrow(rows, options, measured))
    least = max(sizes, key=lambda size: size.across(paper))
    width = math.ceil(paper.smallest / least.across(paper))
    sheet = f"{page.width:g}" if math.isinf(page.height) else f"{page.width:g} by {page.height:g}"
    return DrawingError(
        "no picture of this graph is legible at that width",
        where=f"draw(width={options.width!r})",
        expected=f"text of at least {page.smallest:g} {page.unit} on {sheet} {page.unit}",
        got=f"at most {math.floor(10 * most) / 10:g} {page.unit}",
        do=f"give width={width} (points; it is {width * least.height / least.width:,.0f} high "
        "then), or None for its own size",
    )


def _choices(options: Options, page: Page) -> Iterator[list[Options]]:
    """From all that was asked for to less: tables beside the graph, where a page is wider than
    high; sums without the entries; fewer blocks; a lower level. Each with fewer and fewer blocks in
    a row, and last from top to bottom, if it has no rows."""
    levels = LEVELS[LEVELS.index(options.level) :] if options.level in LEVELS else [options.level]
    blocks = [options.blocks] if options.blocks == 1 else [options.blocks, 1]
    sides = (False, True) if page.height < page.width else (False,)
    for level in levels:
        for count, details, beside in product(blocks, (True, False), sides):
            choice = replace(options, level=level, blocks=count, details=details, beside=beside)
            wraps = [options.wrap] if options.wrap else ROWS
            rows = [replace(choice, wrap=wrap) for wrap in wraps]
            yield [*rows, replace(rows[-1], down=True)]
