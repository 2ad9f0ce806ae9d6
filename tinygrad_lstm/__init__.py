"""Reverse-mode automatic differentiation on NumPy that shows why a gradient is what it is, with an LSTM on top."""

from tinygrad_lstm import by_hand
from tinygrad_lstm._anomaly import detect_anomaly
from tinygrad_lstm._backward import Gradients, gradients
from tinygrad_lstm._checkpoint import checkpoint
from tinygrad_lstm._compare import Comparison, compare
from tinygrad_lstm._errors import AnomalyError, DataError, DrawingError, DtypeError, Error, GradientError, IndexingError, ShapeError, UnknownNameError
from tinygrad_lstm._gradcheck import gradcheck
from tinygrad_lstm._lstm import LSTM
from tinygrad_lstm._operation import Operation
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
from tinygrad_lstm._recorder import block, enable_grad, no_grad
from tinygrad_lstm._stage import stage
from tinygrad_lstm._tape import Branch, Fork, Stage, Tape
from tinygrad_lstm._tensor import Tensor
from tinygrad_lstm._transforms import grad, hessian, hvp, jacobian, jvp, value_and_grad, vjp
