"""Checkpoints: a part of the graph that is computed again in backward instead of being kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import reverse
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import operation
from tinygrad_lstm.engine.recorder import no_grad, recording
from tinygrad_lstm.engine.state import detector, next_order, recorder, watching
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.errors import DtypeError, GradientError
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Part", "checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """Let `f` be one stage on the tape, which keeps nothing but what it read and runs `f` again in
    backward.

    A sequence cut into parts that are checkpoints needs memory for the longest part, not for all of
    it, and pays with a second forward pass.

    Parameters
    ----------
    f : callable
        A function that returns one Tensor. What it reads and requires gradients becomes an input of
        the stage: the Tensors among its arguments, and those that it finds elsewhere, such as the
        parameters of a model.

    Returns
    -------
    callable
        Takes the arguments of `f` and returns its value.

    Raises
    ------
    GradientError
        In backward, if `f` computes another value than the first time: because it draws random
        numbers, or because something that it reads was changed.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, checkpoint, tanh
    >>> W, x = Tensor(2.0, requires_grad=True, name="W"), Tensor(0.0, requires_grad=True, name="x")
    >>> y = checkpoint(lambda x: tanh(W * x) * W)(x)
    >>> [(stage.op, [v.name for v in stage.inputs]) for stage in y.tape]
    [('checkpoint', ['W', 'x'])]
    >>> y.backward()
    >>> x.grad
    array(4.)
    """

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not recorder().enabled:
            return f(*args, **kwargs)
        plain = getattr(detector(), "plain", None) if watching else None
        if plain is not None:  # a program is recorded, and plans its memory itself
            return plain(functools.partial(f, *args, **kwargs))
        part = Part(
            functools.partial(f, *args, **kwargs),
            {x for x in (*args, *kwargs.values()) if isinstance(x, Tensor)},
        )
        value, nodes = part.run()
        if not nodes:
            return value
        part.inputs = _read(nodes)
        values = tuple(x._kept() for x in part.inputs)
        return value._computed(value._array, segment.op, part.inputs, values, {"part": part})

    return call


class Part:
    """A function with its arguments, ready to run again.

    Parameters
    ----------
    f : callable
        Without arguments.
    args : set of Tensor
        Its arguments, where the walk back over what it recorded can end at once.

    Attributes
    ----------
    inputs : tuple of Tensor
        What it reads that requires gradients, by the argument position of the stage.
    """

    inputs: tuple[Any, ...] = ()
    f: Callable[[], Any]

    def __init__(self, f: Callable[[], Any], args: set[Any]) -> None:
        self.f, self._args = f, args
        self._found: tuple[Any, dict[Any, Any]] | None = None

    def run(self) -> tuple[Any, list[Node]]:
        """The value of `f`, recorded, and the stages that `f` ran."""
        start = next_order()
        with recording(True):
            value = self.f()
        if not isinstance(value, Tensor):
            raise DtypeError(
                "a checkpoint returns one Tensor",
                where="checkpoint",
                got=type(value).__name__,
                do="stack or concatenate several",
            )
        return value, [node for node in ancestors(value, self._args) if node._order > start]

    def again(self, y: Any) -> tuple[Any, list[Node]]:
        """As :meth:`run`, where the value was `y` the first time.

        Raises
        ------
        GradientError
            If it is another one now.
        """
        with np.errstate(all="ignore"):  # NumPy has warned the first time
            value, nodes = self.run()
        if not _same(value, y):
            raise GradientError(
                "the function computes another value than the first time",
                where="checkpoint",
                expected="the same value",
                do="let a random generator start from a seed inside the function",
            )
        return value, nodes

    def gradient(self, g: Any, y: Any, argument: int) -> Any:
        """The derivative by one of the inputs. They are asked for one by one, from the last to the
        first, and `f` runs once."""
        if self._found is None or self._found[0] is not g:
            value, nodes = self.again(y)
            self._found = g, reverse(nodes, value, g)
        x, totals = self.inputs[argument], self._found[1]
        if argument == 0:
            self._found = None
        return totals[x] if x in totals else np.zeros_like(x._array)


@operation(name="checkpoint")
def segment(*inputs: Any, part: Part) -> Any:
    with no_grad():
        return part.f()._array


@segment.rule
def checkpoint_i(g: Any, y: Any, inputs: tuple[Any, ...], argument: int, part: Part) -> Any:
    return part.gradient(g, y, argument)


def _read(nodes: list[Node]) -> tuple[Any, ...]:
    """What stages read that none of them computed, and that requires gradients; each once, in the
    order of first use."""
    inside = set(nodes)
    return tuple(
        dict.fromkeys(
            x
            for node in nodes
            for x in node._inputs
            if isinstance(x, Node) and x._requires_grad and x not in inside
        )
    )


def _same(again: Any, y: Any) -> bool:
    a, b = again._array, array_of(y)
    tolerance = float(
        np.sqrt(np.finfo(a.dtype).eps)
    )  # far below a random draw, far above another order of summation
    return a.shape == b.shape and bool(
        np.allclose(
            a,
            b,
            rtol=tolerance,
            atol=tolerance * np.max(np.abs(b), initial=0.0, where=np.isfinite(b)),
            equal_nan=True,
        )
    )
