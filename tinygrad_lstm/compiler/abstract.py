"""Arrays without numbers: what forward functions and derivative rules run on while a program is
recorded.

An `Abstract` has shape and dtype and stands where an ndarray would. NumPy's functions on it add
values to the graph; what needs the numbers themselves (a comparison in an ``if``, ``float``,
printing) raises `Untraceable`, so that nothing is computed from numbers that are not there.
"""

from __future__ import annotations

import functools
import operator
import os
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from tinygrad_lstm.compiler.construct import Builder
from tinygrad_lstm.compiler.graph import Dtype, Shape, Value
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.program import user_frame
from tinygrad_lstm.engine.state import detector

__all__ = ["FUNCTIONS", "Abstract", "Recorder", "Untraceable", "refused"]

FUNCTIONS: dict[Any, Callable[..., Any]] = {}
"""NumPy's functions (and the reductions of its ufuncs) that are recorded as operations of the
graph. All others are recorded as calls."""


NUMBER = "compute with it as it is, or give the number as an argument"
IN_PLACE = {"partition", "put", "resize", "sort"}
ARRAY = "NumPy's functions take it as it is, and become a part of the program"
POWERS: dict[float, Any] = {2: np.square, 1: np.copy, -1: np.reciprocal, 0.5: np.sqrt}
EDIT = "make a new one, by np.where or concatenate"


class Untraceable(Exception):
    """Something asks for numbers while only shapes are known. Its text says what, in which line of
    the function, and what to do. Who records learns of it even where the function catches it."""

    def __init__(self, text: str, do: str = "") -> None:
        frame, caller = user_frame(), getattr(detector(), "caller", None)
        if caller is not None and frame is not None and frame is not caller:
            text += f", in line {frame.f_lineno} of {os.path.basename(frame.f_code.co_filename)}"
        super().__init__(f"{text} ({do})" if do else text)
        refused().append(str(self))


def refused() -> list[str]:
    """What this thread has asked for in vain since it records."""
    return getattr(detector(), "refused", [])


