"""Which values the options of `draw` take, and the file that a picture is written to."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.graph.levels import LEVELS
from tinygrad_lstm.viz.look.style import THEMES

__all__ = ["PAGES", "Options", "Page", "page_of", "path_of", "several"]


class Page(NamedTuple):
    """How large a picture is shown, and how small its text may be there."""

    width: float
    height: float
    smallest: float
    unit: str


PAGES = {
    "readme": Page(830, math.inf, 9, "px"),
    "slide": Page(1920, 1080, 9, "px"),
    "a4": Page(482, 728, 6, "pt"),  # with margins of 20 mm
}


def page_of(width: str | float) -> Page:
    """The page that `draw(width=...)` names, or one of so many points on paper."""
    return PAGES[width] if isinstance(width, str) else Page(float(width), math.inf, 6, "pt")


def several(given: Any) -> tuple[Any, ...]:
    """One thing or several as a tuple; None for none."""
    return (
        ()
        if given is None
        else tuple(given)
        if isinstance(given, (list, tuple, set, frozenset, range))
        else (given,)
    )


def is_whole(x: Any) -> bool:
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


def _is_positive(x: Any) -> bool:
    return type(x) is not bool and isinstance(x, (int, float)) and 0 < x < math.inf


LONGEST = 1e6  # seconds: what every system's timers can hold

OPTIONS: dict[
    str, tuple[Callable[[Any], bool], str]
] = {  # which values each option of `draw` takes
    "gradients": (
        lambda g: g is None or isinstance(g, Gradients),
        "what gradients(loss) returned, or None",
    ),
    "title": (lambda t: t is None or isinstance(t, str), "a string, or None"),
    "theme": (lambda t: isinstance(t, str) and t in THEMES, " or ".join(THEMES)),
    "blocks": (lambda b: b is None or (is_whole(b) and b >= 1), "a whole number from 1, or None"),
    "wrap": (lambda b: b is None or (is_whole(b) and b >= 1), "a whole number from 1, or None"),
    "width": (
        lambda w: w is None or (w in PAGES if isinstance(w, str) else _is_positive(w)),
        f"{', '.join(PAGES)}, a number of points above 0, or None",
    ),
    "level": (lambda s: isinstance(s, str) and s in LEVELS, " or ".join(LEVELS)),
    "expand": (lambda e: all(is_whole(t) for t in several(e)), "whole numbers of blocks"),
    "parameters": (lambda s: isinstance(s, str) and s in ("once", "block"), "once or block"),
    "entry": (
        lambda e: (
            e is None or is_whole(e) or (type(e) is tuple and e != () and all(map(is_whole, e)))
        ),
        "the index of one entry, such as (0, 2), or None",
    ),
    "path": (
        lambda p: all(isinstance(x, (str, Tensor)) for x in several(p)),
        "a name or a Tensor, or several",
    ),
    "comparison": (
        lambda c: c is None or hasattr(c, "rows"),
        "what compare(...) returned, or None",
    ),
    "timeout": (
        lambda s: _is_positive(s) and s <= LONGEST,
        f"a number of seconds above 0, up to {LONGEST:,.0f}",
    ),
}


@dataclass(frozen=True)
class Options:
    """What `draw` is asked for; see there.

    Raises
    ------
    DrawingError
        If an option has no such value.
    """

    gradients: Gradients | None
    title: str | None
    theme: str
    blocks: int | None
    level: str
    expand: Any
    parameters: str
    entry: int | tuple[int, ...] | None
    wrap: int | None
    width: str | float | None
    path: Any
    comparison: Any
    timeout: float
    details: bool = True  # whether the entries of arrays stand beside their sums, where they fit
    beside: bool = False  # whether the tables stand beside the graph, not below it
    down: bool = False  # whether a graph without rows runs down the page, not across

    def __post_init__(self) -> None:
        for option, (takes, expected) in OPTIONS.items():
            if not takes(given := getattr(self, option)):
                raise DrawingError(
                    "the option has no such value",
                    where=f"draw({option}=...)",
                    expected=expected,
                    got=brief(given),
                )

    @property
    def index(self) -> tuple[int, ...] | None:
        """The entry that is drawn, as an index."""
        return None if self.entry is None else tuple(int(i) for i in several(self.entry))

    @property
    def wired(self) -> bool:
        """Whether parameters are nodes in the blocks that read them."""
        return self.parameters == "block"


def path_of(file: Any) -> Path:
    """The path of a file, or an error where no system has such a name."""
    try:
        path = Path(file)
        valid = b"\0" not in os.fsencode(path)
    except (TypeError, UnicodeEncodeError):
        valid = False
    if not valid:
        raise DrawingError(
            "that cannot be the name of a file",
            where="draw(..., file)",
            expected="a string or a path",
            got=brief(file),
        )
    return path


def brief(value: Any) -> str:
    """A value in an error, in one line."""
    shown = ascii(value)
    return shown if len(shown) <= 60 and "\n" not in shown else f"a {type(value).__name__}"
