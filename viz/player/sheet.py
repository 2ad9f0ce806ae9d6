"""The picture as the page needs it: pieces with their places, so that only those in sight have to
be in the document. What is alike in many blocks is written once."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.viz.image.direct import Group
from tinygrad_lstm.viz.look.numbers import exact
from tinygrad_lstm.viz.player.store import MOST, Store

__all__ = ["marking", "read", "sheet"]

KINDS = ("cluster", "edge", "node")
ELSEWHERE = ("title", "legend", "ledger")  # what the page says itself
WIDEST = 0.7  # of a letter, in parts of its size
TEXT = re.compile("(?<=>)([^<>]+)(?=</)")
MARK = "\0"  # around the number of an array, in tooltips; no text that is shown has it
MARKED = re.compile(f"{MARK}([0-9]+){MARK}")


def sheet(groups: Iterable[Group]) -> dict[str, Any]:
    """The pieces of a picture as data.

    Parameters
    ----------
    groups : iterable of Group
        Frames, edges and nodes; arrays in their tooltips as :func:`marking` writes them.

    Returns
    -------
    dict
        ``looks``: the kind (cluster, edge or node), the left, top, right and bottom, and the
        elements, between which texts belong. ``pieces``: of each its id, the number of its look,
        where that is drawn, its texts, and its tooltip: text and the numbers of arrays in turn.
    """
    looks: dict[Any, int] = {}
    pieces = []
    for key, kind, said, (x, y), box, inner in groups:
        parts = TEXT.split(inner)
        look = (kind, *(round(end) for end in box), *parts[::2])
        place = [round(x, 2), round(y, 2)]
        pieces.append([key, looks.setdefault(look, len(looks)), *place, parts[1::2], _said(said)])
    return {"looks": [[*look[:5], look[5:]] for look in looks], "pieces": pieces}


def marking(store: Store) -> Any:
    """A function that writes an array as the mark of its number in the store; one that is too large
    to be listed as :func:`exact` does."""

    def marked(array: Any) -> str:
        array = np.asarray(array)
        return exact(array) if array.size > MOST else f"{MARK}{store.add(array)}{MARK}"

    return marked


def _said(text: str) -> list[str | int]:
    found: list[str | int] = [*MARKED.split(text)]
    found[1::2] = map(int, found[1::2])
    return found


def read(svg: str) -> Iterator[Group]:
    """The nodes, edges and frames of an SVG that Graphviz has written."""
    plain = re.sub(r' xmlns(:xlink)?="[^"]*"|xlink:', "", svg[svg.index("<svg") :])
    graph = ElementTree.fromstring(plain)[0]
    return (_group(found) for found in graph.iter("g") if _is_piece(found))


def _is_piece(group: ElementTree.Element) -> bool:
    return (
        group.get("class") in KINDS
        and group.get("id") not in ELSEWHERE
        and group.findtext("title") != "cluster_all"
    )


def _group(found: ElementTree.Element) -> Group:
    link = found.find(".//a")
    drawn = [e for e in (found if link is None else link) if e.tag not in ("title", "g")]
    for element in drawn:
        element.tail = None
    xs, ys = zip(*(point for element in drawn for point in _points(element)), strict=True)
    box = min(xs), min(ys), max(xs), max(ys)
    inner = "".join(ElementTree.tostring(e, encoding="unicode") for e in drawn)
    said = "" if link is None else link.get("title", "")
    return Group(found.get("id", ""), found.get("class", ""), said, (0.0, 0.0), box, inner)


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
