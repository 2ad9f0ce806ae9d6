"""NumPy's own functions on Tensors: each is recorded as the operation of its name, or refused by
name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from tinygrad_lstm.engine.leaving import went
from tinygrad_lstm.engine.memory import read_only
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.operation import NUMPY, implements
from tinygrad_lstm.errors import DtypeError, Error, GradientError

__all__ = ["NumPy", "numpy_function"]

DEFAULTS: dict[str, tuple[Any, ...]] = {
    "out": (None, (None,)),
    "where": (True, np._NoValue),
    "dtype": (None,),
    "casting": ("same_kind",),
    "order": ("K", None),
    "subok": (True,),
}
"""Keywords of NumPy's functions that mean nothing at these values; at any other they are not
supported."""

ALONG_AXIS: dict[str, dict[Any, Any]] = {
    "reduce": {np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min},
    "accumulate": {np.add: np.cumsum, np.multiply: np.cumprod},
}
"""NumPy's names for the ways in which a ufunc runs along an axis; theirs is 0 unless given, these
functions' are all."""

DIFFERENTIABLE = frozenset(("a_min", "a_max", "min", "max", "default", "prepend", "append"))
"""Parameters of NumPy's functions that are inputs here."""

ADVICE = {"out": "assign the result", "dtype": "use astype"}


def numpy_function(function: Any, args: Any, kwargs: Any, label: str) -> Any:
    """What NumPy's `function` computes, recorded.

    Raises
    ------
    DtypeError
        If `function` has no derivative rule here, or is given an option that its operation does not
        know.
    """
    if function not in NUMPY:
        raise _no_rule(label)
    kwargs = {key: value for key, value in kwargs.items() if not _is_default(key, value)}
    for key in ("out", "where", "casting", "subok", "initial"):
        if key in kwargs:
            raise DtypeError(
                f"{key}= is not supported for Tensors",
                where=label,
                do=ADVICE.get(key, "leave it out"),
            )
    ours = NUMPY[function]
    op = getattr(ours, "op", None)
    if kwargs or op is None or len(args) > len(op.arguments) > 0:
        _check_parameters(ours, args, kwargs, label)
    try:
        return ours(*args, **kwargs)
    except TypeError as error:
        if isinstance(error, Error):
            raise
        raise DtypeError(
            str(error), where=label, do="leave out what this package's function does not know"
        ) from error


def _check_parameters(ours: Any, args: Any, kwargs: Any, label: str) -> None:
    """Raise if a parameter, by which nothing is differentiated, is a recorded value."""
    if not any(isinstance(x, Node) and x._requires_grad for x in (*args[1:], *kwargs.values())):
        return
    signature = inspect.signature(ours)
    try:
        given = signature.bind(*args, **kwargs).arguments
    except TypeError:  # the call says it better
        return
    for name, value in given.items():
        optional = signature.parameters[name].default is not inspect.Parameter.empty
        if optional and name not in DIFFERENTIABLE and getattr(value, "_requires_grad", False):
            raise DtypeError(
                f"there is no derivative by {name}=, so its gradient would be lost",
                where=label,
                expected="a plain number or array",
                got="a Tensor that requires gradients",
                do="use .detach() or .item() where that is meant",
            )


def _is_default(key: str, value: Any) -> bool:
    return (
        value is np._NoValue
        or any(value is default for default in DEFAULTS.get(key, ()))
        or (key, value) == ("casting", "same_kind")
    )


def _no_rule(function: str) -> DtypeError:
    return DtypeError(
        "no derivative rule is known for this function, so its result would lose the gradient",
        where=function,
        do="use t.detach().numpy() where no gradient is wanted, or define the stage yourself "
        "with @stage",
    )


class NumPy(Node):
    """What NumPy calls when one of its functions meets a Tensor."""

    __slots__ = ()

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        label = f"np.{ufunc.__name__}" + ("" if method == "__call__" else f".{method}")
        along = ALONG_AXIS.get(method, {})
        if ufunc in along:
            return numpy_function(along[ufunc], inputs, {"axis": 0, **kwargs}, label)
        if method == "outer":
            a, b = inputs
            inputs = (np.reshape(a, np.shape(a) + (1,) * np.ndim(b)), b)
        elif method != "__call__":
            raise _no_rule(label)
        return numpy_function(ufunc, inputs, kwargs, label)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return numpy_function(
            function,
            args,
            kwargs,
            f"{function.__module__}.{function.__name__}".replace("numpy.", "np."),
        )

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if self._requires_grad:
            raise GradientError(
                "turning a Tensor that requires gradients into an array would lose them",
                where=f"np.asarray({getattr(self, 'name', None) or 'Tensor'})",
                do="use t.numpy() or t.detach() where that is what you want",
            )
        return np.array(self._look(), dtype)


# What NumPy asks about values, without computing: constants.


def _asked(function: Any) -> None:
    def answer(*args: Any, **kwargs: Any) -> Any:
        for x in (*args, *kwargs.values()) if function in ABOUT_NUMBERS else ():
            if isinstance(x, Node):
                went(x, f"np.{function.__name__}")
        return function(*map(_array, args), **{key: _array(x) for key, x in kwargs.items()})

    implements(function)(answer)


def _array(x: Any) -> Any:
    """The array of a Tensor, for looking at: read-only."""
    return read_only(x._look()) if isinstance(x, Node) else x


ABOUT_NUMBERS = (
    *(np.array_equal, np.allclose, np.isclose),
    *(np.count_nonzero, np.all, np.any),
)
ABOUT_ARRAYS = (
    *(np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj),
    *(np.result_type, np.can_cast, np.min_scalar_type),
    *(np.shares_memory, np.may_share_memory),
    *(np.array_repr, np.array_str, np.array2string, np.empty_like),
)

for _question in (*ABOUT_NUMBERS, *ABOUT_ARRAYS):
    _asked(_question)
