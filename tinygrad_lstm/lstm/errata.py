"""The document's errata that change a number: where each stands, what is printed, what is correct,
and the printed formula.

An erratum is another right-hand side for a value of :mod:`tinygrad_lstm.by_hand`, so the derivation
there holds none of them. ``l.9`` counts the lines of the document.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from tinygrad_lstm.engine.names import at_block
from tinygrad_lstm.errors import DtypeError, UnknownNameError

__all__ = ["ERRATA", "KINDS", "MAIN", "Erratum", "Values", "chosen", "formulas"]

# Of the values found so far, and the correct value, to what is printed.
Formula = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Erratum:
    """One erratum.

    Attributes
    ----------
    name : str
        Its number, such as ``"E1"``.
    where : str
        The lines of the document.
    printed, correct : str
        The formula there, and the right one.
    kind : str
        One of :data:`KINDS`.
    first : str
        The first quantity that is wrong, in the order of backward, where T blocks have a loss.
    formulas : mapping of str to callable
        The printed right-hand sides, by the name of the value in the derivation.
    blocks : int
        The least T at which it changes a number.
    """

    name: str
    where: str
    printed: str
    correct: str
    kind: str
    first: str
    formulas: Mapping[str, Formula]
    blocks: int = 1

    def first_wrong(self, blocks: int) -> str:
        """The first wrong quantity for this many blocks, by its name on the tape."""
        return at_block(self.first, blocks)


class Values(SimpleNamespace):
    """Values found one after another. One that the document prints otherwise becomes what is
    printed."""

    def __setattr__(self, name: str, value: Any) -> None:
        for formula in self.printed.get(name, ()):
            value = formula(self, value)
        super().__setattr__(name, value)


def chosen(as_printed: bool | str | Iterable[str]) -> tuple[Erratum, ...]:
    """The errata asked for: the two of the main formula for True, none for False, else those
    named."""
    if isinstance(as_printed, (bool, np.bool_)):
        as_printed = MAIN if as_printed else ()
    if not isinstance(as_printed, Iterable):
        raise DtypeError(
            "this names no errata",
            where="as_printed",
            expected="a bool, a name or several names",
            got=type(as_printed).__name__,
        )
    names = [as_printed] if isinstance(as_printed, str) else list(as_printed)
    for name in names:
        if name not in list(ERRATA):  # a list, since what is no name may not have a hash
            near = difflib.get_close_matches(str(name).upper(), ERRATA, n=1, cutoff=0)
            expected = f"one of {', '.join(ERRATA)}"
            raise UnknownNameError(
                "there is no such erratum",
                where="as_printed",
                expected=expected,
                got=repr(name),
                do=f"the nearest is {near[0]}",
            )
    return tuple(erratum for erratum in ERRATA.values() if erratum.name in names)


def formulas(errata: Iterable[Erratum]) -> dict[str, list[Formula]]:
    """The printed formulas by value; of two for the same value the later erratum's stands."""
    found: dict[str, list[Formula]] = {}
    for erratum in errata:
        for value, formula in erratum.formulas.items():
            found.setdefault(value, []).append(formula)
    return found


# The printed formulas. `v` has the values of one block, `v.p` the parameters, `v.later` the values
# of the next block.


def _dot(v: Any, right: np.ndarray) -> np.ndarray:
    """The scalar product of each row of the batch, for every unit: the scalar of numpy.dot where
    there is one row."""
    return np.broadcast_to(right.sum(axis=1, keepdims=True), right.shape)


def _zero(v: Any, right: np.ndarray) -> np.ndarray:
    return np.zeros_like(right)


def _row_of_the_first_block(v: Any, right: np.ndarray) -> np.ndarray:
    """The third row of l.160: no fork of c, and the derivative of the next block's c in place of
    c<0>."""
    if not v.t == 1 < v.T:
        return right
    return (v.down_c * v.later.Γ_f * v.Γ_f * (1 - v.Γ_f)).T @ v.z  # type: ignore[no-any-return]


def _rows_of_W_o(v: Any, right: np.ndarray) -> np.ndarray:
    """Rows 2 and 3 of l.311-315: a gate of t-1 does not depend on a sum of t; the third has the
    factors of the second."""
    if v.t == v.T - 1:
        return np.zeros_like(right)
    if v.t == v.T - 2:
        w = v.later
        return ((v.by_error + w.by_error) * w.tanh_c * w.Γ_o * (1 - w.Γ_o)).T @ w.z  # type: ignore[no-any-return]
    return right


