"""Rows of the table: elementwise."""

import numpy as np

import tinygrad_lstm as tg
from rows.row import Row, apart, normal, positive


def within(low, high, *shapes):
    return lambda rng: [rng.uniform(low, high, size=shape) for shape in shapes]


def one_bound(x):
    return np.clip(x * x, None, 0.5) + np.clip(x, 0.2, None)


WHOLE = np.array([1.0, 2.0, 3.0])
LOW, HIGH = np.array(-1.03), np.array([0.93, 0.97, 1.01])

UNARY = {  # NumPy's functions of one argument, through NumPy's own name, and where they are smooth
    "negative": normal((2, 3)),
    "square": normal((2, 3)),
    "sqrt": positive((2, 3)),
    "cbrt": positive((2, 3)),
    "reciprocal": positive((2, 3)),
    "exp": normal((2, 3)),
    "expm1": normal((2, 3)),
    "log": positive((2, 3)),
    "log1p": positive((2, 3)),
    "log2": positive((2, 3)),
    "log10": positive((2, 3)),
    "exp2": normal((2, 3)),
    "radians": normal((2, 3)),
    "degrees": normal((2, 3)),
    "sinc": lambda rng: [np.array([[-1.3, 0.0, 1e-5], [7e-4, 2e-3, 1.0]])],
    "tanh": normal((2, 3)),
    "absolute": apart((2, 3)),
    "sin": normal((2, 3)),
    "cos": normal((2, 3)),
    "tan": within(-1.2, 1.2, (2, 3)),
    "arcsin": within(-0.8, 0.8, (2, 3)),
    "arccos": within(-0.8, 0.8, (2, 3)),
    "arctan": normal((2, 3)),
    "sinh": normal((2, 3)),
    "cosh": normal((2, 3)),
    "arcsinh": normal((2, 3)),
    "arccosh": within(1.3, 3.0, (2, 3)),
    "arctanh": within(-0.8, 0.8, (2, 3)),
    "sign": apart((2, 3)),
    "floor": apart((2, 3)),
    "ceil": apart((2, 3)),
    "trunc": apart((2, 3)),
    "rint": apart((2, 3)),
    "round": apart((2, 3)),
}

ROWS = [
    Row("fmax", np.fmax, np.fmax, [apart((2, 3), (3,))]),
    Row("fmin", np.fmin, np.fmin, [apart((2, 3), (3,))]),
    Row("angle", np.angle, np.angle, [apart((2, 3))]),
    Row("deg2rad", np.deg2rad, np.deg2rad, [normal((3,))]),
    Row("rad2deg", np.rad2deg, np.rad2deg, [normal((3,))]),
    Row("copy", np.copy, np.copy, [normal((2, 3))]),
    Row("real", np.real, np.real, [normal((2, 3))]),
    Row("imag", np.imag, np.imag, [normal((2, 3))]),
    *(Row(name, getattr(np, name), getattr(np, name), [make]) for name, make in UNARY.items()),
    Row(
        "empty and 0-d",
        lambda x, y: np.exp(x) + np.sin(y),
        lambda x, y: np.exp(x) + np.sin(y),
        [normal((0, 3), ()), normal((), ())],
    ),
    Row("add", tg.add, np.add, [normal((2, 3), (2, 3)), normal((2, 1), (3,)), normal((), (2, 0))]),
    Row("subtract", tg.subtract, np.subtract, [normal((2, 3), (3,)), normal((1, 3), (2, 1))]),
    Row(
        "multiply",
        tg.multiply,
        np.multiply,
        [normal((2, 3), (3,)), normal((4, 1, 3), (2, 1)), normal((), (3,))],
    ),
    Row("divide", tg.divide, np.divide, [positive((2, 3), (3,)), positive((2, 1), (1, 3))]),
    Row("power", tg.power, np.power, [positive((2, 3), (2, 3)), positive((3,), ())]),
    Row(
        "power (number)",
        lambda x: x**3 + x**-2 + x**0.5,
        lambda x: x**3 + x**-2 + x**0.5,
        [positive((2, 3))],
    ),
    Row(
        "power (negative base)",
        lambda x: x**WHOLE,
        lambda x: x**WHOLE,
        [normal((2, 3))],
        single=False,
    ),
    Row("power (of number)", lambda x: 2.0**x, lambda x: 2.0**x, [normal((2, 3))]),
    Row(
        "reflected",
        lambda x: 1 - 2 / (3 * x) + 1,
        lambda x: 1 - 2 / (3 * x) + 1,
        [positive((2, 3))],
    ),
    Row("logaddexp2", np.logaddexp2, np.logaddexp2, [normal((2, 3), (3,))]),
    Row("logaddexp", np.logaddexp, np.logaddexp, [normal((2, 3), (3,)), normal((2, 1), (1, 3))]),
    Row(
        "logaddexp (number)",
        lambda x: np.logaddexp(0.5, x),
        lambda x: np.logaddexp(0.5, x),
        [normal((2, 3))],
    ),
    Row("arctan2", np.arctan2, np.arctan2, [apart((2, 3), (2, 3)), positive((2, 1), (3,))]),
    Row(
        "hypot",
        np.hypot,
        np.hypot,
        [positive((2, 3), (2, 3)), positive((2, 1), (3,)), positive((), (2,))],
    ),
    Row(
        "floor_divide",
        np.floor_divide,
        np.floor_divide,
        [lambda rng: [np.array([7.3, -7.3, 5.1]), np.array([2.0, 2.0, -3.0])]],
    ),
    Row(
        "remainder",
        np.remainder,
        np.remainder,
        [lambda rng: [np.array([[7.3, -7.3, 5.1], [0.7, 8.8, -1.2]]), np.array([2.0, 2.1, -3.0])]],
    ),
    Row("sigmoid", tg.sigmoid, lambda x: 1 / (1 + np.exp(-x)), [normal((2, 3))]),
    Row("relu", tg.relu, lambda x: np.where(x > 0, x, 0), [apart((2, 3))]),
    Row("maximum", tg.maximum, np.maximum, [apart((2, 3), (2, 3)), apart((2, 1), (3,))]),
    Row("minimum", tg.minimum, np.minimum, [apart((2, 3), (2, 3)), apart((2, 1), (3,))]),
    Row(
        "clip",
        np.clip,
        np.clip,
        [lambda rng: [rng.permutation([-2.5, -0.6, 0.1, 0.4, 1.3, 2.6]).reshape(2, 3), LOW, HIGH]],
    ),
    Row(
        "clip (one bound)",
        lambda x: np.clip(x * x, None, 0.5) + x.clip(min=0.2),
        one_bound,
        [apart((2, 3))],
    ),
    Row(
        "nan_to_num",
        lambda x: np.nan_to_num(x * x, nan=0.5),
        lambda x: x * x,
        [apart((2, 3)), normal((0, 2))],
    ),
    Row(
        "where",
        lambda a, b: tg.where(a > b, a * a, b),
        lambda a, b: np.where(a > b, a * a, b),
        [apart((2, 3), (2, 3)), apart((2, 1), (3,))],
    ),
    Row(
        "astype",
        lambda x: x.astype(np.float64) * x,
        lambda x: x * x,
        [normal((2, 3))],
        single=False,
    ),
]
