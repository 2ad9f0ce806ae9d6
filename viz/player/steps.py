"""What the page plays, as plain data: the stages of forward propagation in order, then every branch
of backward.

Only what the picture draws is played. The blocks in the middle of a long sequence are passed in one
step each way, and what they send back to a drawn value is one contribution.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import groupby
from typing import Any

import numpy as np

from tinygrad_lstm.engine.gradients import Gradients
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.walk import edges
from tinygrad_lstm.viz.graph.data import Graph, Node, Run
from tinygrad_lstm.viz.look.text import printable
from tinygrad_lstm.viz.player.formulas import computed, is_small, written
from tinygrad_lstm.viz.player.rules import Rules
from tinygrad_lstm.viz.player.store import listed

__all__ = ["recording"]

GIVEN = ("leaf", "constant", "parameter")  # what no stage of the picture computes

Data = dict[str, Any]


def recording(graph: Graph, gradients: Gradients, keep: Callable[[Any], Any] = listed) -> Data:
    """The values, and the steps of forward and backward over them.

    Parameters
    ----------
    graph : Graph
        What the picture shows.
    gradients : Gradients
        The reverse pass of the loss.
    keep : callable
        What stands for an array.

    Returns
    -------
    dict
        ``values``: one for each node and parameter, with its branches in the order in which they
        arrive, each with the sum so far. ``steps``: what happens, by indices into the values and
        their branches. Of a small graph all formulas too.
    """
    with np.errstate(all="ignore"):  # sums that overflow are shown as inf or nan
        return _Recorder(graph, gradients, keep).data()


class _Recorder:
    """One walk over the tape and back."""

    def __init__(self, graph: Graph, gradients: Gradients, keep: Callable[[Any], Any]) -> None:
        self.keep = keep
        self.graph, self.gradients, self.tape = graph, gradients, gradients.tape
        self.shown = [x for x in self.tape.values if self.node(x) or self.key(x).startswith("p")]
        self.index = {id(x): i for i, x in enumerate(self.shown)}
        self.rules = Rules(self.index)
        if self.tape.root.shape == () and array_of(gradients[self.tape.root]) == 1:
            self.rules.starts(self.tape.root)
        self.ways = self.counted_ways()
        self.is_small = not graph.runs and is_small(self.tape)
        self.edges = {e.key for e in graph.edges}
        self.through: dict[tuple[str, Run], list[str]] = defaultdict(
            list
        )  # the edges from a node into blocks that are not drawn
        for e in graph.edges:
            if e.through:
                self.through[e.source, graph.folded[graph.node(e.target).block]].append(e.key)
        self.sent = {
            (id(b.stage.output), b.argument): array_of(b.gradient)
            for x in self.shown
            if x.requires_grad
            for b in gradients.branches(x)
        }
        self.values = [self.value(x) for x in self.shown]
        self.sums: dict[int, Any] = {}

    def key(self, x: Any) -> str:
        """The key of a value; an empty string for one that can be neither drawn nor listed."""
        return self.graph.keys.get(id(x), "")

    def node(self, x: Any) -> Node | None:
        return self.graph.by_key.get(self.key(x))

    def run(self, output: Any) -> Run | None:
        """The blocks that are not drawn in which the stage of a value is."""
        return self.graph.folded.get(self.graph.places.get(id(output)))

    def data(self) -> Data:
        steps = [*self.forward(), *self.backward()]
        for x, value in zip(self.shown, self.values, strict=True):
            if value["branches"]:
                value["branches"][-1]["sum"] = self.keep(self.in_order(x))
        return {"values": self.values, "steps": steps}

    def in_order(self, x: Any) -> Any:
        """The sum of all branches as the engine adds them, in the order of the tape; any other
        order can differ in the last digit."""
        first, *others = (array_of(b.gradient) for b in self.gradients.branches(x))
        return sum(others, first)

    # The values.

    def value(self, x: Any) -> Data:
        node = self.node(x)
        key = self.key(x)
        name = node.name if node else self.graph.parameters[int(key.removeprefix("p"))].name
        found: Data = {
            "name": printable(name),
            "nodes": [node.key]
            if node
            else [n.key for n in self.graph.nodes if n.key.startswith(f"{key}-")],
            "block": node.block if node else None,
            "op": node.op if node else "parameter",
            "value": self.keep(node.value if node else array_of(x)),
            "branches": [],
        }
        if x.requires_grad and (
            node is None or node.gradient is not None
        ):  # a node that stands for many values has none
            found |= {
                "gradient": self.keep(array_of(self.gradients[x])),
                "ways": _count(self.ways[id(x)]),
            }
        return found

    def counted_ways(self) -> dict[int, int]:
        """How many ways lead from the root back to each value."""
        counts: dict[int, int] = defaultdict(int, {id(self.tape.root): 1})
        for stage in reversed(self.tape.stages):
            for x in stage.inputs:
                counts[id(x)] += counts[id(stage.output)]
        return counts

    # Forward.

    def forward(self) -> Iterator[Data]:
        yield {
            "kind": "given",
            "values": [i for i, value in enumerate(self.values) if value["op"] in GIVEN],
        }
        for run, stages in groupby(self.tape.stages, lambda stage: self.run(stage.output)):
            if run:
                outputs = [id(stage.output) for stage in stages]
                yield _passed(run, outputs) | {
                    "kind": "pass",
                    "values": [self.index[key] for key in outputs if key in self.index],
                }
                continue
            for stage in stages:
                i = self.index[id(stage.output)]
                if self.values[i]["op"] not in GIVEN:
                    self.values[i]["rule"] = self.rules.forward(stage)
                    if self.is_small:
                        self.values[i]["formula"] = computed(stage, self.index)
                    yield {"kind": "forward", "value": i}

    # Backward, in the order in which the engine runs it.

    def backward(self) -> Iterator[Data]:
        yield {"kind": "seed", "value": self.index[id(self.tape.root)]}
        walked = edges([stage.output for stage in self.tape.stages])
        for run, found in groupby(walked, lambda edge: self.run(edge[0])):
            if run:
                passed = list(found)
                stages = {id(node) for node, _, _ in passed}
                yield _passed(run, stages) | {
                    "kind": "return",
                    "branches": list(self.absorbed(run, passed)),
                }
                continue
            for node, argument, x in found:
                yield from self.sent_by(node, argument, x)

    def sent_by(self, node: Any, argument: int, x: Any) -> Iterator[Data]:
        if (id(node), argument) not in self.sent:
            return
        arrived, is_only = array_of(self.gradients[node]), len(self.tape.readers[id(x)]) == 1
        rule, formula = self.rules.sent(node, argument, arrived, is_only)
        branch = {
            "by": self.index[id(node)],
            "argument": argument,
            "rule": rule,
            "edges": self.edges_to(node, argument, x),
        }
        if self.is_small:
            branch["formula"] = written(formula)
        yield {
            "kind": "backward",
            "value": self.index[id(x)],
            "branch": self.arrive(x, self.sent[id(node), argument], branch),
        }

    def edges_to(self, node: Any, argument: int, x: Any) -> list[str]:
        """The drawn edge of a branch; none where a parameter is only listed."""
        target = self.key(node)
        source = self.key(x) if self.node(x) else f"{self.key(x)}-{node.block}"
        key = f"{source}-{target}-{argument}"
        return [key] if key in self.edges else []

    def absorbed(
        self, run: Run, passed: Iterable[tuple[Any, int, Any]]
    ) -> Iterator[tuple[int, int]]:
        """What stages that are not drawn send back to values that are: one branch for each such
        value."""
        found: dict[int, list[Any]] = defaultdict(list)
        values = {}
        for node, argument, x in passed:
            if (id(node), argument) in self.sent:
                values[id(x)] = x
                found[id(x)].append(self.sent[id(node), argument])
        for i, sent in found.items():
            branch = {
                "by": None,
                "blocks": _range(run),
                "rule": None,
                "edges": self.through[self.key(values[i]), run],
            }
            yield self.index[i], self.arrive(values[i], sum(sent[1:], sent[0]), branch)

    def arrive(self, x: Any, gradient: Any, branch: Data) -> int:
        """Add a branch's contribution to those of its value, and return its place among them."""
        found = self.values[self.index[id(x)]]
        total = self.sums[id(x)] = self.sums[id(x)] + gradient if id(x) in self.sums else gradient
        found["branches"].append(
            branch | {"gradient": self.keep(gradient), "sum": self.keep(total)}
        )
        return len(found["branches"]) - 1


def _passed(run: Run, stages: Sized) -> Data:
    return {"blocks": _range(run), "stages": len(stages)}


def _range(run: Run) -> list[int]:
    return [int(run.first), int(run.last)]


def _count(n: int) -> str:
    return f"{n:,}" if n < 10**15 else f"about 10^{math.log10(n):.0f}"
