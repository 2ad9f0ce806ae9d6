"""Values that leave the tape: a recorded value becomes plain numbers, through which no gradient
comes back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.program import line, user_frame
from tinygrad_lstm.engine.state import Setting, State, recorder
from tinygrad_lstm.errors import GradientError

__all__ = ["watched", "went"]

MEANT = "x.detach(), or x.item() for a number, says that it is meant"


class watched(Setting):
    """Run the function of a transform, and keep what leaves the tape meanwhile.

    Parameters
    ----------
    inputs : sequence of Node
        The arguments of the function.
    """

    inputs: Sequence[Node]

    def __init__(self, inputs: Sequence[Node]) -> None:
        self.inputs, self.outer = inputs, recorder().left
        self.gone: list[tuple[Node, str]] = []

    def change(self, state: State) -> None:
        state.left = self

    def check(self, y: Node, where: str) -> None:
        """Raise if an argument of the function has no recorded path to the result `y`, and what was
        computed from it became plain numbers."""
        if not self.gone:
            return
        seen: set[Node] = set()
        _reach(y, seen)
        apart = [x for x in self.inputs if x not in seen]
        for value, how in self.gone if apart else ():
            _reach(value, seen)
            if any(x in seen for x in apart):
                raise GradientError(
                    f"a value became plain numbers in {how}, so its gradient is lost",
                    where=where,
                    expected="a result that is recorded from each argument",
                    do="use this package's or NumPy's functions on Tensors; x.detach() says that "
                    "no gradient is wanted",
                )


def _reach(value: Node, seen: set[Node]) -> None:
    """Add what `value` was computed from, and itself."""
    todo = [value]
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            if node._op is not None:
                todo += [x for x in node._inputs if isinstance(x, Node)]


def went(x: Node, how: str, aloud: bool = False) -> None:
    """Note that `x` becomes plain numbers in `how`.

    Inside a transform, that is kept for it. Outside of transforms it is a warning, once per place,
    if `aloud` (the user did not say that it is meant) and no backward pass went through `x` before.
    """
    if not x._requires_grad or not recorder().enabled or x.symbolic:
        return  # what a rule does to a symbol is seen from the formula that it leaves
    watch = recorder().left
    if watch is None:
        if aloud and (x._op is None or not x._spent):
            _warn(how)
        return
    place = f"{how} at {line()}"
    while watch is not None:
        watch.gone.append((x, place))
        watch = watch.outer


def _warn(how: str) -> None:
    """A warning at the user's line, which Python shows once per place unless told otherwise."""
    frame = user_frame()
    if frame is None:
        return
    names = frame.f_globals
    warnings.warn_explicit(
        f"a recorded value becomes plain numbers in {how}, so its gradient is lost; {MEANT}",
        UserWarning,
        frame.f_code.co_filename,
        frame.f_lineno,
        names.get("__name__", "<unknown>"),
        names.setdefault("__warningregistry__", {}),
    )
