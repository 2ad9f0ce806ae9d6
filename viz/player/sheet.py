"""The picture as the page needs it: pieces with their places, so that only those in sight have to
be in the document."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator

__all__ = ["sheet"]

Piece = tuple[str, str, list[int], str]  # id, kind, what it covers, and what is drawn

KINDS = ("cluster", "edge", "node")
ELSEWHERE = ("title", "legend", "ledger")  # what the page says itself
DROPPED = ("{http://www.w3.org/XML/1998/namespace}space", "font-family", "text-anchor")
WIDEST = 0.7  # of a letter, in parts of its size


def sheet(svg: str) -> list[Piece]:
    """The nodes, edges and frames of an SVG.

    Parameters
    ----------
    svg : str
        A picture as Graphviz, or ``image/direct``, writes it.

    Returns
    -------
    list of tuple
        Of each piece its id, its kind (cluster, edge or node), the left, top, right and bottom of
        what it covers, and the elements in it; the tooltip is its title.
    """
    plain = re.sub(r' xmlns(:xlink)?="[^"]*"|xlink:', "", svg[svg.index("<svg") :])
    graph = ElementTree.fromstring(plain)[0]
    return [_piece(group) for group in graph.iter("g") if _is_piece(group)]


def _is_piece(group: ElementTree.Element) -> bool:
    return (
        group.get("class") in KINDS
        and group.get("id") not in ELSEWHERE
        and group.findtext("title") != "cluster_all"
    )


def _piece(group: ElementTree.Element) -> Piece:
    link = group.find(".//a")
    drawn = [e for e in (group if link is None else link) if e.tag not in ("title", "g")]
    title = ElementTree.Element("title")
    title.text = "" if link is None else link.get("title", "")
    for element in drawn:
        element.tail = None
    xs, ys = zip(*(point for element in drawn for point in _points(element)), strict=True)
    box = [round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))]
    for element in drawn:
        _trim(element)
    inner = "".join(ElementTree.tostring(e, encoding="unicode") for e in [title, *drawn])
    return group.get("id", ""), group.get("class", ""), box, inner


def _trim(element: ElementTree.Element) -> None:
    """Take away what the page's style says once for all."""
    for name in DROPPED:
        if element.get(name) != "middle":
            element.attrib.pop(name, None)


def _points(element: ElementTree.Element) -> Iterator[tuple[float, float]]:
    """Points whose hull an element does not leave."""
    if element.tag == "text":
        x, y, size = (float(element.get(name, 12)) for name in ("x", "y", "font-size"))
        half = WIDEST * size * len(element.text or "")
        yield from ((x - half * (element.get("text-anchor") == "middle"), y - size), (x + half, y))
    elif element.tag == "ellipse":
        x, y, rx, ry = (float(element.get(name, 0)) for name in ("cx", "cy", "rx", "ry"))
        yield from ((x - rx, y - ry), (x + rx, y + ry))
    else:
        numbers = re.findall(r"-?[\d.]+", element.get("points") or element.get("d") or "0,0")
        yield from zip(map(float, numbers[::2]), map(float, numbers[1::2]), strict=True)
