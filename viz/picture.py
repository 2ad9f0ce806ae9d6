"""`draw`: from a loss to a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.dot import source
from tinygrad_lstm.viz.graph.build import blocks_of, build
from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.graph.levels import LEVELS, runs
from tinygrad_lstm.viz.graph.marks import verdicts
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.tables import headline
from tinygrad_lstm.viz.look.text import description, printable
from tinygrad_lstm.viz.player.player import page
from tinygrad_lstm.viz.render import FORMATS, render, write
from tinygrad_lstm.viz.svg import described

__all__ = ["Picture", "draw"]


def _several(given: Any) -> tuple[Any, ...]:
    """One thing or several as a tuple; None for none."""
    return (
        ()
        if given is None
        else tuple(given)
        if isinstance(given, (list, tuple, set, frozenset, range))
        else (given,)
    )


def _is_whole(x: Any) -> bool:
    return isinstance(x, (int, np.integer)) and not isinstance(x, bool)


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
    "blocks": (lambda b: b is None or (_is_whole(b) and b >= 1), "a whole number from 1, or None"),
    "wrap": (lambda b: b is None or (_is_whole(b) and b >= 1), "a whole number from 1, or None"),
    "level": (lambda s: isinstance(s, str) and s in LEVELS, " or ".join(LEVELS)),
    "expand": (lambda e: all(_is_whole(t) for t in _several(e)), "whole numbers of blocks"),
    "parameters": (lambda s: isinstance(s, str) and s in ("once", "block"), "once or block"),
    "path": (
        lambda p: all(isinstance(x, (str, Tensor)) for x in _several(p)),
        "a name or a Tensor, or several",
    ),
    "comparison": (
        lambda c: c is None or hasattr(c, "rows"),
        "what compare(...) returned, or None",
    ),
    "timeout": (
        lambda s: type(s) is not bool and isinstance(s, (int, float)) and 0 < s <= LONGEST,
        f"a number of seconds above 0, up to {LONGEST:,.0f}",
    ),
}


class Picture:
    """A drawn graph. A notebook shows it; `save` writes it.

    Attributes
    ----------
    dot : str
        The picture as DOT text.
    timeout : float
        The limit for Graphviz, in seconds.
    page : callable
        What makes the page that plays the picture.
    title, description : str
        What a screen reader says of the SVG.
    """

    def __init__(
        self,
        dot: str,
        timeout: float,
        page: Callable[[], str],
        title: str = "",
        description: str = "",
    ) -> None:
        self.dot, self.timeout, self.page, self.title, self.description = (
            dot,
            timeout,
            page,
            title,
            description,
        )

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the picture to a file; its suffix is the format.

        Parameters
        ----------
        file : str or path
            Ends in .svg, .png, .pdf, .dot or .html.

        Raises
        ------
        DrawingError
            If the format is unknown, the file cannot be written, or Graphviz is not there, fails or
            takes too long. In the last cases the DOT text is written beside `file`.
        """
        path = _path(file)
        where = printable(str(path))
        format = path.suffix[1:].lower()
        if format not in FORMATS:
            raise DrawingError(
                "the suffix names no format that can be drawn",
                where=where,
                expected=", ".join(f".{f}" for f in FORMATS),
            )
        if not path.parent.is_dir():
            raise DrawingError(
                "the folder does not exist",
                where=where,
                expected=printable(f"a folder {path.parent}"),
                do="create it first",
            )
        try:
            drawn = self._drawn(format)
        except DrawingError as error:
            kept = self._kept(path.with_suffix(".dot"))
            raise DrawingError(
                error.what,
                where=where,
                expected=error.expected,
                got=error.got,
                do=f"{error.do}{kept}",
            ) from None
        write(path, drawn)

    def _kept(self, beside: Path) -> str:
        """Keep the DOT text of a picture that could not be drawn; where it is, or nothing if it
        could not be written either."""
        try:
            write(beside, self.dot.encode())
        except DrawingError:
            return ""
        return printable(f"; its DOT text is in {beside}")

    def _drawn(self, format: str) -> bytes:
        if format == "html":
            return self.page().encode()
        drawn = render(self.dot, format, self.timeout)
        return (
            described(drawn.decode(), self.title, self.description).encode()
            if format == "svg"
            else drawn
        )

    def _repr_svg_(self) -> str:
        return self._drawn("svg").decode()

    def __repr__(self) -> str:
        return f"<Picture, {len(self.dot)} characters of DOT>"


