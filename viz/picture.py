"""`draw`: from a loss to a picture."""

from __future__ import annotations

import os
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.files import write
from tinygrad_lstm.tensor.tensor import Tensor
from tinygrad_lstm.viz import program
from tinygrad_lstm.viz.compose import Composer
from tinygrad_lstm.viz.image import direct
from tinygrad_lstm.viz.image.dot import source
from tinygrad_lstm.viz.image.render import FORMATS, command, render
from tinygrad_lstm.viz.image.svg import described, sized
from tinygrad_lstm.viz.look.legend import headline
from tinygrad_lstm.viz.look.text import printable
from tinygrad_lstm.viz.look.tooltips import description
from tinygrad_lstm.viz.options import Options, page_of, path_of
from tinygrad_lstm.viz.player.player import Page, page

__all__ = ["Page", "Picture", "draw"]


class Picture:
    """A drawn graph. A notebook shows it, as wide as its column at most; `save` writes it.

    Attributes
    ----------
    dot : str
        The picture as DOT text, with every branch.
    image : str
        The DOT text of images, in which a fork of more than twelve branches is folded.
    title, description : str
        What a screen reader says of the SVG.
    page : Page
        The page that plays the picture; a notebook shows it in a frame.
    """

    title: str
    description: str

    def __init__(self, loss: Tensor, composer: Composer) -> None:
        self._loss, self._composer = loss, composer
        self.title = headline(composer.graph, composer.options.title)
        self.description = description(composer.graph)

    @cached_property
    def dot(self) -> str:
        with np.errstate(all="ignore"):
            return source(self._composer.whole)

    @cached_property
    def image(self) -> str:
        composer = self._composer
        return self.dot if composer.image is composer.whole else source(composer.image)

    @cached_property
    def page(self) -> Page:
        composer, asked = self._composer, self._composer.asked
        with np.errstate(all="ignore"):
            return Page(
                page(
                    self._loss,
                    asked.gradients,
                    composer.played,
                    composer.on_page,
                    composer.graph.ways,
                    asked.title,
                    asked.theme,
                )
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
            do = f"{error.do}{kept}"
            raise DrawingError(
                error.what, where=where, expected=error.expected, got=error.got, do=do
            ) from None
        write(path, drawn, "the picture", DrawingError)

    def _kept(self, beside: Path) -> str:
        """Keep the DOT text of a picture that could not be drawn; where it is, or nothing if it
        could not be written either."""
        try:
            write(beside, self.dot, "the picture", DrawingError)
        except DrawingError:
            return ""
        return printable(f"; its DOT text is in {beside}")

    def _drawn(self, format: str) -> bytes:
        if format == "html":
            return self.page.html.encode()
        if format == "dot":
            return self.dot.encode()
        if format != "svg":
            return render(self.image, format, self._composer.options.timeout)
        width = self._composer.options.width
        svg = described(self._svg(), self.title, self.description)
        return (sized(svg, page_of(width)) if width else svg).encode()

    def _svg(self) -> str:
        """By Graphviz; by our own hand where there is none and all positions are known."""
        if self._composer.image.layout is not None and command("svg") is None:
            return direct.svg(self._composer.image)
        return render(self.image, "svg", self._composer.options.timeout).decode()

    def _repr_svg_(self) -> str:
        return self._drawn("svg").decode()

    def _repr_html_(self) -> str:
        """The SVG in the document itself, so that its tooltips are shown."""
        svg = self._repr_svg_()
        return svg[svg.index("<svg") :].replace(
            "<svg ", '<svg style="max-width: 100%; height: auto" ', 1
        )

    def __repr__(self) -> str:
        return f"<Picture, {self.title}>"


class ProgramPicture(Picture):
    """A drawn program."""

    def __init__(self, flow: Any, options: Options) -> None:
        self._options = options
        self.title = options.title or "a compiled program"
        self.description = f"{len(flow.nodes)} instructions and inputs."
        self.dot = program.source(flow, options.theme, self.title)

    def _drawn(self, format: str) -> bytes:
        return program.drawn(self.dot, format, self.title, self._options.timeout)


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
    entry: int | tuple[int, ...] | None = None,
    wrap: int | None = None,
    width: str | float | None = None,
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
    loss : Tensor, or Plan
        The value whose tape is drawn; or what the ``plan`` of a compiled function returned: the
        program is drawn then, for which only `title`, `theme` and `timeout` have a meaning.
    file : str or path, optional
        Where to write the picture: .svg, .png, .pdf or .dot; or .html, one page without anything
        outside of it, in which a browser plays forward and backward, step by step, with the
        numbers.
    gradients : Gradients, optional
        What ``gradients(loss)`` returned. Values and gradients then stand on the nodes, and what
        each branch sends back on its edge, so that the addition at a fork can be checked by eye. Of
        an array with more than two entries the sum of the entries is shown, beside it the entries
        of a small array as coloured cells, of a larger one the norm, the smallest and the largest;
        the exact entries are in the tooltips.
    title : str, optional
        The picture's heading.
    theme : {"light", "dark"}
        The colours.
    blocks : int or None, default 2
        How many blocks to draw at each end of a sequence; the ones between are counted. A sequence
        with at most two blocks between is drawn whole, and with None every sequence is.
    level : {"stages", "gates", "rolled", "block", "blocks"}
        How much is drawn: every stage of each block; its states, gates, inputs and loss only, with
        the stages between them in the edges; the same rolled up: one block that stands for all,
        with shapes in the place of numbers, and what it hands on as loops; one block, with the rest
        left out; or each block folded to the values that leave it.
    expand : int or collection of int
        Blocks that are drawn stage by stage at every level.
    parameters : {"once", "block"}
        Whether parameters are only listed below the graph, or are drawn in each block that reads
        them too; at the level "gates", which folds the stages that read them, they are listed.
    entry : int or tuple of int, optional
        The index of one entry, of which alone the numbers are: ``(0, 2)`` is unit 2 of row 0 of the
        batch. Axes are counted from the last, and one of length 1 stands for all; an array without
        such an entry shows its sum. Of parameters, which have no batch, it is the last index on
        every axis: the weight from a unit to itself. A product reads other entries too, so that
        what it sends back to one is a sum over all of its outputs.
    wrap : int, optional
        How many blocks stand in a row, for a page that is narrower than the graph; the others
        follow below. All, by default, and where blocks differ so much that they do not line up.
    width : {"readme", "slide", "a4"} or float, optional
        Where the picture is to be read: a column of 830 px, a slide of 1920 by 1080 px, a page of
        paper, or so many points of one. The level (from `level` down to "rolled"), the blocks and
        the rows are then the first with which the smallest text has 9 px on a screen, 6 pt on
        paper. By default all is drawn as large as it is.
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
        then written beside `file`. If nothing would be legible at `width`.
        Blocks that are not alike cannot be rolled up.
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
        *(gradients, title, theme, blocks, level, expand, parameters, entry, wrap, width),
        *(path, comparison, timeout),
    )
    picture: Picture
    if hasattr(loss, "flow"):
        picture = ProgramPicture(loss.flow(), options)
    elif isinstance(loss, Tensor):
        with np.errstate(all="ignore"):  # sums that overflow are drawn as inf or nan
            picture = Picture(loss, Composer(loss, options))
    else:
        raise DrawingError(
            "only a Tensor has a graph",
            where="draw(...)",
            expected="a Tensor",
            got=type(loss).__name__,
        )
    if file is not None:
        picture.save(file)
    return picture
