"""A derivative by hand as a test of pytest."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.comparison.comparison import assert_gradients_match
from tinygrad_lstm.engine.backward import gradients

__all__ = ["derives"]

Function = Callable[[Mapping[str, np.ndarray], Mapping[str, np.ndarray]], Any]


def derives(
    key: str, loss: Callable[[], Any], hints: str | None = "where"
) -> Callable[[Function], Callable[[], None]]:
    """Make a test of a derivative by hand: a decorator for a function of values and derivatives.

    Parameters
    ----------
    key : str
        Which derivative the function returns: ``"c<2>"``, ``"c<2> via keep<3>"``, ``"W_f @ 2"``.
    loss : callable
        Makes the loss, without arguments.
    hints : str, optional
        How much a failure says, as for ``assert_gradients_match``.

    Returns
    -------
    callable
        A function without arguments, which fails where the derivative is wrong. Its own argument
        ``v`` had what forward computed, by name; ``d`` the derivatives of what was computed after
        the value, as the tape has them.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor
    >>> from tinygrad_lstm.exercises import derives
    >>> @derives("x", lambda: (Tensor(3.0, True, "x") ** 2).named("y"))
    ... def test_x(v, d):
    ...     return d["y"] * 2 * v["x"]
    >>> test_x()
    """

    def test_of(function: Function) -> Callable[[], None]:
        @functools.wraps(function)
        def test() -> None:
            root = loss()
            g, tape = gradients(root), root.tape
            own = g.part(key).value
            names = {str(tape.name(x)): x for x in tape.values}
            after = tape.reached(own)
            known = {
                name: np.array(g[x])
                for name, x in names.items()
                if id(x) in after and x is not own and (x is root or id(x) in tape.readers)
            }
            values = {name: np.array(x.numpy()) for name, x in names.items()}
            assert_gradients_match(root, {key: function(values, known)}, hints=hints)

        del test.__wrapped__  # pytest would look for fixtures v and d
        return test

    return test_of
