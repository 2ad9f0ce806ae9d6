"""A compiled program as a picture: its instructions from top to bottom, and what flows between
them."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz.image.render import render
from tinygrad_lstm.viz.image.svg import described
from tinygrad_lstm.viz.look.style import FONT, THEMES, Theme

__all__ = ["drawn", "source"]


def source(flow: Any, theme: str, title: str) -> str:
    """The DOT text of a program.

    Parameters
    ----------
    flow : Flow
        Nodes, each with its kind and lines; edges between their places.
    theme : {"light", "dark"}
    title : str
    """
    ink = THEMES[theme]
    lines = [
        "digraph program {",
        f'graph [bgcolor="{ink.page}" fontname="{FONT}" fontcolor="{ink.text}" labelloc=t '
        f'label="{_escaped(title)}" ranksep=0.3 nodesep=0.2]',
        f'node [fontname="{FONT}" fontsize=10 style=filled color="{ink.line}" shape=box '
        f'fontcolor="{ink.text}" margin="0.12,0.05"]',
        f'edge [color="{ink.line}" arrowsize=0.6]',
    ]
    for i, node in enumerate(flow.nodes):
        label = "\\n".join(map(_escaped, filter(None, node.lines)))
        shape = "ellipse" if node.kind == "input" else "plain" if node.kind == "more" else "box"
        fill = _fill(node.kind, ink)
        lines.append(f'n{i} [label="{label}" shape={shape} fillcolor="{fill}"]')
    lines += [f"n{a} -> n{b}" for a, b in flow.edges]
    return "\n".join([*lines, "}", ""])


def _fill(kind: str, ink: Theme) -> str:
    fills = {"product": ink.product, "loop": ink.function, "copy": ink.move, "input": ink.leaf}
    return ink.page if kind == "more" else fills.get(kind, ink.arithmetic)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def drawn(dot: str, format: str, title: str, timeout: float) -> bytes:
    """The program in a format."""
    if format == "dot":
        return dot.encode()
    if format == "html":
        raise DrawingError(
            "a program has no page that plays it",
            where="draw(plan, ...)",
            expected=".svg, .png, .pdf or .dot",
        )
    image = render(dot, format, timeout)
    if format != "svg":
        return image
    return described(image.decode(), title, "The instructions of a compiled program.").encode()
