"""`draw`: from a loss to a picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.crowds import thinned
from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.marks import verdicts
from tinygrad_lstm.viz.graph.members import blocks_of
from tinygrad_lstm.viz.image.dot import source
from tinygrad_lstm.viz.image.render import FORMATS, render, write
from tinygrad_lstm.viz.image.svg import described
from tinygrad_lstm.viz.look.legend import headline
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.text import description, printable
from tinygrad_lstm.viz.options import Options, path_of, several
from tinygrad_lstm.viz.player.player import page

__all__ = ["Picture", "draw"]


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
    image : str
        The DOT text of images, in which a fork of more than twelve branches is folded.
    """

    def __init__(
        self,
        dot: str,
        timeout: float,
        page: Callable[[], str],
        title: str = "",
        description: str = "",
        image: str | None = None,
    ) -> None:
        self.dot, self.timeout, self.page = dot, timeout, page
        self.title, self.description = title, description
        self.image = dot if image is None else image

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
        path = path_of(file)
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
        drawn = render(self.dot if format == "dot" else self.image, format, self.timeout)
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
    level : {"stages", "gates", "block", "blocks"}
        How much is drawn: every stage of each block; its states, gates, inputs and loss only, with
        the stages between them in the edges; one block, with the rest left out; or each block
        folded to the values that leave it.
    expand : int or collection of int
        Blocks that are drawn stage by stage at every level.
    parameters : {"once", "block"}
        Whether parameters are only listed below the graph, or are drawn in each block that reads
        them too; at the level "gates", which folds the stages that read them, they are listed.
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
    options = Options(
        gradients, title, theme, blocks, level, expand, parameters, wrap, path, comparison, timeout
    )
    if not isinstance(loss, Tensor):
        raise DrawingError(
            "only a Tensor has a graph",
            where="draw(...)",
            expected="a Tensor",
            got=type(loss).__name__,
        )
    with np.errstate(all="ignore"):  # sums that overflow are drawn as inf or nan
        picture = _composed(loss, options)
    if file is not None:
        picture.save(file)
    return picture


def _composed(loss: Tensor, options: Options) -> Picture:
    """The picture of a loss, from its tape to DOT text."""
    title, tape = options.title, loss.tape

    def arrange(dot: str) -> str:
        return render(dot, "plain", options.timeout).decode()

    def dot_of(graph: Graph, theme: str) -> str:
        return source(graph, THEMES[theme], title, arrange, options.wrap)

    def svg_of(graph: Graph) -> str:
        return render(dot_of(graph, "light"), "svg", options.timeout).decode()

    hidden = runs(blocks_of(tape), options.level, several(options.expand), options.blocks)
    found = verdicts(options.comparison, tape)
    graph_with = partial(build, tape, runs=hidden, verdicts=found, wired=options.wired)
    graph = graph_with(options.gradients, path=several(options.path), level=options.level)
    play = partial(
        page, loss, options.gradients, graph_with, svg_of, graph.ways, title, options.theme
    )
    dot, fewer = dot_of(graph, options.theme), thinned(graph)
    return Picture(
        dot,
        options.timeout,
        play,
        headline(graph, title),
        description(graph),
        dot if fewer is graph else dot_of(fewer, options.theme),
    )