class Recorder(Protocol):
    """Who records: the tracer."""

    build: Builder
    given: dict[int, NDArray[Any]]

    def abstract(self, value: Value) -> Abstract: ...

    def constant(self, array: NDArray[Any]) -> Value: ...

    def call(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Abstract: ...


class Abstract(NDArrayOperatorsMixin):
    """An array of which shape and dtype are known, and how it is computed.

    Attributes
    ----------
    value : Value
        Its place in the graph.
    recorder : Recorder
        Who records what is computed from it.
    """

    __slots__ = ("recorder", "value")
    abstract = True
    base = None

    recorder: Recorder
    value: Value

    def __init__(self, value: Value, recorder: Recorder) -> None:
        self.value, self.recorder = value, recorder

    # What it is.

    @property
    def shape(self) -> Shape:
        return self.value.shape

    @property
    def dtype(self) -> Dtype:
        return self.value.dtype

    @property
    def ndim(self) -> int:
        return self.value.ndim

    @property
    def size(self) -> int:
        return self.value.size

    @property
    def flags(self) -> SimpleNamespace:
        """As of an array that nobody may write to."""
        return SimpleNamespace(writeable=False)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def stands_for(self, other: Any) -> bool:
        """Whether its numbers are those of another array, or of one that the function has found."""
        if isinstance(other, Abstract):
            return other.value is self.value
        return self.recorder.given.get(self.value.number) is other

    # What it cannot say.

    def __array__(self, dtype: Any = None, copy: Any = None) -> NDArray[Any]:
        raise Untraceable("an array of its numbers is made", f"{ARRAY}; it indexes Tensors")

    def __bool__(self) -> bool:
        raise Untraceable("a condition depends on its value", "np.where chooses in a program")

    def __float__(self) -> float:
        raise Untraceable("float() asks for its value", NUMBER)

    def __int__(self) -> int:
        raise Untraceable("int() asks for its value", NUMBER)

    def __complex__(self) -> complex:
        raise Untraceable("complex() asks for its value", NUMBER)

    def __index__(self) -> int:
        raise Untraceable("an index depends on its value", "an array of whole numbers is an index")

    def __repr__(self) -> str:
        raise Untraceable("its value is printed", "print what the function returns")

    def __getattr__(self, name: str) -> Any:
        """A method of arrays, as NumPy's function of that name; but those in place."""
        if not hasattr(np.ndarray, name) or name.startswith("__"):
            raise AttributeError(f"an array has no attribute {name}")
        function = getattr(np, name, None)
        if name in IN_PLACE or not callable(function):
            raise Untraceable(f"{name} of an array that a program computes", ARRAY)
        return functools.partial(function, self)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise Untraceable("its entries are edited", EDIT)

    def item(self, *index: Any) -> Any:
        """Refused: there is no number."""
        raise Untraceable("item() asks for its value", NUMBER)

    def tolist(self) -> Any:
        """Refused: there are no numbers."""
        raise Untraceable("tolist() asks for its value", ARRAY)

    tobytes = tolist

    def __hash__(self) -> int:
        return id(self)

    # NumPy's protocols.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        if any(isinstance(x, Node) for x in inputs):
            return NotImplemented
        if options.pop("out", None) is not None:
            raise Untraceable(f"np.{ufunc.__name__} writes into an array", EDIT)
        # NumPy makes the text anew each time, and Python would keep each as a name it has looked up
        function = ufunc if method == "__call__" else getattr(ufunc, sys.intern(method))
        ours = FUNCTIONS.get(function)
        if ours is None or (method == "__call__" and options):
            return self.recorder.call(function, inputs, options)
        return ours(*inputs, **options)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if any(issubclass(t, Node) for t in types):
            return NotImplemented
        ours = FUNCTIONS.get(function)
        if ours is None:
            return self.recorder.call(function, args, kwargs)
        return ours(*args, **kwargs)

    # What an ndarray can do.

    def __getitem__(self, key: Any) -> Any:
        return FUNCTIONS[operator.getitem](self, key)

    def __iter__(self) -> Any:
        return (self[i] for i in range(len(self)))

    def __pow__(self, other: Any) -> Any:
        """As of an array: for some numbers NumPy has a shorter way."""
        if isinstance(other, (int, float)) and self.dtype.kind in "fc" and other in POWERS:
            return POWERS[other](self)
        return np.power(self, other)

    @property
    def T(self) -> Any:
        return np.transpose(self)

    @property
    def mT(self) -> Any:
        return np.swapaxes(self, -1, -2)

    @property
    def real(self) -> Any:
        return self if self.dtype.kind != "c" else np.real(self)

    @property
    def imag(self) -> Any:
        return np.imag(self)

    def astype(self, dtype: Any, copy: bool = True) -> Abstract:
        """As :meth:`numpy.ndarray.astype`."""
        return self.recorder.abstract(
            self.recorder.build.elementwise("cast", self.value, dtype=np.dtype(dtype))
        )

    def copy(self) -> Abstract:
        """Itself: nothing writes to it."""
        return self

    view = copy

    def reshape(self, *shape: Any) -> Any:
        """As :meth:`numpy.ndarray.reshape`."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes: Any) -> Any:
        """As :meth:`numpy.ndarray.transpose`."""
        return np.transpose(self, axes[0] if len(axes) == 1 else axes or None)

    def swapaxes(self, a: int, b: int) -> Any:
        """As :meth:`numpy.ndarray.swapaxes`."""
        return np.swapaxes(self, a, b)

    def ravel(self) -> Any:
        """As :meth:`numpy.ndarray.ravel`."""
        return np.reshape(self, -1)

    flatten = ravel

    def squeeze(self, axis: Any = None) -> Any:
        """As :meth:`numpy.ndarray.squeeze`."""
        return np.squeeze(self, axis)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.sum`."""
        return np.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.mean`."""
        return np.mean(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.max`."""
        return np.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.min`."""
        return np.min(self, axis=axis, keepdims=keepdims)

    def dot(self, other: Any) -> Any:
        """As :meth:`numpy.ndarray.dot`."""
        return np.dot(self, other)

    def conj(self) -> Any:
        """As :meth:`numpy.ndarray.conj`."""
        return np.conjugate(self)

    conjugate = conj
