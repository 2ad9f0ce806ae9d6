"""Reverse-mode automatic differentiation on NumPy that shows why a gradient is what it is, with an LSTM on top."""

import builtins

from tinygrad_lstm import by_hand
from tinygrad_lstm._anomaly import detect_anomaly
from tinygrad_lstm._backward import Gradients, gradients
from tinygrad_lstm._checkpoint import checkpoint
from tinygrad_lstm._compare import Comparison, assert_gradients_match, compare
from tinygrad_lstm._errors import AnomalyError, DataError, DrawingError, DtypeError, Error, GradientError, IndexingError, ShapeError, UnknownNameError
from tinygrad_lstm._explain import Explanation, explain
from tinygrad_lstm._gradcheck import gradcheck, gradgradcheck
from tinygrad_lstm._lstm import LSTM
from tinygrad_lstm._memory import keep_freed_memory
from tinygrad_lstm._ops.activation import *
from tinygrad_lstm._ops.complex import *
from tinygrad_lstm._ops.elementwise import *
from tinygrad_lstm._ops.layer import *
from tinygrad_lstm._ops.linalg import *
from tinygrad_lstm._ops.logic import *
from tinygrad_lstm._ops.loss import *
from tinygrad_lstm._ops.move import *
from tinygrad_lstm._ops.norm import *
from tinygrad_lstm._ops.product import *
from tinygrad_lstm._ops.reduce import *
from tinygrad_lstm._ops.select import *
from tinygrad_lstm._ops.shape import *
from tinygrad_lstm._ops.split import *
from tinygrad_lstm._ops.trigonometric import *
from tinygrad_lstm._paths import Paths, paths
from tinygrad_lstm._recorder import block, enable_grad, no_grad
from tinygrad_lstm._stage import stage
from tinygrad_lstm._tape import Branch, Fork, Stage, Tape
from tinygrad_lstm._tensor import Tensor
from tinygrad_lstm._transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp

__all__ = [name for name in globals() if not name.startswith("_") and not hasattr(builtins, name) and name not in ("builtins", "keep_freed_memory")]
"""What ``from tinygrad_lstm import *`` brings: everything but the namesakes of built-ins (sum, max, round, ...)."""

keep_freed_memory()
