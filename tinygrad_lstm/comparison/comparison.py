"""compare: what somebody derived by hand beside what backward found, one row a quantity, in the
order of backward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from tinygrad_lstm.comparison.blame import locate
from tinygrad_lstm.comparison.diagnosis import Diagnosis, diagnose
from tinygrad_lstm.comparison.hints import level_of, told
from tinygrad_lstm.comparison.report import Report
from tinygrad_lstm.comparison.rows import Entry, Judge, Row, entries
from tinygrad_lstm.comparison.work import Work
from tinygrad_lstm.engine.backward import Gradients, gradients
from tinygrad_lstm.engine.names import Key
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DataError, DtypeError
from tinygrad_lstm.numeric.rounding import check_tolerance
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Comparison", "Row", "assert_gradients_match", "compare"]


@dataclass(frozen=True)
class Comparison:
    """What :func:`compare` found. It is true if everything is right, and prints as a table
    then; else as what to look at, and the rows that are wrong.

    Attributes
    ----------
    root : str
        The name of the value that was differentiated.
    rows : tuple of Row
        In the order in which backward runs: from the root to the parameters, the branches of a
        value before their sum. What is ``missing`` comes last.
    tape : Tape or None
        The tape that was compared with.
    """

    root: str
    rows: tuple[Row, ...]
    _diagnose: Callable[[], tuple[Diagnosis, ...]] = field(default=tuple, repr=False, compare=False)
    tape: Tape | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether at least one row is right and none fails."""
        return all(row.ok for row in self.rows) and any(row.verdict == "right" for row in self.rows)

    @property
    def first(self) -> Row | None:
        """The first row that is wrong by itself: the one formula to look at. None where there is
        none."""
        return next((row for row in self.rows if row.own), None)

    @cached_property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What is wrong with each row that is wrong by itself, in the order of the rows. Searched
        when it is asked for."""
        return self._diagnose()

    @property
    def exit_status(self) -> int:
        """What a program ends with: 0 if everything is right, 1 if not."""
        return 0 if self.ok else 1

    def __bool__(self) -> bool:
        return self.ok

    @property
    def table(self) -> str:
        """The table of all rows, as text. What is printed has those that are wrong, unless
        everything is right."""
        return Report(self.root, self.rows, ()).table()

    @cached_property
    def _report(self) -> Report:
        return Report(self.root, self.rows, self.diagnoses)

    def __str__(self) -> str:
        return self._report.text()

    def text(self) -> str:
        """What is printed, with the table of all rows."""
        return self._report.text(whole=True)

    def hints(self, level: int | str = 1) -> str:
        """What is wrong, told in steps, so that a student can find the rest.

        Parameters
        ----------
        level : int or str, default 1
            1 or ``"where"``: which rows are wrong by themselves. 2 or ``"kind"``: which kind of
            mistake it is, too. 3 or ``"rule"``: who reads the value, and what its derivative is
            made of. 4 or ``"solution"``: the formulas, as in the report.

        Raises
        ------
        DataError
            If there is no such level.
        """
        number = level_of(level, "hints")
        diagnoses = self.diagnoses if number > 1 else ()
        return told(self.rows, diagnoses, self.tape, self.root, number)

    def markdown(self) -> str:
        """The report in Markdown: what to look at, and the table of all rows."""
        return self._report.markdown()

    def json(self) -> str:
        """The report as JSON.

        Returns
        -------
        str
            An object with ``root``; ``ok``; ``first``, a name or null; ``rows``, each with the
            attributes of ``Row``, where a key is its text and an infinite error the string
            ``"inf"``; and ``diagnoses``, each with those of ``Diagnosis``.
        """
        return self._report.json(self.ok, self.first)

    def _repr_html_(self) -> str:
        return self._report.html()


def compare(
    gradients: Gradients,
    hand: Mapping[Any, Any],
    rtol: float | None = None,
    executor: Any = None,
) -> Comparison:
    """Compare derivatives by hand with those of backward, and say which formula is wrong, and how.

    Parameters
    ----------
    gradients : Gradients
        What ``gradients(loss)`` returned, for any graph.
    hand : mapping of str to array_like or Tensor
        The derivatives by hand, by the keys of `gradients`: ``"c<2>"`` for a total, ``"c<2> via
        keep<3>"`` for a branch, ``"W_f @ 2"`` for the share of block 2 in the gradient of a shared
        parameter. Tensors of the tape are keys too. Give as many or as few as you have; None
        stands for what is not done yet. A key that misses a name by its spelling (``h_4``, ``h4``,
        ``h[4]``, ``dW_f``, ``grad_W_f``) is read as what it stands for.
    rtol : float, optional
        The largest relative error that counts as right. By default 1e-9 for float64, 1e-4 for
        float32 and 1e-2 for float16, by the coarsest of both sides and of the stages of the tape. A
        value that rounding alone moves by more (one that is 0 but for rounding, for instance) may
        differ by that much.
    executor : None, "processes", Executor or distributed.Client
        Who searches for the diagnoses, when they are asked for; see :func:`spread`. The same is
        found. What a process needs of the tape is sent to it.

    Returns
    -------
    Comparison
        A row for each name in `hand`, in the order in which backward runs. Its ``first`` is the row
        to look at.

    Raises
    ------
    DtypeError
        If `gradients` is no Gradients, `hand` no mapping, or one of its values is not made of
        numbers, or of complex ones where the tape's are real.
    DataError
        If `hand` is empty, or `rtol` is not a tolerance.

    Notes
    -----
    A row is ``first wrong`` where all that it is computed from is right or not given. Below it, a
    row is ``wrong because of`` it where the correct rule makes the hand value of the row from the
    hand values above it. Where it does not, the row has a mistake of its own too, and is another
    ``first wrong``.

    Where `hand` gives the gradient of a parameter (any leaf that requires gradients), the other
    named ones are listed as ``missing``. This is for information, and fails nothing: whoever
    derives step by step has not got everything yet.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradients
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> report = compare(gradients(y * y), {"y": 9.0, "x": 54.0})
    >>> [(row.name, row.verdict, row.because) for row in report.rows], report.exit_status
    ([('y', 'first wrong', ''), ('x', 'wrong because of', 'y')], 1)
    """
    _check(gradients, hand, rtol)
    tape, judge = gradients.tape, Judge(gradients, rtol)
    found = entries(judge, hand)
    if all(entry.row.ok for entry in found):
        return Comparison(
            tape.label(tape.root),
            tuple(entry.row for entry in found) + _missing(gradients, found),
            tape=tape,
        )
    work = Work(judge, locate(judge, found), found, hand)
    rows = tuple(entry.row for entry in found)
    return Comparison(
        tape.label(tape.root),
        rows + _missing(gradients, found),
        lambda: diagnose(work, executor),
        tape,
    )


def assert_gradients_match(
    found: Gradients | Tensor,
    hand: Mapping[Any, Any],
    rtol: float | None = None,
    hints: int | str | None = None,
    require: Iterable[str] = (),
) -> None:
    """Raise AssertionError with the report of :func:`compare` unless everything is right: for
    tests.

    Parameters
    ----------
    found : Gradients or Tensor
        ``gradients(loss)``, or the loss.
    hand, rtol
        As for :func:`compare`.
    hints : {"where", "kind", "rule", "solution"} or int, optional
        How much the message tells, as for :meth:`Comparison.hints`. By default it is the report,
        which has the solution.
    require : iterable of str, optional
        Names that have to be given, and right: what is None, not given, or a constant fails.

    Raises
    ------
    AssertionError
        If a row fails, or one that is required is not right. Its message is the report.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, assert_gradients_match
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> assert_gradients_match(x * x, {"x": 6.0}, require=["x"])
    """
    __tracebackhide__ = True  # pytest shows the line of the test
    if hints is not None:
        level_of(hints, "assert_gradients_match(hints=...)")
    of = gradients(found) if isinstance(found, Tensor) else found
    report = compare(of, hand, rtol)
    keys = {str(row.key) for row in report.rows if row.verdict == "right"}
    names = {row.name for row in report.rows if row.verdict == "right"}
    open_ = [name for name in require if name not in names and _spelled(of, name) not in keys]
    lines = [f"required, and not right: {', '.join(open_)}"] * bool(open_)
    if not report and (not lines or any(not row.ok for row in report.rows)):
        lines.append(str(report) if hints is None else report.hints(hints))
    if lines:
        raise AssertionError("\n".join(lines))


def _spelled(found: Gradients, name: str) -> str:
    """A required name in the spelling of the tape."""
    return str(found.key(found.part(name)))


def _missing(gradients: Gradients, found: list[Entry]) -> tuple[Row, ...]:
    given = {id(entry.part.value) for entry in found if entry.part and entry.part.kind == "total"}
    leaves = [x for x in gradients.tape.leaves if x.requires_grad and x.name]
    if not any(id(x) in given for x in leaves):
        return ()
    return tuple(
        Row(str(x.name), x.shape, None, None, "missing", key=Key(gradients.tape.name(x)))
        for x in leaves
        if id(x) not in given
    )


def _check(gradients: Any, hand: Any, rtol: Any) -> None:
    if not isinstance(gradients, Gradients):
        raise DtypeError(
            "compare needs derivatives",
            expected="gradients(loss)",
            got=type(gradients).__name__,
            do="compare(gradients(loss), hand)",
        )
    if not isinstance(hand, Mapping):
        raise DtypeError(
            "the hand side is no mapping",
            where="compare",
            expected="names and arrays, such as a dict",
            got=type(hand).__name__,
        )
    if not hand:
        raise DataError("the hand side is empty, so there is nothing to compare", where="compare")
    check_tolerance("compare", rtol)
