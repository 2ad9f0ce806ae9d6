"""An SVG for everybody: with a title and a description that a screen reader reads out."""

from __future__ import annotations

import html as markup
import re
import zlib

from tinygrad_lstm.viz.options import Page

__all__ = ["described", "sized"]


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


def sized(svg: str, page: Page) -> str:
    """The SVG no larger than the page on which it is shown."""
    found = re.search(r'<svg width="([\d.]+)pt" height="([\d.]+)pt"', svg)
    if found is None:
        return svg
    width, height = map(float, found.groups())
    own = 4 / 3 if page.unit == "px" else 1.0  # a point is 4/3 px
    scale = min(page.width / width, page.height / height, own)
    new = f'<svg width="{width * scale:.0f}{page.unit}" height="{height * scale:.0f}{page.unit}"'
    return svg.replace(found[0], new, 1)
