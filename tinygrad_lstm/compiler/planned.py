"""What is computed, in which order, and where it lives: what a program is made from."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tinygrad_lstm.compiler.graph import Graph, Value
from tinygrad_lstm.compiler.memory import Memory
from tinygrad_lstm.compiler.passes.optimise import Done, optimise
from tinygrad_lstm.compiler.schedule import Schedule, is_heavy
from tinygrad_lstm.compiler.trace import Program

__all__ = ["Instruction", "Planned", "instructions"]

Instruction = tuple[str, Any]


class Planned:
    """A planned program: its values and instructions. They take more memory than what they compute,
    and go away when the calls are there.

    Parameters
    ----------
    program : Program
        Its graph is taken from it.
    backend : str
        ``"numpy"`` or ``"native"``.
    passes : collection of str
        What is done to the graph first.

    Attributes
    ----------
    roots : list of Value
    done : list of Done
    schedule : Schedule
    memory : Memory
    instructions : list of Instruction
    """

    graph: Graph
    roots: list[Value]
    done: list[Done]
    schedule: Schedule
    memory: Memory
    instructions: list[Instruction]

    def __init__(self, program: Program, backend: str, passes: Collection[str]) -> None:
        self.graph = program.graph
        self.roots, self.done = optimise(self.graph, taken(program), passes, backend)
        order = self.graph.order(self.roots)
        self.graph.close()
        self.schedule = Schedule(self.roots, order)
        self.memory = Memory(self.schedule)
        self.instructions = instructions(self.schedule, self.memory)
        del self.schedule.readers, self.schedule.stage

    def told(self, v: Value) -> str:
        """Which stage a value belongs to."""
        return self.graph.origins.told(v.number)


def taken(program: Program) -> list[Value]:
    """The roots of a program, for whoever rewrites them: it keeps neither what they were nor the
    graph."""
    roots, program.roots, program.graph = program.roots, [], Graph()
    return roots


def instructions(schedule: Schedule, memory: Memory) -> list[Instruction]:
    """What is done, in order: ``("kernel", Kernel)``, ``("heavy", Value)``, ``("copy", Copy)``."""
    found: list[tuple[float, int, Instruction]] = []
    for i, (stage, kernel) in enumerate(schedule.kernels):
        found.append((stage, i, ("kernel", kernel)))
    for i, v in enumerate(schedule.order):
        if is_heavy(v):
            found.append((schedule.stage[v.number], i, ("heavy", v)))
    found += [(when, rank, ("copy", copy)) for when, rank, copy in memory.copies]
    return [instruction for _, _, instruction in sorted(found, key=lambda f: f[:2])]
