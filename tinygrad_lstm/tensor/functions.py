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

    abs = elementwise.abs
    arccos = trigonometric.arccos
    arccosh = trigonometric.arccosh
    arcsin = trigonometric.arcsin
    arcsinh = trigonometric.arcsinh
    arctan = trigonometric.arctan
    arctan2 = trigonometric.arctan2
    arctanh = trigonometric.arctanh
    broadcast_to = shape.broadcast_to
    cbrt = elementwise.cbrt
    ceil = elementwise.ceil
    cholesky = linalg.cholesky
    cos = trigonometric.cos
    cosh = trigonometric.cosh
    det = linalg.det
    diag = move.diag
    elu = activation.elu
    erf = activation.erf
    erfc = activation.erfc
    exp = elementwise.exp
    exp2 = elementwise.exp2
    expand_dims = shape.expand_dims
    expm1 = elementwise.expm1
    flip = move.flip
    floor = elementwise.floor
    gelu = activation.gelu
    inner = product.inner
    inv = linalg.inv
    leaky_relu = activation.leaky_relu
    log = elementwise.log
    log10 = elementwise.log10
    log1p = elementwise.log1p
    log2 = elementwise.log2
    log_softmax = reduce.log_softmax
    logsigmoid = activation.logsigmoid
    logsumexp = reduce.logsumexp
    matmul = product.matmul
    maximum = elementwise.maximum
    median = reduce.median
    minimum = elementwise.minimum
    moveaxis = shape.moveaxis
    nan_to_num = elementwise.nan_to_num
    nanmean = reduce.nanmean
    nansum = reduce.nansum
    negative = elementwise.negative
    norm = norm.norm
    outer = product.outer
    pinv = linalg.pinv
    power = elementwise.power
    reciprocal = elementwise.reciprocal
    relu = elementwise.relu
    rint = elementwise.rint
    roll = move.roll
    sigmoid = elementwise.sigmoid
    sign = elementwise.sign
    silu = activation.silu
    sin = trigonometric.sin
    sinc = trigonometric.sinc
    sinh = trigonometric.sinh
    softmax = reduce.softmax
    softplus = activation.softplus
    sqrt = elementwise.sqrt
    square = elementwise.square
    take_along_axis = select.take_along_axis
    tan = trigonometric.tan
    tanh = elementwise.tanh
    tile = move.tile
    tril = move.tril
    triu = move.triu
    trunc = elementwise.trunc
    unstack = split.unstack
    vdot = product.vdot

    def __getattr__(self, name: str) -> Any:
        """Only asked for what is not there: PyTorch's names are answered with NumPy's."""
        if name in PYTORCH:
            raise UnknownAttributeError(
                "a Tensor has NumPy's names", where=f"Tensor.{name}", do=f"use {PYTORCH[name]}"
            )
        raise AttributeError(f"'Tensor' object has no attribute '{name}'", name=name, obj=self)


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
