"""``player.html``: one page, complete in itself, that plays forward and backward propagation over
the drawn graph."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import gradients as differentiate
from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.image.direct import Group
from tinygrad_lstm.viz.look.legend import headline, legend
from tinygrad_lstm.viz.look.style import THEMES
from tinygrad_lstm.viz.look.tables import Cell
from tinygrad_lstm.viz.look.text import printable
from tinygrad_lstm.viz.player.norms import norms
from tinygrad_lstm.viz.player.sheet import marking, sheet
from tinygrad_lstm.viz.player.steps import recording
from tinygrad_lstm.viz.player.store import Store

__all__ = ["Page", "page"]

SCRIPTS = tuple(  # one script in the page
    f"{name}.js"
    for name in (
        *("numbers", "pieces", "picture", "view", "overview"),
        *("panel", "lists", "calculus", "sliders", "control"),
    )
)
POLICY = (  # with the digests of the scripts
    "default-src 'none'; script-src {}; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'"
)
LIGHT, DARK = asdict(THEMES["light"]), asdict(THEMES["dark"])


@dataclass(frozen=True)
class Page:
    """The page that plays a picture. A notebook shows it in a frame.

    Attributes
    ----------
    html : str
        The whole page.
    """

    html: str

    def _repr_html_(self) -> str:
        style = "width: 100%; height: 44rem; border: 0"
        return f'<iframe style="{style}" srcdoc="{html.escape(self.html)}"></iframe>'

    def __repr__(self) -> str:
        return f"<Page, {len(self.html):,} characters of HTML>"


def page(
    loss: Any,
    given: Gradients | None,
    graph_with: Callable[[Gradients], Graph],
    groups_of: Callable[[Graph, Callable[[Any], str]], Iterable[Group]],
    chosen: Sequence[str],
    title: str | None,
    theme: str,
) -> str:
    """The page as HTML text.

    It loads nothing: style, script, picture and numbers are in it, and its policy forbids the
    browser to fetch anything or to run another script, whatever the names in the graph are.

    Parameters
    ----------
    loss : Tensor
        The value that was differentiated.
    given : Gradients or None
        Its reverse pass, if there is one already. Backward starts at ones otherwise, as many as
        `loss` has entries.
    graph_with : callable
        The graph that is drawn, from the gradients.
    groups_of : callable
        The picture of a graph, in the colours of the light theme; from the graph, and how tooltips
        write an array.
    chosen : sequence of str
        The first of these values is chosen when the page opens.
    title, theme
        As in :func:`tinygrad_lstm.viz.draw`. The page follows the reader's choice of light or dark,
        except with "dark".
    """
    gradients = given if given is not None else differentiate(loss, np.ones(loss.shape, loss.dtype))
    graph = graph_with(gradients)
    store = Store()
    data = _played(graph, gradients, chosen, store) | _drawn(graph)
    data |= sheet(groups_of(graph, marking(store))) | store.data()
    scripts = {"program": "\n".join(map(_part, SCRIPTS)), "open": _part("open.js")}
    parts = {
        "policy": POLICY.format(" ".join(map(_digest, scripts.values()))),
        "title": html.escape(headline(graph, title)),
        "scheme": "dark" if theme == "dark" else "light dark",
        "style": _part("player.css") + _colours(),
        "data": _packed(data),
        **scripts,
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], _part("player.html"))


def _played(
    graph: Graph, gradients: Gradients, chosen: Sequence[str], store: Store
) -> dict[str, Any]:
    """What happens: values, steps, and where backward starts."""
    root = gradients.tape.root
    played = recording(graph, gradients, store.add)
    names = [value["name"] for value in played["values"]]
    start = (
        "given" if np.any(array_of(gradients[root]) != 1) else "one" if root.size == 1 else "ones"
    )
    return played | {
        "root": printable(gradients.tape.label(root)),
        "start": start,
        "norms": norms(graph, gradients, played),
        "chosen": next((names.index(name) for name in chosen[:1] if name in names), None),
    }


def _drawn(graph: Graph) -> dict[str, Any]:
    """What the picture shows."""
    return {
        "blocks": len(graph.blocks),
        "hidden": sum(run.count for run in graph.runs),
        "complex": any(np.iscomplexobj(node.value) for node in graph.nodes),
        "ink": {name: LIGHT[name] for name in ("value", "gradient", "fork")},
        "edges": [(e.key, e.source, e.target, e.fork) for e in graph.edges],
        "legend": [
            [_plain(cell) for cell in row[i : i + 2]]
            for i in (0, 2)
            for row in legend(graph).rows[1:]
            if row[i].line.text
        ],
    }


def _plain(cell: Cell) -> dict[str, str | None]:
    return {"text": cell.line.text, "ink": cell.line.ink, "fill": cell.fill}


def _part(name: str) -> str:
    return files("tinygrad_lstm.viz.player").joinpath("page", name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() + "'"


def _colours() -> str:
    """The colours of the picture, which is drawn in those of the light theme, in both themes."""
    pairs = {LIGHT[name]: DARK[name] for name in LIGHT}
    rules = [
        f'.picture [{what}="{light}"] {{ {what}: light-dark({light}, {dark}) }}'
        for light, dark in pairs.items()
        for what in ("fill", "stroke")
    ]
    names = [f"  --{name}: light-dark({LIGHT[name]}, {DARK[name]});" for name in LIGHT]
    return "\n".join([":root {", *names, "}", *rules, ""])


def _packed(data: Any) -> str:
    """JSON, deflated, as text that cannot end the element it stands in: much of it says the same of
    every block."""
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(zlib.compress(text.encode())).decode()
