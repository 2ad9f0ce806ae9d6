"""The methods that a Tensor has because an ndarray has them."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from tinygrad_lstm.engine.leaving import went
from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.protocols import numpy_function
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops import elementwise, reduce, shape
from tinygrad_lstm.tensor.functions import Functions

__all__ = ["Methods"]


class Methods(Functions):
    """NumPy's methods."""

    __slots__ = ()

    # The methods, under the names of NumPy's functions.

    def all(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.all`."""
        return numpy_function(np.all, (self, *args), kwargs, "Tensor.all")

    def any(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.any`."""
        return numpy_function(np.any, (self, *args), kwargs, "Tensor.any")

    def argmax(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.argmax`."""
        return numpy_function(np.argmax, (self, *args), kwargs, "Tensor.argmax")

    def argmin(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.argmin`."""
        return numpy_function(np.argmin, (self, *args), kwargs, "Tensor.argmin")

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.argsort`."""
        return numpy_function(np.argsort, (self, *args), kwargs, "Tensor.argsort")

    def clip(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.clip`."""
        return numpy_function(np.clip, (self, *args), kwargs, "Tensor.clip")

    def conj(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.conj`."""
        return numpy_function(np.conj, (self, *args), kwargs, "Tensor.conj")

    def conjugate(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.conjugate`."""
        return numpy_function(np.conjugate, (self, *args), kwargs, "Tensor.conjugate")

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.copy`."""
        return numpy_function(np.copy, (self, *args), kwargs, "Tensor.copy")

    def cumprod(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.cumprod`."""
        return numpy_function(np.cumprod, (self, *args), kwargs, "Tensor.cumprod")

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.cumsum`."""
        return numpy_function(np.cumsum, (self, *args), kwargs, "Tensor.cumsum")

    def diagonal(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.diagonal`."""
        return numpy_function(np.diagonal, (self, *args), kwargs, "Tensor.diagonal")

    def dot(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.dot`."""
        return numpy_function(np.dot, (self, *args), kwargs, "Tensor.dot")

    def max(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.max`."""
        return numpy_function(np.max, (self, *args), kwargs, "Tensor.max")

    def min(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.min`."""
        return numpy_function(np.min, (self, *args), kwargs, "Tensor.min")

    def nonzero(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.nonzero`."""
        return numpy_function(np.nonzero, (self, *args), kwargs, "Tensor.nonzero")

    def prod(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.prod`."""
        return numpy_function(np.prod, (self, *args), kwargs, "Tensor.prod")

    def ravel(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.ravel`."""
        return numpy_function(np.ravel, (self, *args), kwargs, "Tensor.ravel")

    def repeat(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.repeat`."""
        return numpy_function(np.repeat, (self, *args), kwargs, "Tensor.repeat")

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.round`."""
        return numpy_function(np.round, (self, *args), kwargs, "Tensor.round")

    def searchsorted(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.searchsorted`."""
        return numpy_function(np.searchsorted, (self, *args), kwargs, "Tensor.searchsorted")

    def squeeze(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.squeeze`."""
        return numpy_function(np.squeeze, (self, *args), kwargs, "Tensor.squeeze")

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.std`."""
        return numpy_function(np.std, (self, *args), kwargs, "Tensor.std")

    def take(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.take`."""
        return numpy_function(np.take, (self, *args), kwargs, "Tensor.take")

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.trace`."""
        return numpy_function(np.trace, (self, *args), kwargs, "Tensor.trace")

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """As :meth:`numpy.ndarray.var`."""
        return numpy_function(np.var, (self, *args), kwargs, "Tensor.var")

    swapaxes = shape.swapaxes

    @property
    def real(self) -> Any:
        """The real part."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part."""
        return np.imag(self)

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return shape.transpose(self)

    @property
    def mT(self) -> Any:
        """The last two axes exchanged."""
        return numpy_function(np.linalg.matrix_transpose, (self,), {}, "Tensor.mT")

    def transpose(self, *axes: Any) -> Any:
        """As :meth:`numpy.ndarray.transpose`."""
        return shape.transpose(self, axes=_several(axes) if axes and axes[0] is not None else None)

    def reshape(self, *lengths: Any, shape: Any = None) -> Any:
        """As :meth:`numpy.ndarray.reshape`."""
        return _reshape(self, shape=_several(lengths) if shape is None else shape)

    def flatten(self) -> Any:
        """The entries along one axis, as :meth:`numpy.ndarray.flatten`."""
        return _reshape(self, shape=-1)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.sum`."""
        return reduce.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.mean`."""
        return reduce.mean(self, axis=axis, keepdims=keepdims)

    def astype(self, dtype: Any) -> Any:
        """As :meth:`numpy.ndarray.astype`. Integers and booleans have no derivative: they are
        constants."""
        dtype = np.dtype(dtype)
        return elementwise.astype(
            self if dtype.kind in "fc" else self._leaf(self._array), dtype=dtype
        )

    def __divmod__(self, other: Any) -> Any:
        return self // other, self % other

    def __pos__(self) -> Any:
        return self

    def __contains__(self, value: Any) -> bool:
        return bool((self._look() == array_of(value)).any())

    def fill(self, value: Any) -> None:
        """Refused, as is :meth:`sort` in place: use ``t[...] = value`` under no_grad."""
        raise _in_place("fill", "t[...] = value under no_grad")

    def sort(self, *args: Any, **kwargs: Any) -> None:
        """Refused, since NumPy's sorts in place: use ``sort(t)``."""
        raise _in_place("sort", "sort(t), which returns the sorted values")

    def item(self, *index: Any) -> Any:
        """The value, or the entry at `index`, as a Python number."""
        number = self._number(*index)
        went(self, "item()")
        return number

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        went(self, "tolist()", aloud=True)
        return self._look().tolist()

    def _number(self, *index: Any, kind: Any = None) -> Any:
        if not index and self._array.size != 1:
            where, got = (
                f"{getattr(self, 'name', None) or 'Tensor'}.item()",
                f"shape {self._array.shape}",
            )
            raise ShapeError(
                "only one entry makes a number", where=where, expected="one entry", got=got
            )
        found = self._look()
        if kind is None or isinstance(found, np.ndarray):
            return found.item(*index)
        return kind(found)  # who records a program says what it was asked for

    def __bool__(self) -> bool:
        return bool(self._number(kind=bool))

    def __float__(self) -> float:
        number = float(self._number(kind=float))
        went(self, "float()", aloud=True)
        return number

    def __int__(self) -> int:
        number = int(self._number(kind=int))
        went(self, "int()", aloud=True)
        return number

    def __complex__(self) -> complex:
        number = complex(self._number(kind=complex))
        went(self, "complex()", aloud=True)
        return number

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iu" or self._array.ndim:
            got = f"{self._array.dtype} {self._array.shape}"
            raise DtypeError(
                "only an integer is an index",
                where=getattr(self, "name", None) or "Tensor",
                expected="one integer",
                got=got,
            )
        return operator.index(self._look())

    def __format__(self, spec: str) -> str:
        return format(self._number(kind=str), spec) if spec else str(self)


_reshape = shape.reshape


def _several(given: tuple[Any, ...]) -> Any:
    """``(2, 3)`` from both ``f(2, 3)`` and ``f((2, 3))``."""
    return given[0] if len(given) == 1 else given


def _in_place(name: str, instead: str) -> DtypeError:
    return DtypeError(
        "a Tensor is not changed in place", where=f"Tensor.{name}", do=f"use {instead}"
    )
