"""The operators and methods that a Tensor has because an ndarray has them: one table."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.protocols import NumPy, numpy_function
from tinygrad_lstm.errors import DtypeError, ShapeError
from tinygrad_lstm.ops import elementwise, product, reduce, shape

__all__ = ["Methods"]


def method(function: Any, name: str | None = None) -> Callable[..., Any]:
    """NumPy's `function` as a method of a Tensor: what computes it here is looked up when it is
    called."""
    name = name or function.__name__

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return numpy_function(function, (self, *args), kwargs, f"Tensor.{name}")

    return _as_method(
        call,
        name,
        f"As :meth:`numpy.ndarray.{name}`."
        if hasattr(np.ndarray, name)
        else f"As :func:`numpy.{name}`.",
    )


def reflected(function: Any) -> Callable[..., Any]:
    """The operator with a Tensor on the right."""

    def call(self: Any, other: Any) -> Any:
        return function(other, self)

    return _as_method(
        call,
        f"reflected_{function.__name__}",
        f"As :func:`numpy.{function.__name__}`, with this value on the right.",
    )


def _as_method(call: Any, name: str, doc: str) -> Callable[..., Any]:
    call.__name__, call.__qualname__, call.__doc__ = name, f"Tensor.{name}", doc
    call.__code__ = call.__code__.replace(co_name=name)  # what a traceback says
    return call  # type: ignore[no-any-return]


class Methods(NumPy):
    """NumPy's operators and methods. Those of the LSTM are the recorded functions themselves."""

    __slots__ = ()

    __add__, __radd__ = elementwise.add, reflected(elementwise.add)
    __sub__, __rsub__ = elementwise.subtract, reflected(elementwise.subtract)
    __mul__, __rmul__ = elementwise.multiply, reflected(elementwise.multiply)
    __truediv__, __rtruediv__ = elementwise.divide, reflected(elementwise.divide)
    __pow__, __rpow__ = elementwise.power, reflected(elementwise.power)
    __matmul__, __rmatmul__ = product.matmul, reflected(product.matmul)
    __mod__, __rmod__ = method(np.remainder, "__mod__"), reflected(np.remainder)
    __floordiv__, __rfloordiv__ = (
        method(np.floor_divide, "__floordiv__"),
        reflected(np.floor_divide),
    )
    __neg__ = elementwise.negative
    __abs__ = method(np.abs, "__abs__")

    __gt__, __ge__ = elementwise.greater, elementwise.greater_equal
    __lt__, __le__ = elementwise.less, elementwise.less_equal
    __eq__, __ne__ = elementwise.equal, elementwise.not_equal
    __hash__ = object.__hash__  # a Tensor is itself, whatever == says of its entries

    __and__, __rand__ = method(np.bitwise_and, "__and__"), reflected(np.bitwise_and)
    __or__, __ror__ = method(np.bitwise_or, "__or__"), reflected(np.bitwise_or)
    __xor__, __rxor__ = method(np.bitwise_xor, "__xor__"), reflected(np.bitwise_xor)
    __invert__ = method(np.invert, "__invert__")

    all, any = method(np.all), method(np.any)
    argmax, argmin, argsort = method(np.argmax), method(np.argmin), method(np.argsort)
    clip, conj, conjugate = method(np.clip), method(np.conj, "conj"), method(np.conjugate)
    copy, cumprod, cumsum = method(np.copy), method(np.cumprod), method(np.cumsum)
    diagonal, dot, max, min = method(np.diagonal), method(np.dot), method(np.max), method(np.min)
    nonzero, prod, ravel, repeat = (
        method(np.nonzero),
        method(np.prod),
        method(np.ravel),
        method(np.repeat),
    )
    round, searchsorted, squeeze = method(np.round), method(np.searchsorted), method(np.squeeze)
    std, swapaxes, take = method(np.std), shape.swapaxes, method(np.take)
    trace, var = method(np.trace), method(np.var)

    real = property(method(np.real), doc="The real part.")
    imag = property(method(np.imag), doc="The imaginary part.")
    T = property(shape.transpose, doc="The axes in reverse order.")
    mT = property(method(np.linalg.matrix_transpose, "mT"), doc="The last two axes exchanged.")

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
        if not index and self._array.size != 1:
            where, got = (
                f"{getattr(self, 'name', None) or 'Tensor'}.item()",
                f"shape {self._array.shape}",
            )
            raise ShapeError(
                "only one entry makes a number", where=where, expected="one entry", got=got
            )
        return self._look().item(*index)

    def tolist(self) -> Any:
        """The entries as nested lists of Python numbers."""
        return self._look().tolist()

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

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
        return format(self.item(), spec) if spec else str(self)


_reshape = shape.reshape


def _several(given: tuple[Any, ...]) -> Any:
    """``(2, 3)`` from both ``f(2, 3)`` and ``f((2, 3))``."""
    return given[0] if len(given) == 1 else given


def _in_place(name: str, instead: str) -> DtypeError:
    return DtypeError(
        "a Tensor is not changed in place", where=f"Tensor.{name}", do=f"use {instead}"
    )
