"""gradcheck: the derivative rules against numbers that know no rule; gradgradcheck: the rules' own
derivatives.

At a kink there is no derivative, whatever a rule says by convention: nothing is decided there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.numeric.check import Check
from tinygrad_lstm.numeric.entries import Entry, index
from tinygrad_lstm.numeric.outcome import GradCheck
from tinygrad_lstm.numeric.point import Point, dense
from tinygrad_lstm.numeric.rounding import check_tolerance
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Entry", "GradCheck", "gradcheck", "gradgradcheck", "numeric_gradients"]


def gradcheck(
    f: Callable[..., Any],
    *tensors: Any,
    rtol: float | None = None,
    every: bool = False,
    executor: Any = None,
) -> GradCheck:
    """Check the derivatives of a function by backward against numeric ones, in float64.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor, of any shape; the same one each time.
    *tensors : Tensor
        Where to check. Copies in float64 are used; these Tensors are not touched.
    rtol : float, optional
        How far apart two derivatives may be, relative to their size. By default 1e-9 for the
        complex step, and 1e-6 for differences. What rounding does to the value, and the estimated
        error of a difference, are added.
    every : bool, default False
        Look at every entry by itself, however many there are. By default so it is up to 500 entries
        in all; of a result of up to 64 entries the whole Jacobian is checked, of a larger one a
        random weighted sum. More than 500 entries move together along random directions, by a
        weighted sum of the result; where backward does not agree along one, and where it cannot be
        seen whether it does, the search goes down to single entries. It ends at 20 wrong ones of a
        Tensor.
    executor : None, "threads", "processes", Executor or distributed.Client
        Who looks at the entries, some at a time; where there are more than 500, each has the search
        in one Tensor. See :func:`spread`. What is found is the same.

    Returns
    -------
    GradCheck
        True if all agree. As text it names the worst entries, both values, the tolerance and its
        reasons. Where the numeric derivative cannot be trusted, and at a kink, which has none, an
        entry is undecided, and does not count as agreeing. So it is where rounding hides it from
        differences, unless it is below 1e-7 of the largest by the same Tensor.

    Raises
    ------
    DtypeError
        If there are no Tensors or not of real floating-point numbers, if f returns none, or one not
        computed in float64.
    GradientError, DataError
        If f is not deterministic, depends on none of the Tensors, or is not finite; if `rtol` is
        not a tolerance.

    Notes
    -----
    Along a direction one wrong entry cannot hide: the direction has no small component, and it only
    counts if it is exact enough to show one entry that is off by `rtol` (where there are
    differences: by 1e-5, or where backward claims 0, by 1e-8 of f over its input).
    Several wrong ones go unnoticed only if their errors cancel in two random directions. A
    difference knows nothing of an oscillation much faster than its smallest step, 1e-9 of an input.
    Where f barely changes, its steps are larger, up to 1e20 times the input; a derivative that not
    even they show cannot be told from 0.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradcheck, tanh
    >>> report = gradcheck(lambda x: tanh(x * x), Tensor([0.5, -2.0]))
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
    gradcheck: 4 derivatives, all agree
    numeric: complex step, since every stage is analytic
    tolerance: 1e-09 of the value (a complex step is exact to rounding), and what rounding does to
    it
    """
    check_tolerance("gradcheck", rtol)
    return Check("gradcheck", f, tensors, rtol, every).report(executor)


def gradgradcheck(
    f: Callable[..., Any],
    *tensors: Any,
    rtol: float | None = None,
    every: bool = False,
    executor: Any = None,
) -> GradCheck:
    """Check the gradients of gradients of a function, as with ``create_graph=True``, by
    :func:`gradcheck`.

    What is checked is the function from the Tensors and g to the gradients by the Tensors, where g,
    with random fixed numbers, is what arrives at the result of f. A rule that leaves the tape gives
    the right gradient, and a wrong one of that.

    Parameters
    ----------
    f, *tensors, rtol, every, executor
        As for :func:`gradcheck`.

    Returns
    -------
    GradCheck
        As by :func:`gradcheck`. An entry is called ``d (d g·f / d x[0]) / d y[2]``, the derivative
        by `y` of the gradient by `x`; with ``/ d g[2]`` it is by what arrives.

    Raises
    ------
    DtypeError, GradientError, DataError
        As by :func:`gradcheck`.

    Notes
    -----
    A rule that is wrong, but differentiated rightly, agrees with itself: that is what
    :func:`gradcheck` is for.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradgradcheck, tanh
    >>> report = gradgradcheck(lambda x: tanh(x * x), Tensor([0.5, -2.0]))
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
    gradgradcheck: 8 derivatives, all agree
    numeric: complex step, since every stage is analytic
    tolerance: 1e-09 of the value (a complex step is exact to rounding), and what rounding does to
    it
    """
    check_tolerance("gradgradcheck", rtol)
    first = Point(f, tensors, "gradgradcheck")
    arriving = Tensor(dense(np.random.default_rng(2), first.y.shape), name="g")

    names = [
        f"(d g·f / d {first.label(i)}{index(a.shape, j)})"
        for i, a in enumerate(first.arrays)
        for j in range(a.size)
    ]
    check = Check("gradgradcheck", Slopes(f), [*tensors, arriving], rtol, every, names)
    return check.report(executor)


class Slopes:
    """The gradients of a function, as a function of its arguments and of what arrives.

    Parameters
    ----------
    f : callable
        The function.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        self.f = f

    def __call__(self, *values: Any) -> Any:
        *xs, g = values
        found = gradients(self.f(*xs), conjugated(g), create_graph=True)
        on_tape = [
            x * 0.0 for x in xs
        ]  # else a gradient that does not depend on them, rightly or not, could not be asked
        return concatenate(
            [
                (zero + conjugated(found[x]) if x in found else zero).reshape(-1)
                for x, zero in zip(xs, on_tape, strict=True)
            ]
        )


def numeric_gradients(f: Callable[..., Any], *tensors: Any) -> list[np.ndarray]:
    """The derivatives of a scalar function by every entry of its arguments, from its values alone.

    Parameters
    ----------
    f : callable
        Takes Tensors and returns a Tensor with one entry. It runs under ``no_grad``.
    *tensors : Tensor
        Where. They are not touched.

    Returns
    -------
    list of float64 ndarray
        For each Tensor, of its shape.

    Raises
    ------
    ShapeError
        If the result is no scalar. The other errors are those of :func:`gradcheck`.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor
    >>> numeric_gradients(lambda x: (x * x).sum(), Tensor([1.0, -3.0]))
    [array([ 2., -6.])]
    """
    at = Point(f, tensors, "numeric_gradients", record=False)
    if at.y.size != 1:
        raise ShapeError(
            "only a scalar function has a gradient",
            where="numeric_gradients",
            expected="one entry",
            got=at.y.shape,
        )
    return [
        at.derivatives(i, np.arange(a.size), np.ones((1, 1)))[0, 0].reshape(a.shape)
        for i, a in enumerate(at.arrays)
    ]
