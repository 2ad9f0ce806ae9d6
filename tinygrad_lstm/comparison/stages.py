"""The stages of the search further up: which mistakes are tried where, in their order."""

from __future__ import annotations

from collections.abc import Sequence

from tinygrad_lstm.comparison.changes import FAR, NEAR, REST, SIMPLE, VALUES
from tinygrad_lstm.comparison.steps import LINE, MET, RULE, SUM, TERMS
from tinygrad_lstm.comparison.sums import OTHER, TAKEN, WHOLE
from tinygrad_lstm.comparison.terms import EACH

__all__ = ["CALLED", "CHEAP", "LAST", "LONG", "PLAIN", "SPOILING", "STAGES", "Stage"]

# Places: in which right rows would change too; in several calls of a function; all others.
SPOILING, CALLED, PLAIN = "spoiling", "called", "plain"

Stage = tuple[int, Sequence[str], str]  # how formulas are written, sorts of mistakes, and where

LONG = (*SIMPLE, "call", "derived", "brackets", "numbers")  # tried in long formulas first
LAST = ((SUM, OTHER), (MET, (*NEAR, *FAR)), (LINE, (*NEAR, *FAR)), (RULE, FAR))
LINES = ((SUM, WHOLE), (TERMS, EACH), (MET, LONG), (LINE, LONG), (RULE, SIMPLE))
CHEAP = ((RULE, REST), (SUM, TAKEN), (RULE, VALUES), *LINES)
STAGES: tuple[Stage, ...] = tuple(  # the last one first
    (*stage, where)
    for where, stages in (
        *((SPOILING, LAST), (SPOILING, CHEAP), (CALLED, LAST[1:2])),
        *((PLAIN, LAST), (CALLED, LINES), (PLAIN, CHEAP)),
    )
    for stage in stages
)
