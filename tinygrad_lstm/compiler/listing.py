"""What there is to say of a program when its values have gone."""

from __future__ import annotations

from collections import Counter

from tinygrad_lstm.compiler.flow import Flow, Row, flow, rows
from tinygrad_lstm.compiler.graph import Value
from tinygrad_lstm.compiler.passes.optimise import Done
from tinygrad_lstm.compiler.planned import Planned
from tinygrad_lstm.compiler.trace import Program

__all__ = ["Listing"]


class Listing:
    """What `report` prints of a program, and ``draw(plan)`` draws.

    Parameters
    ----------
    program : Program
    planned : Planned

    Attributes
    ----------
    stages : int
    calls : list of str
        As of `Program`.
    counts : Counter
        How many instructions of each kind there are.
    done : list of Done
        What each pass has left.
    inputs, constants : list of str
        What is read at each call, and what was there when it was recorded.
    rows : dict
        The first and the last instructions, by their place.
    flow : Flow
        What flows between them.
    """

    stages: int
    calls: list[str]
    inputs: list[str]
    constants: list[str]
    counts: Counter[str]
    done: list[Done]
    rows: dict[int, Row]
    flow: Flow

    def __init__(self, program: Program, planned: Planned) -> None:
        order = planned.schedule.order
        self.stages, self.calls = program.stages, program.calls
        inputs = {v: _called(program, planned, v) for v in order if v.op == "input"}
        self.counts = Counter(
            what.op if kind == "heavy" else kind for kind, what in planned.instructions
        )
        self.done = planned.done
        self.inputs = [f"{name} {v.shape}" for v, name in inputs.items()]
        self.constants = [
            f"an array {v.shape} {v.dtype.type.__name__}" for v in order if v.op == "constant"
        ]
        self.rows = rows(planned)
        self.flow = flow(planned, self.rows, inputs)


def _called(program: Program, planned: Planned, v: Value) -> str:
    source = program.inputs[v.number]
    return f"argument {source + 1}" if isinstance(source, int) else planned.told(v)
