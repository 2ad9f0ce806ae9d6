"""`draw`: from a loss to a picture."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tinygrad_lstm._errors import DrawingError
from tinygrad_lstm._tensor import Tensor
from tinygrad_lstm.viz.dot import source
from tinygrad_lstm.viz.graph import build, elide
from tinygrad_lstm.viz.render import FORMATS, command, no_graphviz, render, write
from tinygrad_lstm.viz.style import theme as named_theme

__all__ = ["Picture", "draw"]


class Picture:
    """A drawn graph. A notebook shows it; `save` writes it.

    Attributes
    ----------
    dot : str
        The picture as DOT text.
    timeout : float
        The limit for Graphviz, in seconds.
    """

    def __init__(self, dot: str, timeout: float = 60.0) -> None:
        self.dot, self.timeout = dot, timeout

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write the picture to a file; its suffix is the format.

        Parameters
        ----------
        file : str or path
            Ends in .svg, .png, .pdf or .dot.

        Raises
        ------
        DrawingError
            If the format is unknown, the file cannot be written, or Graphviz fails. Where there is no Graphviz, the
            DOT text is written beside `file`.
        """
        path = Path(file)
        format = path.suffix[1:].lower()
        if format not in FORMATS:
            raise DrawingError("the suffix names no format that can be drawn", where=str(path), expected=", ".join(f".{f}" for f in FORMATS))
        if not path.parent.is_dir():
            raise DrawingError("the folder does not exist", where=str(path), expected=f"a folder {path.parent}", do="create it first")
        if format != "dot" and command(format) is None:
            beside = path.with_suffix(".dot")
            write(beside, self.dot.encode())
            raise no_graphviz(str(path), got=f"its DOT text in {beside}")
        write(path, render(self.dot, format, self.timeout))

    def _repr_svg_(self) -> str:
        return render(self.dot, "svg", self.timeout).decode()

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
    timeout: float = 60.0,
) -> Picture:
    """Draw the graph that led to a value, its forks highlighted.

    Blocks of time stand side by side. A value that is read more than once, a fork, has a double ring, and its branches
    have the fork's colour. Parameters, which every block reads, are listed below the graph instead of being wired to it.

    Parameters
    ----------
    loss : Tensor
        The value whose tape is drawn.
    file : str or path, optional
        Where to write the picture: .svg, .png, .pdf or .dot.
    gradients : Gradients, optional
        What ``gradients(loss)`` returned. Values and gradients then stand on the nodes, and what each branch sends back on
        its edge, so that the addition at a fork can be checked by eye. Of an array with more than two entries the sum
        of the entries is shown; the exact entries are in the tooltips.
    title : str, optional
        The picture's heading.
    theme : {"light", "dark"}
        The colours.
    blocks : int or None, default 2
        How many blocks to draw at each end of a sequence; the ones between are counted. A sequence with at most two blocks
        between is drawn whole, and with None every sequence is.
    timeout : float, default 60
        The limit for Graphviz, in seconds.

    Returns
    -------
    Picture
        Which a notebook shows. Its `dot` is the DOT text, and `save` writes more files.

    Raises
    ------
    DrawingError
        If nothing was recorded, if the format or the theme is unknown, if the file cannot be written, or if Graphviz
        fails, takes longer than `timeout`, or is not there; in the last case the DOT text is written beside `file`.

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
    if blocks is not None and (not isinstance(blocks, int) or blocks < 1):
        raise DrawingError("not a number of blocks", where="draw(blocks=...)", expected="a whole number from 1, or None", got=repr(blocks))
    if not isinstance(loss, Tensor):
        raise DrawingError("only a Tensor has a graph", where="draw(...)", expected="a Tensor", got=type(loss).__name__)
    graph = elide(build(loss.tape, gradients), blocks)
    picture = Picture(source(graph, named_theme(theme), title), timeout)
    if file is not None:
        picture.save(file)
    return picture