def draw(
    loss: Any,
    file: str | os.PathLike[str] | None = None,
    /,
    *,
    gradients: Any = None,
    title: str | None = None,
    theme: str = "light",
    blocks: int | None = 2,
    level: str = "stages",
    expand: int | Collection[int] = (),
    parameters: str = "once",
    wrap: int | None = None,
    path: Any = (),
    comparison: Any = None,
    timeout: float = 60.0,
) -> Picture:
    """Draw the graph that led to a value, its forks highlighted.

    Blocks of time stand side by side. A value that is read more than once, a fork, has a double
    ring, and its branches have the fork's colour. Parameters, which every block reads, are listed
    below the graph instead of being wired to it.

    Parameters
    ----------
    loss : Tensor
        The value whose tape is drawn.
    file : str or path, optional
        Where to write the picture: .svg, .png, .pdf or .dot; or .html, one page without anything
        outside of it, in which a browser plays forward and backward, step by step, with the
        numbers.
    gradients : Gradients, optional
        What ``gradients(loss)`` returned. Values and gradients then stand on the nodes, and what
        each branch sends back on its edge, so that the addition at a fork can be checked by eye. Of
        an array with more than two entries the sum of the entries is shown; the exact entries are
        in the tooltips.
    title : str, optional
        The picture's heading.
    theme : {"light", "dark"}
        The colours.
    blocks : int or None, default 2
        How many blocks to draw at each end of a sequence; the ones between are counted. A sequence
        with at most two blocks between is drawn whole, and with None every sequence is.
    level : {"stages", "block", "blocks"}
        How much is drawn: every stage of each block; one block, with the rest left out; or each
        block folded to the values that leave it.
    expand : int or collection of int
        Blocks that are drawn stage by stage at every level.
    parameters : {"once", "block"}
        Whether parameters are only listed below the graph, or are drawn in each block that reads
        them too.
    wrap : int, optional
        How many blocks stand in a row, for a page that is narrower than the graph; the others
        follow below. All, by default, and where blocks differ so much that they do not line up.
    path : str or Tensor, or a sequence of them
        All ways from the loss back to these values are marked, each in its colour, and the rest is
        faded.
    comparison : Comparison, optional
        What ``compare`` returned: each value and branch is marked as right, as the first that is
        wrong, or as wrong because of another.
    timeout : float, default 60
        The limit for Graphviz, in seconds.

    Returns
    -------
    Picture
        Which a notebook shows. Its `dot` is the DOT text, and `save` writes more files.

    Raises
    ------
    DrawingError
        If nothing was recorded, if an option or the format is unknown, if the file cannot be
        written, or if Graphviz fails, takes longer than `timeout`, or is not there; the DOT text is
        then written beside `file`.
    UnknownNameError
        If `path` names a value that is not on the tape.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradients
    >>> from tinygrad_lstm.viz import draw
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> z = (y + y).named("z")
    >>> picture = draw(z, gradients=gradients(z))
    >>> picture.dot.startswith("digraph")
    True
    """
    given = {
        "gradients": gradients,
        "title": title,
        "theme": theme,
        "blocks": blocks,
        "timeout": timeout,
    }
    given |= {
        "level": level,
        "expand": expand,
        "parameters": parameters,
        "wrap": wrap,
        "path": path,
        "comparison": comparison,
    }
    for option, (takes, expected) in OPTIONS.items():
        if not takes(given[option]):
            raise DrawingError(
                "the option has no such value",
                where=f"draw({option}=...)",
                expected=expected,
                got=_brief(given[option]),
            )
    if not isinstance(loss, Tensor):
        raise DrawingError(
            "only a Tensor has a graph",
            where="draw(...)",
            expected="a Tensor",
            got=type(loss).__name__,
        )

    def arrange(dot: str) -> str:
        return render(dot, "plain", timeout).decode()

    def svg_of(graph: Graph) -> str:
        return render(source(graph, THEMES["light"], title, arrange, wrap), "svg", timeout).decode()

    with np.errstate(all="ignore"):  # sums that overflow are drawn as inf or nan
        tape, wired = loss.tape, parameters == "block"
        hidden = runs(blocks_of(tape), level, _several(expand), blocks)
        found = verdicts(comparison, tape)
        graph = build(tape, gradients, hidden, path=_several(path), verdicts=found, wired=wired)
        play = partial(
            page,
            loss,
            gradients,
            partial(build, tape, runs=hidden, verdicts=found, wired=wired),
            svg_of,
            graph.ways,
            title,
            theme,
        )
        picture = Picture(
            source(graph, THEMES[theme], title, arrange, wrap),
            timeout,
            play,
            headline(graph, title),
            description(graph),
        )
    if file is not None:
        picture.save(file)
    return picture


def _path(file: Any) -> Path:
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
            got=_brief(file),
        )
    return path


def _brief(value: Any) -> str:
    """A value in an error, in one line."""
    shown = ascii(value)
    return shown if len(shown) <= 60 and "\n" not in shown else f"a {type(value).__name__}"
