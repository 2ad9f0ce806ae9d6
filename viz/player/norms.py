"""How large the gradient is in each block, along what one block hands to the next."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.names import Name
from tinygrad_lstm.viz.graph.data import Graph
from tinygrad_lstm.viz.look.text import printable

__all__ = ["norms"]

LANES = 8  # more lines cannot be told apart


def norms(graph: Graph, gradients: Gradients, played: dict[str, Any]) -> list[dict[str, Any]]:
    """The norm of the gradient at every block, drawn or not, for each value that goes from block to
    block: c and a of an LSTM.

    Parameters
    ----------
    graph, gradients
        What is drawn, and the reverse pass.
    played : dict
        What :func:`tinygrad_lstm.viz.player.steps.recording` returned.

    Returns
    -------
    list of dict
        ``name`` and ``points``: block, norm over all entries, and the number of the value on the
        page or None.
    """
    tape, places = gradients.tape, graph.places
    roles = {id(x): Name.parse(tape.label(x)).role for x in tape.values if id(x) in places}
    lanes: dict[str, list[Any]] = {}
    for stage in tape.stages:
        here = places.get(id(stage.output))
        for x in stage.inputs:
            there = places.get(id(x))
            if here is not None and there is not None and there != here and x.requires_grad:
                lanes.setdefault(roles[id(x)], [])
    for x in tape.values:
        lane = lanes.get(roles.get(id(x), ""))
        if lane is not None and places[id(x)] is not None and x.requires_grad:
            lane.append((places[id(x)], x))
    drawn = {value["name"]: i for i, value in enumerate(played["values"])}
    return [
        {
            "name": printable(role),
            "points": [
                (int(t), _norm(gradients[x]), drawn.get(printable(tape.label(x))))
                for t, x in sorted(lane, key=lambda found: found[0])
            ],
        }
        for role, lane in list(lanes.items())[:LANES]
        if len(lane) > 1
    ]


def _norm(gradient: Any) -> float | None:
    norm = float(np.linalg.norm(array_of(gradient).reshape(-1)))
    return norm if np.isfinite(norm) else None
