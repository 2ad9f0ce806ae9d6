"""How an SVG file looks: every visible text and shape, by place and colour. What cannot be seen is
left out."""

import base64
import io
import itertools
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from typing import NamedTuple

import numpy as np

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
GROUPS = {"svg", "g", "a"}
SHAPES = {"path", "polygon", "polyline", "ellipse"}
UNSEEN = {"defs", "metadata", "title", "desc", "style", "clipPath"}
TICK = re.compile(r"[xy]tick_\d+$")
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
# Between matplotlib 3.8 and 3.11 shapes move by 0.002 of the picture's larger side, labels beside
# an axis by 0.03, and an image changes by 2 of 255; between Graphviz 2.43 and 14 shapes move by
# 0.008 where Graphviz chose their places.
DISTANCE, TEXT_DISTANCE, SHADE = 0.01, 0.04, 4


class Mark(NamedTuple):
    """One visible thing. `points` are spread evenly along its outline, in parts of the picture's
    larger side."""

    kind: str
    points: np.ndarray
    fill: tuple
    stroke: tuple
    pixels: np.ndarray | None = None


def look(file):
    """The marks of a file, in the order in which they are drawn."""
    root = ET.parse(file).getroot()
    _, _, width, height = map(float, root.get("viewBox").split())
    return list(marks(root, np.eye(3) / max(width, height), {"fill": "black", "stroke": "none"}))


def marks(element, matrix, style):
    tag = element.tag.removeprefix(SVG)
    if tag in UNSEEN or is_number_on_axis(element):
        return
    own = dict(re.findall(r"([\w-]+):\s*([^;]+)", element.get("style", "")))
    style = {name: own.get(name, element.get(name, inherited)) for name, inherited in style.items()}
    matrix = matrix @ transform(element.get("transform", ""))
    points = outline(tag, element)
    if points is not None:
        kind = (
            f"text {''.join(element.itertext()).strip()!r}"
            if tag == "text"
            else "shape"
            if tag in SHAPES
            else tag
        )
        placed = (np.c_[points, np.ones(len(points))] @ matrix.T)[:, :2]
        yield Mark(
            kind,
            spread(placed),
            color(style["fill"]),
            color(style["stroke"]),
            pixels(element) if tag == "image" else None,
        )
    if tag != "text":
        for child in element:
            yield from marks(child, matrix, style)


def is_number_on_axis(element):
    """Versions of matplotlib choose different ones. Where the scale is another, the curves are
    elsewhere."""
    return TICK.match(element.get("id", "")) and not re.search(
        r"[^\W\d]", "".join(element.itertext())
    )


def outline(tag, element):
    """The points of an element in its own coordinates; None where it is a mere group."""

    def number(*names):
        return [float(element.get(name, 0)) for name in names]

    if tag in ("text", "use"):
        child = (
            next((part for part in element.iter() if part.get("x")), element)
            if tag == "text"
            else element
        )
        return np.array([[float((child.get(name) or "0").split()[0]) for name in "xy"]])
    if tag in ("path", "polygon", "polyline"):
        return np.array(NUMBER.findall(element.get("d") or element.get("points")), float).reshape(
            -1, 2
        )
    if tag == "ellipse":
        x, y, rx, ry = number("cx", "cy", "rx", "ry")
        return np.array([[x - rx, y], [x, y - ry], [x + rx, y], [x, y + ry]])
    if tag in ("image", "rect"):
        x, y, w, h = number("x", "y", "width", "height")
        return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    if tag in GROUPS:
        return None
    raise ValueError(f"an element {tag}, whose outline is not known here")


def transform(text):
    matrix = np.eye(3)
    for name, values in re.findall(r"(\w+)\(([^)]*)\)", text):
        v = [float(n) for n in NUMBER.findall(values)]
        step = np.eye(3)
        if name == "translate":
            step[:2, 2] = v if len(v) == 2 else (v[0], 0)
        elif name == "scale":
            step[0, 0], step[1, 1] = v[0], v[-1]
        elif name == "rotate":
            turn, (x, y) = np.deg2rad(v[0]), v[1:] or (0, 0)
            step[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
            step[:2, 2] = np.array([x, y]) - step[:2, :2] @ [x, y]
        elif name == "matrix":
            step[:2] = np.reshape(v, (3, 2)).T
        else:
            raise ValueError(f"unknown transform {name}")
        matrix = matrix @ step
    return matrix


def spread(points, n=65):
    """`n` points along a line through `points`: the same shape has the same, in however many pieces
    it is drawn."""
    lengths = np.r_[0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
    at = np.linspace(0, lengths[-1], n)
    return np.stack([np.interp(at, lengths, axis) for axis in points.T], axis=1)


def color(name):
    """Red, green and blue; nothing where nothing is painted."""
    if name in ("none", "transparent"):
        return ()
    name = {"black": "#000000", "white": "#ffffff", "red": "#ff0000"}.get(name, name)
    return tuple(int(name[i : i + 2], 16) for i in (1, 3, 5))


def pixels(element):
    import matplotlib.image

    _, _, data = element.get(HREF).partition("base64,")
    image = matplotlib.image.imread(io.BytesIO(base64.b64decode(data)))
    rows, columns = (np.linspace(0, size - 1, 40).round().astype(int) for size in image.shape[:2])
    return 255 * image[np.ix_(rows, columns)]


def differences(a, b):
    """What a reader of one picture sees and a reader of the other does not; nothing, if they look
    the same."""
    of_a, of_b = defaultdict(list), defaultdict(list)
    for of, drawn in ((of_a, a), (of_b, b)):
        for mark in drawn:
            of[mark.kind].append(mark)
    for kind in sorted({*of_a, *of_b}):
        if len(of_a[kind]) != len(of_b[kind]):
            yield f"{kind}: {len(of_a[kind])} and {len(of_b[kind])} times"
        else:
            yield from itertools.chain(
                *(difference(*pair) for pair in zip(of_a[kind], of_b[kind], strict=True))
            )


def difference(a, b):
    where = f"{a.kind} at {a.points.mean(axis=0).round(3)}"
    moved = np.abs(a.points - b.points).max()
    if moved > (TEXT_DISTANCE if a.kind.startswith("text") else DISTANCE):
        yield f"{where}: moved by {moved:.3f}"
    for name in ("fill", "stroke"):
        one, other = getattr(a, name), getattr(b, name)
        if len(one) != len(other) or (one and np.abs(np.subtract(one, other)).max() > SHADE):
            yield f"{where}: {name} {one} and {other}"
    if a.pixels is not None and (
        a.pixels.shape != b.pixels.shape or np.abs(a.pixels - b.pixels).mean() > SHADE
    ):
        yield f"{where}: other pixels"
