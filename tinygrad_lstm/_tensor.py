"""The Tensor: NumPy's array API on a node of the graph, and PyTorch's habits for everything about gradients."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from tinygrad_lstm._backward import backward
from tinygrad_lstm._errors import DtypeError, GradientError, ShapeError
from tinygrad_lstm._node import Node, own
from tinygrad_lstm._operation import NUMPY, implements
from tinygrad_lstm._ops import elementwise, product, reduce, shape
from tinygrad_lstm._recorder import recorder
from tinygrad_lstm._tape import Tape

__all__ = ["Tensor"]


class Tensor(Node):
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
    requires_grad : bool
        True for a result that was recorded.

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

    def __init__(self, data: Any, requires_grad: bool = False, name: str | None = None, dtype: Any = None) -> None:
        if isinstance(data, (list, tuple)) and any(isinstance(x, Tensor) for x in data):
            raise DtypeError("a Tensor of Tensors would lose their gradients", where="Tensor(...)", do="use stack or concatenate")
        array = own(data._array if isinstance(data, Tensor) else data, dtype)
        if requires_grad and array.dtype.kind not in "fc":
            raise DtypeError(
                "only floating-point values have derivatives",
                where=f"Tensor {name or ''}(requires_grad=True)".replace(" (", "("),
                expected="float32, float64 or complex",
                got=array.dtype,
                do="give dtype=float, or write 3.0 for 3",
            )
        super().__init__(array, bool(requires_grad), name, recorder.block)

    # What it is.

    @property
    def data(self) -> np.ndarray:
        """The value as an array: read-only where a stage computed it, and a leaf's own memory otherwise.

        Editing a leaf between forward and backward is noticed, and backward raises.
        """
        return self._expose()

    @data.setter
    def data(self, value: Any) -> None:
        if self._op is not None:
            raise GradientError("a recorded value cannot be replaced", where=f"{self.name or self._op.name}.data", do="compute a new value")
        if value is not self._array:
            self._replace(own(getattr(value, "_array", value), self.dtype))

    def _replace(self, array: np.ndarray) -> None:
        if array.shape != self.shape:
            raise ShapeError("a leaf keeps its shape", where=f"{self.name or 'Tensor'}.data", expected=self.shape, got=array.shape)
        self._array, self._exposed = array.astype(self.dtype, copy=False), False

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self._array.dtype

    @property
    def name(self) -> str | None:
        """The name given, with the block in which it was given: ``c<2>``. None for a value without a name."""
        if self._label is None or self._block is None or self._label.endswith(">"):
            return self._label
        return f"{self._label}<{self._block}>"

    @name.setter
    def name(self, name: str | None) -> None:
        self._label = name

    def named(self, name: str) -> Tensor:
        """Give this value a name and return it. Inside ``with block(t)`` the name ends in ``<t>`` by itself."""
        self._label = name
        return self

    @property
    def block(self) -> int | None:
        """The block (time step) in which it was recorded, or None."""
        return self._block

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded stage computed it."""
        return self._op is None

    @property
    def tape(self) -> Tape:
        """The stages that led to this value, in the order in which they ran."""
        return Tape(self)

    # Gradients.

    def backward(self, gradient: Any = None, retain_graph: bool = False) -> None:
        """Add the derivatives of this value to ``.grad`` of every leaf that led to it and requires gradients.

        Parameters
        ----------
        gradient : array_like, optional
            What arrives here, of this value's shape. May be left out for a single number; it is 1 then.
        retain_graph : bool, default False
            Whether backward may run through this graph again. Without it a second run raises, since it would count
            twice; :func:`gradients`, which changes nothing, can always be called.

        Raises
        ------
        GradientError
            If nothing here requires gradients, if this is not a scalar and `gradient` is missing, if backward has run
            already, or if a value that a stage read has been edited since.
        """
        backward(self, gradient, retain_graph)

    def zero_grad(self) -> None:
        """Forget ``.grad``."""
        self.grad = None

    def detach(self) -> Tensor:
        """The same value as a leaf without gradient: where a carried state is cut off from its past."""
        leaf: Tensor = self._leaf(self._snapshot() if self._exposed else self._array)
        leaf._label, leaf._block = self._label, self._block
        return leaf

    def numpy(self) -> np.ndarray:
        """The value as an array, as :attr:`data`."""
        return self._expose()

    def item(self) -> Any:
        """The value as a Python number. It must have one entry."""
        if self.size != 1:
            raise ShapeError(
                "only one entry makes a number", where=f"{self.name or 'Tensor'}.item()", expected="one entry", got=f"shape {self.shape}"
            )
        return self._array.item()

    # Arithmetic.

    def __add__(self, other: Any) -> Any:
        return elementwise.add(self, other)

    def __radd__(self, other: Any) -> Any:
        return elementwise.add(other, self)

    def __sub__(self, other: Any) -> Any:
        return elementwise.subtract(self, other)

    def __rsub__(self, other: Any) -> Any:
        return elementwise.subtract(other, self)

    def __mul__(self, other: Any) -> Any:
        return elementwise.multiply(self, other)

    def __rmul__(self, other: Any) -> Any:
        return elementwise.multiply(other, self)

    def __truediv__(self, other: Any) -> Any:
        return elementwise.divide(self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise.divide(other, self)

    def __pow__(self, other: Any) -> Any:
        return elementwise.power(self, other)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __matmul__(self, other: Any) -> Any:
        return product.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Any:
        return product.matmul(other, self)

    def __neg__(self) -> Any:
        return elementwise.negative(self)

    def __gt__(self, other: Any) -> Any:
        return elementwise.greater(self, other)

    def __ge__(self, other: Any) -> Any:
        return elementwise.greater_equal(self, other)

    def __lt__(self, other: Any) -> Any:
        return elementwise.less(self, other)

    def __le__(self, other: Any) -> Any:
        return elementwise.less_equal(self, other)

    def __eq__(self, other: Any) -> Any:
        return elementwise.equal(self, other)

    def __ne__(self, other: Any) -> Any:
        return elementwise.not_equal(self, other)

    __hash__ = object.__hash__  # a Tensor is itself, whatever == says of its entries

    # In place: an update of a leaf under no_grad, as an optimizer writes it; otherwise a new value.

    def __iadd__(self, other: Any) -> Any:
        return self._update(elementwise.add(self, other))

    def __isub__(self, other: Any) -> Any:
        return self._update(elementwise.subtract(self, other))

    def __imul__(self, other: Any) -> Any:
        return self._update(elementwise.multiply(self, other))

    def __itruediv__(self, other: Any) -> Any:
        return self._update(elementwise.divide(self, other))

    def _update(self, result: Tensor) -> Tensor:
        if self._op is not None or recorder.enabled:
            return result
        self._replace(result._array)
        return self

    # Entries and axes.

    def __getitem__(self, key: Any) -> Any:
        return shape.index(self, key=_key(key))

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._op is not None or (self.requires_grad and recorder.enabled):
            raise GradientError(
                "entries of a recorded value cannot be assigned, since backward needs it as it is",
                where=f"item assignment to {self.name or 'a Tensor'}",
                do="build the new value with where, concatenate or stack; a parameter can be edited under no_grad",
            )
        array = self._array.copy()
        array[_key(key)] = getattr(value, "_array", value)
        self._replace(array)

    def __len__(self) -> int:
        if self.ndim == 0:
            raise DtypeError("a value without axes has no length", where=f"len({self.name or 'Tensor'})")
        return len(self._array)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    @property
    def T(self) -> Any:
        """The axes in reverse order."""
        return shape.transpose(self)

    def transpose(self, *axes: Any) -> Any:
        """As :meth:`numpy.ndarray.transpose`."""
        return shape.transpose(self, axes=_several(axes) if axes and axes[0] is not None else None)

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        """As :meth:`numpy.ndarray.swapaxes`."""
        return shape.swapaxes(self, axis1=axis1, axis2=axis2)

    def reshape(self, *lengths: Any) -> Any:
        """As :meth:`numpy.ndarray.reshape`."""
        return shape.reshape(self, shape=_several(lengths))

    def astype(self, dtype: Any) -> Any:
        """As :meth:`numpy.ndarray.astype`."""
        return elementwise.astype(self, dtype=np.dtype(dtype))

    def sum(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.sum`."""
        return reduce.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Any:
        """As :meth:`numpy.ndarray.mean`."""
        return reduce.mean(self, axis=axis, keepdims=keepdims)

    # NumPy's own functions, applied to Tensors.

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "reduce" and ufunc is np.add:
            return reduce.sum(*inputs, **kwargs)
        if method != "__call__" or ufunc not in NUMPY:
            raise _no_rule(f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}"))
        return NUMPY[ufunc](*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in NUMPY:
            raise _no_rule(f"{function.__module__}.{function.__name__}")
        return NUMPY[function](*args, **kwargs)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self.requires_grad:
            raise GradientError(
                "turning a Tensor that requires gradients into an array would lose them",
                where=f"np.asarray({self.name or 'Tensor'})",
                do="use t.numpy() or t.detach() where that is what you want",
            )
        return np.array(self._array, dtype)

    def __bool__(self) -> bool:
        return bool(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __repr__(self) -> str:
        values = np.array2string(self._array, separator=", ", prefix="Tensor(", threshold=100)
        details = [f"name={self.name!r}"] if self.name else []
        if self._array.dtype not in (np.float64, np.int64, np.bool_):
            details.append(f"dtype={self.dtype}")
        if self.requires_grad:
            details.append("requires_grad=True" if self._op is None else f"op={self._op.name}")
        return f"Tensor({', '.join([values, *details])})"


def _key(key: Any) -> Any:
    """An index as a stage can keep it: Tensors and lists in it become arrays, and arrays are copied."""
    if isinstance(key, tuple):
        return tuple(map(_key, key))
    if isinstance(key, Node):
        return key._array.copy()
    return np.array(key) if isinstance(key, (list, np.ndarray)) else key


def _several(given: tuple[Any, ...]) -> Any:
    """``(2, 3)`` from both ``f(2, 3)`` and ``f((2, 3))``."""
    return given[0] if len(given) == 1 else given


def _no_rule(function: str) -> DtypeError:
    return DtypeError(
        "no derivative rule is known for this function, so its result would lose the gradient",
        where=function,
        do="use t.detach().numpy() where no gradient is wanted, or define the stage yourself",
    )


# What NumPy asks about an array, without computing.


@implements(np.shape)
def _shape(a: Tensor) -> tuple[int, ...]:
    return a.shape


@implements(np.ndim)
def _ndim(a: Tensor) -> int:
    return a.ndim


@implements(np.size)
def _size(a: Tensor) -> int:
    return a.size
