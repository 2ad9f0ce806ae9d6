"""The errors of this package, all built in one place.

Every message is one line that says what is wrong, where, what was expected, what came instead, and
what to do. Each class is also the built-in exception that a NumPy user would have caught, so
existing ``except`` clauses keep working.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "AnomalyError",
    "DataError",
    "DrawingError",
    "DtypeError",
    "Error",
    "GradientError",
    "IndexingError",
    "ShapeError",
    "UnknownAttributeError",
    "UnknownNameError",
]


class Error(Exception):
    """Parent of every error of this package.

    Parameters
    ----------
    what : str
        What is wrong, as a clause without a full stop.
    where : str, optional
        The stage, value, file or option concerned.
    expected, got : object, optional
        What would have been right, and what came instead.
    do : str or callable, optional
        What the user can do about it; a callable is asked for it when the message is read, as a
        name that is only looked for needs no hint.
    """

    what: str
    where: str | None
    expected: object
    got: object

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: object = None,
        got: object = None,
        do: str | Callable[[], str] | None = None,
    ) -> None:
        self.what, self.where, self.expected, self.got, self._do = what, where, expected, got, do
        message = f"{where}: {what}" if where else what
        details = [
            f"{word} {value}"
            for word, value in (("expected", expected), ("got", got))
            if value is not None
        ]
        if details:
            message += ": " + ", ".join(details)
        super().__init__(f"{message}; {do}" if isinstance(do, str) and do else message)

    @property
    def do(self) -> str | None:
        """What the user can do about it."""
        self._complete()
        return None if callable(self._do) else self._do

    def _complete(self) -> None:
        """Ask for the advice, if that is still to be done."""
        if callable(self._do):
            self._do = self._do()
            self.args = (f"{self.args[0]}; {self._do}",)

    def __str__(self) -> str:
        self._complete()
        return str(self.args[0])  # KeyError would print it quoted

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __reduce__(self) -> Any:
        self._complete()  # what it is asked of may not travel
        return super().__reduce__()


class ShapeError(Error, ValueError):
    """Shapes or values that an operation cannot work with."""


class IndexingError(Error, IndexError):
    """An index outside the value, or of a form that NumPy does not know."""


class DtypeError(Error, TypeError):
    """A dtype or a kind of object that has no meaning here."""


class GradientError(Error, RuntimeError):
    """Backward cannot run: no graph, a spent graph, an edited value, a wrong derivative rule, no
    seed."""


class AnomalyError(Error, FloatingPointError):
    """A stage made a NaN or an infinity, and :class:`detect_anomaly` was asked to say which."""


class UnknownAttributeError(Error, AttributeError):
    """A method that a Tensor does not have under this name."""


class UnknownNameError(Error, KeyError):
    """A name or a Tensor that is not on the tape, or that is not the only one of its name."""


class DataError(Error, ValueError):
    """Input data (an array, a file, an option) that cannot be used."""


class DrawingError(Error, RuntimeError):
    """A picture that could not be drawn or written."""
