"""The Tensor: NumPy's array API on a node of the graph, with a name, and memory that only a leaf's
owner may edit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lstm.engine.leaving import went
from tinygrad_lstm.engine.memory import array_of, own
from tinygrad_lstm.engine.names import CHECKED, SCOPES, checked_name
from tinygrad_lstm.engine.state import Place, recorder
from tinygrad_lstm.engine.tape import Tape
from tinygrad_lstm.errors import DtypeError, GradientError, ShapeError
from tinygrad_lstm.ops.select import index, plain
from tinygrad_lstm.tensor.differentiable import Differentiable

__all__ = ["Tensor"]


class Tensor(Differentiable):
    """An array that records the functional stages it goes through, for backpropagation.

    Parameters
    ----------
    data : array_like
        Numbers. They are copied: the Tensor owns its memory.
    requires_grad : bool, default False
        Whether derivatives by this value are wanted. Needs a floating-point (or complex) dtype.
    name : str, optional
        What tapes, pictures and comparisons call it.
    dtype : dtype, optional
        As for :func:`numpy.array`.

    Attributes
    ----------
    grad : ndarray or None
        For a leaf: the sum of the derivatives that ``backward`` found since the last ``zero_grad``.
        For a computed value None, unless :meth:`retain_grad` asked for it. Of a complex value it is
        ``dL/dx + i dL/dy``, as PyTorch's.

    Raises
    ------
    DtypeError
        If `data` does not hold numbers, or requires gradients and holds integers.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = x * x
    >>> y.backward()
    >>> x.grad
    array(6.)
    """

    __slots__ = ()

    def __init__(
        self, data: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None
    ) -> None:
        if isinstance(data, (list, tuple)) and any(isinstance(x, Tensor) for x in data):
            raise DtypeError(
                "a Tensor of Tensors would lose their gradients",
                where="Tensor(...)",
                do="use stack or concatenate",
            )
        if isinstance(data, Tensor):
            went(data, "Tensor(x)")
        label = None if name is None else checked_name(name, "Tensor(name=...)")
        array = own(data._array if isinstance(data, Tensor) else data, dtype)
        super().__init__(array, False, label, recorder().place)
        if requires_grad:
            self.requires_grad = True

    # What it is.

    @property
    def data(self) -> np.ndarray:
        """The value as an array: read-only where a stage computed it, and a leaf's own memory
        otherwise.

        Editing a leaf between forward and backward is noticed, and backward raises.
        """
        went(self, "data")
        return self._expose()

    @data.setter
    def data(self, value: Any) -> None:
        if self._op is not None:
            raise GradientError(
                "a recorded value cannot be replaced",
                where=f"{self.name or self._op.name}.data",
                do="compute a new value",
            )
        if self._lent is None or value is not self._lent():
            self._replace(own(array_of(value), self.dtype))

    def _replace(self, array: np.ndarray) -> None:
        if array.shape != self.shape:
            raise ShapeError(
                "a leaf keeps its shape",
                where=f"{self.name or 'Tensor'}.data",
                expected=self.shape,
                got=array.shape,
            )
        self._array, self._lent = array.astype(self.dtype, copy=False), None

    @property
    def name(self) -> str | None:
        """The name given, with the scope and the block of the value: ``layer2.c<2>``. None for a
        value without a name."""
        return super().name

    @name.setter
    def name(self, name: str | None) -> None:
        if name is None:
            self._label = None
        else:
            self.named(name)

    def named(self, name: str) -> Tensor:
        """Give this value a name and return it.

        A value of ``with block(t)`` has ``<t>`` behind its name by itself, and one of ``with
        scope("layer2")`` has ``layer2.`` before it.

        Raises
        ------
        DtypeError
            If `name` is no text.
        DataError
            If it is empty, or would be read as the key of a part: ``"c via d"``, ``"W @ 2"``.
        """
        try:
            self._label = CHECKED[name]
        except (KeyError, TypeError):
            self._label = checked_name(name, "a Tensor's name")
        if SCOPES and not self._place.scope and (scope := recorder().place.scope):
            self._place = self._place._replace(scope=scope)  # recorded before, named inside
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded stage computed it."""
        return self._op is None

    @property
    def tape(self) -> Tape:
        """The stages that led to this value, in the order in which they ran."""
        return Tape(self)

    def numpy(self) -> np.ndarray:
        """The value as an array, as :attr:`data`."""
        went(self, "numpy()")
        return self._expose()

    def __reduce__(self) -> Any:
        """Leaves are copied and pickled with their name, gradient and requires_grad, and without
        their hooks."""
        if self._op is not None:
            where = f"copy or pickle of {self.name or self._op.name}"
            raise GradientError(
                "a recorded value cannot be copied without its graph",
                where=where,
                do="detach() it first",
            )
        return _restored, (
            type(self),
            self._array.copy(),
            self._requires_grad,
            self._label,
            self._place,
            self.grad,
        )

    # In place: an update of a leaf under no_grad, as an optimizer writes it; otherwise a new value.

    def __iadd__(self, other: Any) -> Any:
        return self._update(self + other)

    def __isub__(self, other: Any) -> Any:
        return self._update(self - other)

    def __imul__(self, other: Any) -> Any:
        return self._update(self * other)

    def __itruediv__(self, other: Any) -> Any:
        return self._update(self / other)

    def __ifloordiv__(self, other: Any) -> Any:
        return self._update(self // other)

    def __imod__(self, other: Any) -> Any:
        return self._update(self % other)

    def __ipow__(self, other: Any) -> Any:
        return self._update(self**other)

    def __imatmul__(self, other: Any) -> Any:
        return self._update(self @ other)

    def _update(self, result: Tensor) -> Tensor:
        if self._op is not None or recorder().enabled:
            return result
        if not np.can_cast(result.dtype, self.dtype, "same_kind"):
            raise DtypeError(
                "a leaf keeps its dtype, in which the result would lose a part",
                where=f"{self.name or 'Tensor'}, in place",
                expected=self.dtype,
                got=result.dtype,
                do="assign the result, or use astype first",
            )
        self._replace(result._array)
        return self

    # Entries.

    def __getitem__(self, key: Any) -> Any:
        return index(self, key=key if isinstance(key, int) else plain(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._op is not None or (self._requires_grad and recorder().enabled):
            raise GradientError(
                "entries of a recorded value cannot be assigned, since backward needs it as it is",
                where=f"item assignment to {self.name or 'a Tensor'}",
                do="build the new value with where, concatenate or stack; a parameter can be "
                "edited under no_grad",
            )
        array = self._array.copy()
        array[plain(key)] = array_of(value)
        self._replace(array)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise DtypeError(
                "a value without axes has no length", where=f"len({self.name or 'Tensor'})"
            )
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        values = np.array2string(self._look(), separator=", ", prefix="Tensor(", threshold=100)
        details = [f"name={self.name!r}"] if self.name else []
        if self._array.dtype not in (np.float64, np.int64, np.bool_):
            details.append(f"dtype={self.dtype}")
        if self._requires_grad:
            details.append("requires_grad=True" if self._op is None else f"op={self._op.name}")
        return f"Tensor({', '.join([values, *details])})"


def _restored(
    cls: type[Tensor],
    array: np.ndarray,
    requires_grad: bool,
    label: str | None,
    place: Place,
    grad: Any,
) -> Tensor:
    """The copy of a leaf, or what comes out of a pickle."""
    leaf = cls(array, requires_grad, label)
    leaf._place, leaf.grad = place, None if grad is None else grad.copy()
    return leaf
