"""An SVG for everybody: with a title and a description that a screen reader reads out."""

from __future__ import annotations

import html as markup
import re
import zlib

__all__ = ["described"]


def described(svg: str, title: str, description: str) -> str:
    """The SVG of Graphviz as an image with a title and a description.

    Their ids are made from the picture, so that several pictures on one page do not name each
    other's.
    """
    own = f"{zlib.crc32(svg.encode()):08x}"
    said = (
        f'<title id="title-{own}">{markup.escape(title)}</title>\n<desc '
        f'id="desc-{own}">{markup.escape(description)}</desc>'
    )
    opened = f'role="img" aria-labelledby="title-{own} desc-{own}">\n{said}'
    return re.sub(r"(<svg\b[^>]*)>", lambda match: f"{match[1]} {opened}", svg, count=1)
