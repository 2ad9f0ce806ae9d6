"""Functions of one value as methods, as PyTorch has them: ``x.tanh()`` is ``tanh(x)``."""

from __future__ import annotations

from typing import Any

from tinygrad_lstm.errors import UnknownAttributeError
from tinygrad_lstm.ops import (
    activation,
    elementwise,
    linalg,
    move,
    norm,
    product,
    reduce,
    select,
    shape,
    split,
    trigonometric,
)
from tinygrad_lstm.tensor.operators import Operators

__all__ = ["Functions"]


class Functions(Operators):
    """The recorded functions themselves, under their own names."""

    __slots__ = ()

    abs: Any = elementwise.abs
    arccos: Any = trigonometric.arccos
    arccosh: Any = trigonometric.arccosh
    arcsin: Any = trigonometric.arcsin
    arcsinh: Any = trigonometric.arcsinh
    arctan: Any = trigonometric.arctan
    arctan2: Any = trigonometric.arctan2
    arctanh: Any = trigonometric.arctanh
    broadcast_to: Any = shape.broadcast_to
    cbrt: Any = elementwise.cbrt
    ceil: Any = elementwise.ceil
    cholesky: Any = linalg.cholesky
    cos: Any = trigonometric.cos
    cosh: Any = trigonometric.cosh
    det: Any = linalg.det
    diag: Any = move.diag
    elu: Any = activation.elu
    erf: Any = activation.erf
    erfc: Any = activation.erfc
    exp: Any = elementwise.exp
    exp2: Any = elementwise.exp2
    expand_dims: Any = shape.expand_dims
    expm1: Any = elementwise.expm1
    flip: Any = move.flip
    floor: Any = elementwise.floor
    gelu: Any = activation.gelu
    inner: Any = product.inner
    inv: Any = linalg.inv
    leaky_relu: Any = activation.leaky_relu
    log: Any = elementwise.log
    log10: Any = elementwise.log10
    log1p: Any = elementwise.log1p
    log2: Any = elementwise.log2
    log_softmax: Any = reduce.log_softmax
    logsigmoid: Any = activation.logsigmoid
    logsumexp: Any = reduce.logsumexp
    matmul: Any = product.matmul
    maximum: Any = elementwise.maximum
    median: Any = reduce.median
    minimum: Any = elementwise.minimum
    moveaxis: Any = shape.moveaxis
    nan_to_num: Any = elementwise.nan_to_num
    nanmean: Any = reduce.nanmean
    nansum: Any = reduce.nansum
    negative: Any = elementwise.negative
    norm: Any = norm.norm
    outer: Any = product.outer
    pinv: Any = linalg.pinv
    power: Any = elementwise.power
    reciprocal: Any = elementwise.reciprocal
    relu: Any = elementwise.relu
    rint: Any = elementwise.rint
    roll: Any = move.roll
    sigmoid: Any = elementwise.sigmoid
    sign: Any = elementwise.sign
    silu: Any = activation.silu
    sin: Any = trigonometric.sin
    sinc: Any = trigonometric.sinc
    sinh: Any = trigonometric.sinh
    softmax: Any = reduce.softmax
    softplus: Any = activation.softplus
    sqrt: Any = elementwise.sqrt
    square: Any = elementwise.square
    take_along_axis: Any = select.take_along_axis
    tan: Any = trigonometric.tan
    tanh: Any = elementwise.tanh
    tile: Any = move.tile
    tril: Any = move.tril
    triu: Any = move.triu
    trunc: Any = elementwise.trunc
    unstack: Any = split.unstack
    vdot: Any = product.vdot

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name not in PYTORCH]


PYTORCH = {
    **dict.fromkeys(("view", "reshape_as", "view_as"), "t.reshape(shape)"),
    **dict.fromkeys(("add", "add_"), "+"),
    **dict.fromkeys(("sub", "sub_"), "-"),
    **dict.fromkeys(("mul", "mul_"), "*"),
    **dict.fromkeys(("div", "div_", "true_divide"), "/"),
    **dict.fromkeys(("mm", "bmm", "mv"), "@"),
    **dict.fromkeys(("clamp", "clamp_"), "t.clip(low, high)"),
    **dict.fromkeys(("zero_", "fill_", "copy_"), "t[...] = value under no_grad"),
    **dict.fromkeys(("expand", "expand_as"), "t.broadcast_to(shape)"),
    **dict.fromkeys(("float", "double", "half", "int", "long", "bool", "to"), "t.astype(dtype)"),
    **dict.fromkeys(("cpu", "cuda", "contiguous"), "the Tensor as it is: NumPy computes here"),
    "asin": "t.arcsin()",
    "acos": "t.arccos()",
    "atan": "t.arctan()",
    "chunk": "array_split(t, n, axis)",
    "detach_": "t.detach()",
    "dim": "t.ndim",
    "eq": "==",
    "gather": "t.take_along_axis(indices, axis)",
    "index_select": "t.take(indices, axis)",
    "inverse": "t.inv()",
    "masked_fill": "where(mask, value, t)",
    "neg": "-t",
    "numel": "t.size",
    "permute": "t.transpose(axes)",
    "pow": "**",
    "rsqrt": "t ** -0.5",
    "t": "t.T",
    "unbind": "t.unstack(axis)",
    "unsqueeze": "t.expand_dims(axis)",
}
"""What is written for PyTorch's methods."""


class Elsewhere:
    """A name of PyTorch's: whoever asks for it is told NumPy's. (A ``__getattr__`` would say it
    too, but Python then takes longer for every attribute of every Tensor.)

    Parameters
    ----------
    name : str
        What was asked for.
    instead : str
        What to write.
    """

    def __init__(self, name: str, instead: str) -> None:
        self._name, self._instead = name, instead

    def __get__(self, tensor: Any, owner: type) -> Any:
        raise UnknownAttributeError(
            "a Tensor has NumPy's names",
            where=f"Tensor.{self._name}",
            do=f"use {self._instead}",
        )


for _name, _instead in PYTORCH.items():
    setattr(Functions, _name, Elsewhere(_name, _instead))
