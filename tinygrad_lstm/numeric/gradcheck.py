"""gradcheck: the derivative rules against numbers that know no rule; gradgradcheck: the rules' own
derivatives.

A few hundred entries are looked at one by one, more of them along random directions first. At a
kink there is no derivative, whatever a rule says by convention: nothing is decided there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.engine.backward import gradients
from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.errors import ShapeError
from tinygrad_lstm.numeric.directions import Search
from tinygrad_lstm.numeric.entries import Entry, Judge, index
from tinygrad_lstm.numeric.outcome import GradCheck
from tinygrad_lstm.numeric.point import Point, dense
from tinygrad_lstm.numeric.rounding import check_tolerance
from tinygrad_lstm.ops.shape import concatenate
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Entry", "GradCheck", "gradcheck", "gradgradcheck", "numeric_gradients"]

EVERY_INPUT = (
    500  # up to so many entries of the inputs are looked at one by one, unless asked otherwise ..
)
EVERY_OUTPUT = 64  # .. and then up to so many of f's result have their own row of the Jacobian
ENOUGH = 20  # of wrong entries of one input, where not every one was asked for
COMPLEX_STEP = (
    "complex step",
    1e-9,
    "a complex step is exact to rounding",
)  # with the usual rtol, and why
DIFFERENCES = (
    "central differences with Richardson extrapolation",
    1e-6,
    "a difference is not exact: ten times its estimated error is added",
)


def gradcheck(
    f: Callable[..., Any], *tensors: Any, rtol: float | None = None, every: bool = False
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
    return _check("gradcheck", Point(f, tensors, "gradcheck"), rtol, every)


def gradgradcheck(
    f: Callable[..., Any], *tensors: Any, rtol: float | None = None, every: bool = False
) -> GradCheck:
    """Check the gradients of gradients of a function, as with ``create_graph=True``, by
    :func:`gradcheck`.

    What is checked is the function from the Tensors and g to the gradients by the Tensors, where g,
    with random fixed numbers, is what arrives at the result of f. A rule that leaves the tape gives
    the right gradient, and a wrong one of that.

    Parameters
    ----------
    f, *tensors, rtol, every
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

    def slopes(*values: Any) -> Any:
        *xs, g = values
        found = gradients(f(*xs), conjugated(g), create_graph=True)
        on_tape = [
            x * 0.0 for x in xs
        ]  # else a gradient that does not depend on them, rightly or not, could not be asked
        return concatenate(
            [
                (zero + conjugated(found[x]) if x in found else zero).reshape(-1)
                for x, zero in zip(xs, on_tape, strict=True)
            ]
        )

    names = [
        f"(d g·f / d {first.label(i)}{index(a.shape, j)})"
        for i, a in enumerate(first.arrays)
        for j in range(a.size)
    ]
    return _check(
        "gradgradcheck", Point(slopes, [*tensors, arriving], "gradgradcheck"), rtol, every, names
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


def _check(
    title: str, at: Point, rtol: float | None, every: bool, names: Sequence[str] = ()
) -> GradCheck:
    """The report on a function at a point. `names` are those of the result's entries, as opposed to
    f[0], f[1], ..."""
    method, usual, why = DIFFERENCES if at.obstacle else COMPLEX_STEP
    rtol = usual if rtol is None else rtol
    size = sum(a.size for a in at.arrays)
    every = every or size <= EVERY_INPUT or not at.y.size
    weights, sums = _weights(at.y.shape, every, names)
    judges = (Judge(at, weight, what, rtol) for weight, what in zip(weights, sums, strict=True))
    failures, search = (
        (_one_by_one(at, weights, judges), "") if every else _searched(at, next(judges))
    )
    failures.sort(key=lambda e: abs(e.tape - e.numeric) / max(e.tolerance, 1e-300), reverse=True)
    reason, tolerance = (
        at.obstacle or "every stage is analytic",
        f"{rtol:.0e} of the value ({why}), and what rounding does to it",
    )
    return GradCheck(title, method, reason, tolerance, size * len(weights), tuple(failures), search)


def _one_by_one(at: Point, weights: np.ndarray, judges: Iterable[Judge]) -> list[Entry]:
    """Every entry that is off, by each of the sums."""
    every = [np.arange(a.size) for a in at.arrays]
    numeric = [at.derivatives(i, entries, weights) for i, entries in enumerate(every)]
    return [
        e
        for k, judge in enumerate(judges)
        for i, n in enumerate(numeric)
        for e in judge.failures(i, every[i], n[:, k], n[0, k])
    ]


def _searched(at: Point, judge: Judge) -> tuple[list[Entry], str]:
    """The entries that are off, as far as random directions lead to them; and where that was."""
    failures: list[Entry] = []
    singly, stopped = [], []
    search = Search(at, judge.weight, judge.rtol)
    for i, a in enumerate(at.arrays):
        claims, off, looked = judge.claims(i), 0, 0
        for block in search.blocks(i, claims):
            found = judge.failures(
                i, block, at.derivatives(i, block, judge.weight[np.newaxis])[:, 0], claims
            )
            failures, off, looked = failures + found, off + len(found), looked + len(block)
            if off >= ENOUGH:
                stopped.append(at.label(i))
                break
        if looked:
            singly.append(
                f"{'all' if looked == a.size else f'{looked} of {a.size}'} entries of {at.label(i)}"
            )
    report = (
        f"{search.directions} random "
        f"directions{', then one by one ' * bool(singly)}{', '.join(singly)}"
    )
    return (
        failures,
        f"{report}; enough are off in {', '.join(stopped)}: every=True looks at all"
        if stopped
        else report,
    )


def _weights(
    shape: tuple[int, ...], every: bool, names: Sequence[str]
) -> tuple[np.ndarray, Sequence[str]]:
    """The weighted sums of f's entries that are differentiated, and what to call them."""
    size = math.prod(shape)
    if size <= (EVERY_OUTPUT if every else 1):
        return np.eye(size), names or [f"f{index(shape, i)}" for i in range(size)]
    return dense(np.random.default_rng(0), (1, size)), [
        f"(a weighted sum of {'the gradient' if names else 'f'})"
    ]
