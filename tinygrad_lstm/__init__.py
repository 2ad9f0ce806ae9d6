"""Reverse-mode automatic differentiation on NumPy that shows why a gradient is what it is, with an LSTM on top."""

from tinygrad_lstm import by_hand
from tinygrad_lstm._backward import Gradients, gradients
from tinygrad_lstm._compare import Comparison, compare
from tinygrad_lstm._errors import DataError, DrawingError, DtypeError, Error, GradientError, IndexingError, ShapeError, UnknownNameError
from tinygrad_lstm._gradcheck import gradcheck
from tinygrad_lstm._lstm import LSTM
from tinygrad_lstm._operation import Operation
from tinygrad_lstm._ops.elementwise import (
    add,
    astype,
    divide,
    equal,
    exp,
    greater,
    greater_equal,
    less,
    less_equal,
    log,
    maximum,
    minimum,
    multiply,
    negative,
    not_equal,
    ones_like,
    power,
    relu,
    sigmoid,
    sqrt,
    square,
    subtract,
    tanh,
    where,
    zeros_like,
)
from tinygrad_lstm._ops.loss import squared_error
from tinygrad_lstm._ops.product import linear, matmul
from tinygrad_lstm._ops.reduce import add_n, mean, sum
from tinygrad_lstm._ops.shape import broadcast_to, concatenate, index, reshape, scatter, stack, swapaxes, transpose
from tinygrad_lstm._recorder import block, no_grad
from tinygrad_lstm._tape import Branch, Fork, Stage, Tape
from tinygrad_lstm._tensor import Tensor
