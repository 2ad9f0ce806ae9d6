"""Finding the stage that made the first NaN or infinity, forward or backward."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.program import line
from tinygrad_lstm.engine.state import detector, watching
from tinygrad_lstm.errors import AnomalyError

__all__ = ["detect_anomaly"]

KINDS = ("a finite value", "an infinity", "a NaN")


class detect_anomaly:
    """Raise at the first stage that makes a value which is not finite, in forward or in backward.

    A stage is named if it makes an infinity from finite numbers, or a NaN from what held none: with
    its block, the names of what it read, and the line of your own program that called it. (For a
    stage that was recorded before, the line is not known.) NumPy's warnings are off meanwhile,
    since this error says more. It holds for this thread, and costs nothing where it is not used.

    Raises
    ------
    AnomalyError
        Inside the ``with`` block.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, detect_anomaly, log
    >>> x = Tensor([1.0, 0.0], requires_grad=True, name="x")
    >>> with detect_anomaly():  # doctest: +ELLIPSIS
    ...     log(x)
    Traceback (most recent call last):
    ...
    tinygrad_lstm.errors.AnomalyError: stage log: forward makes an infinity, at [1]: got x = 0.0...
    """

    def __init__(self) -> None:
        self._lines: dict[
            int, str
        ] = {}  # where the living stages were called, by the id of their output
        self._in_rule = False
        self._before: list[
            tuple[Any, np.errstate]
        ] = []  # a stack, so that one object can be entered more than once

    def __enter__(self) -> detect_anomaly:
        warnings = np.errstate(all="ignore")
        warnings.__enter__()
        self._before.append((detector(), warnings))
        watching[threading.get_ident()] = self
        return self

    def __exit__(self, *error: object) -> None:
        outer, warnings = self._before.pop()
        warnings.__exit__(None, None, None)
        if outer is None:
            del watching[threading.get_ident()]
        else:
            watching[threading.get_ident()] = outer

    def compute(
        self, op: Any, inputs: tuple[Any, ...], values: tuple[Any, ...], params: dict[str, Any]
    ) -> tuple[tuple[Any, ...], np.ndarray]:
        """What a stage reads, and what it computes from it."""
        return values, np.asarray(op.forward(*values, **params))

    def looked(self, node: Any) -> np.ndarray:
        """The numbers of a value, for somebody who looks at them."""
        return node._array  # type: ignore[no-any-return]

    def drawn(self, draw: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Random numbers."""
        return draw(*args)

    def forward(self, output: Any, op: Any, inputs: tuple[Any, ...], values: Any) -> None:
        """Look at what a stage computed."""
        if output._op is not None:
            self._lines[id(output)] = line()
            weakref.finalize(output, self._lines.pop, id(output), None)
        if not self._in_rule and _kind(output) > max(map(_kind, values), default=0):
            names = op.arguments or [str(i) for i in range(len(values))]
            raise _anomaly(
                "forward",
                op,
                output._place.block,
                None,
                output,
                list(zip(names, inputs, values, strict=False)),
                line(),
            )

    def added(self, node: Any, total: Any, contribution: Any) -> None:
        """Look at the sum at a fork, after one more branch has been added."""
        if _kind(total) > _kind(contribution):
            where = self._lines.get(id(node), "a line not known")
            raise _anomaly(
                "backward, the sum at a fork,",
                node._op,
                node._place.block,
                node.name,
                total,
                [("the last branch", None, contribution)],
                where,
            )

    def sent(self, node: Any, argument: int, g: Any, run: Callable[[], Any]) -> Any:
        """What a stage sends back to one of its arguments, which `run` computes, after a look at
        it."""
        before, self._in_rule = self._in_rule, True
        try:
            contribution = run()
        finally:
            self._in_rule = before
        if _kind(contribution) > max(map(_kind, (g, node, *node._values))):
            names = node._op.arguments or [str(i) for i in range(len(node._values))]
            read = [("gradient", None, g), *zip(names, node._inputs, node._values, strict=False)]
            where = self._lines.get(
                id(node), "a line not known, since it was recorded outside detect_anomaly"
            )
            raise _anomaly(
                f"backward, rule {node._op.rules[argument].__name__},",
                node._op,
                node._place.block,
                node.name,
                contribution,
                read,
                where,
            )
        return contribution


def _kind(value: Any) -> int:
    """How far from finite a value is: an index of `KINDS`."""
    array = np.asarray(array_of(value))
    if array.dtype.kind not in "fc" or np.isfinite(array).all():
        return 0
    return 2 if np.isnan(array).any() else 1


def _anomaly(
    phase: str,
    op: Any,
    block: int | None,
    name: str | None,
    made: Any,
    read: list[tuple[str, Any, Any]],
    called: str,
) -> AnomalyError:
    where = (
        (name or "a leaf")
        if op is None
        else f"stage {op.name}"
        if name is None
        else f"stage {name} = {op.name}"
    )
    array = np.asarray(array_of(made))
    kind = _kind(array)
    at = tuple(
        int(i) for i in np.argwhere(np.isnan(array) if kind == 2 else ~np.isfinite(array))[0]
    )
    got = ", ".join(
        f"{getattr(x, 'name', None) or argument} = {_entry(value, at, array.shape)}"
        for argument, x, value in read
    )
    place = f", at [{', '.join(map(str, at))}]" if at else ""
    return AnomalyError(
        f"{phase} makes {KINDS[kind]}{place}",
        where=where if block is None else f"{where} in block {block}",
        got=got,
        do=f"called at {called}",
    )


def _entry(value: Any, at: tuple[int, ...], shape: tuple[int, ...]) -> str:
    """The entry of an input that met the bad entry of the result, where entries meet one by one;
    else the range."""
    array = np.asarray(array_of(value))
    if array.size == 1:
        return str(array.item())
    try:
        return str(np.broadcast_to(array, shape)[at])
    except ValueError:
        return (
            f"{array.shape} from {np.min(array)} to {np.max(array)}"
            if array.size
            else str(array.shape)
        )
