"""The operators that a Tensor has because an ndarray has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lstm.engine.protocols import NumPy, numpy_function
from tinygrad_lstm.ops import elementwise, product

__all__ = ["Operators"]


class Operators(NumPy):
    """NumPy's operators. Those of the LSTM are the recorded functions themselves."""

    __slots__ = ()

    __add__ = elementwise.add
    __sub__ = elementwise.subtract
    __mul__ = elementwise.multiply
    __truediv__ = elementwise.divide
    __pow__ = elementwise.power
    __matmul__ = product.matmul
    __neg__ = elementwise.negative
    __gt__ = elementwise.greater
    __ge__ = elementwise.greater_equal
    __lt__ = elementwise.less
    __le__ = elementwise.less_equal
    __eq__ = elementwise.equal
    __ne__ = elementwise.not_equal
    __hash__ = object.__hash__  # a Tensor is itself, whatever == says of its entries

    def __radd__(self, other: Any) -> Any:
        return elementwise.add(other, self)

    def __rsub__(self, other: Any) -> Any:
        return elementwise.subtract(other, self)

    def __rmul__(self, other: Any) -> Any:
        return elementwise.multiply(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        return elementwise.divide(other, self)

    def __rpow__(self, other: Any) -> Any:
        return elementwise.power(other, self)

    def __rmatmul__(self, other: Any) -> Any:
        return product.matmul(other, self)

    def __mod__(self, other: Any) -> Any:
        return numpy_function(np.remainder, (self, other), {}, "Tensor.__mod__")

    def __rmod__(self, other: Any) -> Any:
        return np.remainder(other, self)

    def __floordiv__(self, other: Any) -> Any:
        return numpy_function(np.floor_divide, (self, other), {}, "Tensor.__floordiv__")

    def __rfloordiv__(self, other: Any) -> Any:
        return np.floor_divide(other, self)

    def __and__(self, other: Any) -> Any:
        return numpy_function(np.bitwise_and, (self, other), {}, "Tensor.__and__")

    def __rand__(self, other: Any) -> Any:
        return np.bitwise_and(other, self)

    def __or__(self, other: Any) -> Any:
        return numpy_function(np.bitwise_or, (self, other), {}, "Tensor.__or__")

    def __ror__(self, other: Any) -> Any:
        return np.bitwise_or(other, self)

    def __xor__(self, other: Any) -> Any:
        return numpy_function(np.bitwise_xor, (self, other), {}, "Tensor.__xor__")

    def __rxor__(self, other: Any) -> Any:
        return np.bitwise_xor(other, self)

    def __abs__(self) -> Any:
        return numpy_function(np.abs, (self,), {}, "Tensor.__abs__")

    def __invert__(self) -> Any:
        return numpy_function(np.invert, (self,), {}, "Tensor.__invert__")