KINDS = ERROR, COPY, SCAN, LOOSE = (
    "error of the document",
    "slip in copying",
    "damage in scanning",
    "harmless if read kindly",
)
MAIN = ("E1", "E6")  # what makes the document's main formula, read literally, depart from the truth
ERRATA = {
    erratum.name: erratum
    for erratum in (
        Erratum(
            "E1",
            "l.239-250, 261, 366, 378-397",
            "δc<t> = δa<t> * ∂a<t>/∂c<t> + Γ_f<t+1>",
            "δc<t> = δa<t> * ∂a<t>/∂c<t> + δc<t+1> * Γ_f<t+1>",
            ERROR,
            "c<T-1> via keep<T>",
            {"before_c": lambda v, right: v.Γ_f if v.t > 1 else right},
            2,
        ),
        Erratum(
            "E2",
            "l.160",
            "row 3 of dError/dW_f: (δa<1> * ∂a<1>/∂c<1>) * (∂c<2>/∂c<1> * ..)",
            "(δa<1> * ∂a<1>/∂c<1> + δc<2> * ∂c<2>/∂c<1>) * (∂c<1>/∂Γ_f<1> * ..)",
            SCAN,
            "W_f via sum_f<1>",
            {"ΔW_f": _row_of_the_first_block},
            2,
        ),
        Erratum(
            "E3",
            "l.380, 405-419, 446, 476",
            "∂sum_o/∂a<t-1> in the path of Γ_f",
            "∂sum_f/∂a<t-1>",
            COPY,
            "z<T> via sum_f<T>",
            {"Δz_f": lambda v, right: v.Δsum_f @ v.p.W_o},
        ),
        Erratum(
            "E4",
            "l.446-452",
            "dError/da<t-1> by Γ_f, Γ_c, Γ_c, and δa * ∂a/∂c * ∂Γ_c/∂sum_c",
            "by Γ_f, Γ_u, c~, and δa * ∂a/∂Γ_o * ∂Γ_o/∂sum_o",
            SCAN,
            "z<T> via sum_o<T>",
            {
                "Δz_u": lambda v, right: v.Δsum_c @ v.p.W_c,
                "Δz_o": lambda v, right: (v.down_c * (1 - v.candidate**2)) @ v.p.W_c,
            },
        ),
        Erratum(
            "E5",
            "l.339",
            "(target<t> − a<t>) + ..",
            "−(target<t> − a<t>) + ..",
            SCAN,
            "a<T> via Error<T>",
            {"by_error": lambda v, right: v.m * (v.target - v.a)},
        ),
        Erratum(
            "E6",
            "l.440, 462",
            "dError/dc<0> = ∂c<1>/∂c<0> = Γ_f<1>",
            "dError/dc<0> = δc<1> * Γ_f<1>",
            ERROR,
            "c<0> via keep<1>",
            {"before_c": lambda v, right: v.Γ_f if v.t == 1 else right},
        ),
        Erratum(
            "E10",
            "l.51, 63",
            "c<t-1> · Γ_f<t> and Γ_u<t> · c~<t>, dot products: a scalar for each row",
            "c<t-1> * Γ_f<t> and Γ_u<t> * c~<t>, elementwise",
            ERROR,
            "a<T> via Error<T>",
            {"keep": _dot, "write": _dot},
        ),
        Erratum(
            "E13",
            "l.250, 301",
            "δa<t> + ∂a<t>/∂c<t>",
            "δa<t> * ∂a<t>/∂c<t>",
            SCAN,
            "c<T> via tanh_c<T>",
            {"down_c": lambda v, right: v.Δa + v.Γ_o * (1 - v.tanh_c**2)},
        ),
        Erratum(
            "E14",
            "l.454",
            "every block except the first: no dError/da<0>, dError/dc<0>",
            "the first too: δz<1>[:, :H], δc<1> * Γ_f<1>",
            ERROR,
            "a<0> via z<1>",
            {
                "before_a": lambda v, right: right * (v.t > 1),
                "before_c": lambda v, right: right * (v.t > 1),
            },
        ),
        Erratum(
            "E19",
            "l.301",
            "dError/da<t-1> by Γ_f alone (the rest cannot be read)",
            "by Γ_f, Γ_u, c~ and Γ_o",
            SCAN,
            "z<T> via sum_o<T>",
            {"Δz_u": _zero, "Δz_c": _zero, "Δz_o": _zero},
        ),
        Erratum(
            "E20",
            "l.311-315",
            "rows 2, 3 of dError/dW_o: ∂Γ_o<t-1>/∂sum_o<t>; ∂Error<t-1>/∂a<t-1>, factors of t-1",
            "∂Γ_o<t-1>/∂sum_o<t-1>; ∂Error<t-1>/∂a<t-2>, factors of t-2",
            SCAN,
            "W_o via sum_o<T-1>",
            {"ΔW_o": _rows_of_W_o},
            2,
        ),
        Erratum(
            "E22",
            "l.275",
            "∂c~<t>/∂sum_f<t>, which is 0",
            "∂c~<t>/∂sum_c<t> = 1 − c~<t>²",
            COPY,
            "sum_c<T>",
            {"Δsum_c": _zero},
        ),
        Erratum(
            "E24",
            "l.354, 378-397",
            "dError/dW_f and db_f: the row of block T alone",
            "the sum of the rows of all blocks",
            LOOSE,
            "W_f",
            {"W_f": lambda v, right: v.blocks[-1].ΔW_f, "b_f": lambda v, right: v.blocks[-1].Δb_f},
            2,
        ),
    )
}
