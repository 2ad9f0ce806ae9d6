"""What a layer is: a plain class with parameters and a forward call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm.engine.memory import array_of
from tinygrad_lstm.engine.recorder import scope
from tinygrad_lstm.errors import DataError, DtypeError, ShapeError, UnknownNameError
from tinygrad_lstm.tensor.parameters import flat
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["Module", "generator", "precision"]


class Module:
    """A part of a model: what it is made of, by name, and ``forward``.

    Write a layer of your own as a class that keeps Tensors and other modules in its attributes, or
    in lists and dicts there, and says in ``forward`` what a call computes. Tensors made with
    ``requires_grad=True`` are its parameters, until ``p.requires_grad = False`` freezes one: then
    it is no longer learned, but still saved. A module in an attribute records in a scope of that
    name: ``encoder.c<2>``.

    Attributes
    ----------
    training : bool
        Whether dropout drops; see :meth:`train` and :meth:`eval`.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import nn
    >>> class Regression(nn.Module):
    ...     def __init__(self):
    ...         self.lstm = nn.LSTM(1, 4, rng=0)
    ...         self.head = nn.Linear(4, 1, rng=1)
    ...
    ...     def forward(self, x):
    ...         y, _ = self.lstm(x)
    ...         return self.head(y)
    >>> model = Regression()
    >>> model(np.zeros((5, 2, 1))).shape
    (5, 2, 1)
    >>> list(model.parameters()), list(model.state_dict())[-1]
    (['lstm', 'head'], 'head.bias')
    """

    training: bool = True
    _scope = ""
    _learned: frozenset[str] = frozenset()  # the names of the Tensors that came as parameters

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What a call computes."""
        raise DtypeError(
            "a module says what a call computes", where=type(self).__name__, do="define forward"
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """``forward``, in the scope of the attribute that the module is kept in."""
        if not self._scope:
            return self.forward(*args, **kwargs)
        with scope(self._scope):
            return self.forward(*args, **kwargs)

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, np.ndarray) and name in self._learned:
            raise DtypeError(
                "an array would take the place of a parameter",
                where=f"{type(self).__name__}.{name}",
                expected="a Tensor with requires_grad=True",
                do=f"to change its numbers alone, set {name}.data",
            )
        learned = []
        for child_name, child in _parts(name, value):
            if isinstance(child, Tensor):
                learned += [child_name] * (child.is_leaf and child.requires_grad)
            elif not child._scope:
                child._scope = child_name
                for p in flat(child.parameters()).values():
                    p.name = f"{child_name}.{p.name}"
        super().__setattr__(name, value)
        if learned:
            super().__setattr__("_learned", self._learned.union(learned))

    def __repr__(self) -> str:
        lines = [f"  {line}".replace("\n", "\n  ") for line in self._described()]
        return "\n".join(
            [f"{type(self).__name__}(", *lines, ")"] if lines else [type(self).__name__ + "()"]
        )

    def _described(self) -> Iterator[str]:
        """What it is made of, for its repr."""
        tensors = self._tensors(frozen=True)
        for name, part in self.parts():
            if isinstance(part, Module):
                yield f"{name}: {part!r}"
            elif name in tensors:
                yield f"{name} {part.shape}" + ", frozen" * (not part.requires_grad)

    def parts(self) -> Iterator[tuple[str, Any]]:
        """The attributes that are modules or Tensors, by name, in the order of their making."""
        for name, value in vars(self).items():
            yield from _parts(name, value)

    def parameters(self) -> dict[str, Any]:
        """The Tensors that are learned, by name; those of a module in it as a dict of their own."""
        return self._tensors(frozen=False)

    def _tensors(self, frozen: bool) -> dict[str, Any]:
        """The parameters; those that are frozen too, or not. A constant is none, and no result that
        ``forward`` has kept."""
        found: dict[str, Any] = {}
        for name, part in self.parts():
            if isinstance(part, Module):
                if inner := part._tensors(frozen):
                    found[name] = inner
            elif part.is_leaf and (part.requires_grad or (frozen and name in self._learned)):
                found[name] = part
        return found

    def zero_grad(self) -> None:
        """Forget ``.grad`` of every parameter."""
        for p in flat(self.parameters()).values():
            p.zero_grad()

    def train(self, mode: bool = True) -> Module:
        """Let dropout drop, here and in all modules inside; return the module."""
        self.training = mode
        for _, part in self.parts():
            if isinstance(part, Module):
                part.train(mode)
        return self

    def eval(self) -> Module:
        """Compute as after training: nothing is dropped. Return the module."""
        return self.train(False)

    def state_dict(self) -> dict[str, np.ndarray]:
        """Copies of the parameters as arrays, frozen ones too, under PyTorch's names:
        ``lstm.weight_ih_l0``."""
        return {name: p.numpy().copy() for name, p in flat(self._tensors(frozen=True)).items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take the parameters from a mapping as :meth:`state_dict` returns it, or PyTorch's own.

        Parameters
        ----------
        state : mapping of str to array_like
            One array for each parameter. Nothing is changed unless all fit.

        Raises
        ------
        UnknownNameError
            If a name is missing or has no place here.
        ShapeError, DataError
            If an array has another shape than its parameter, or holds a number that is not finite.
        """
        mine, where = flat(self._tensors(frozen=True)), f"{type(self).__name__}.load_state_dict"
        if set(mine) != set(state):
            missing, unknown = sorted(set(mine) - set(state)), sorted(set(state) - set(mine))
            raise UnknownNameError(
                "these are not the names of the parameters",
                where=where,
                expected=", ".join(mine),
                got=f"missing {missing}, unknown {unknown}",
            )
        arrays = {name: _fitting(state[name], p, f"{where}, {name}") for name, p in mine.items()}
        for name, p in mine.items():
            p.data = arrays[name]


def _parts(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The modules and Tensors in an attribute, which may be lists and dicts of them."""
    if isinstance(value, (Tensor, Module)):
        yield name, value
    elif isinstance(value, (list, tuple, dict)):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _parts(f"{name}.{key}", entry)


def _fitting(value: Any, p: Tensor, where: str) -> np.ndarray:
    """`value` as an array for a parameter."""
    try:
        array = np.asarray(array_of(value)).astype(p.dtype)
    except (TypeError, ValueError, RuntimeError) as error:
        raise DtypeError(
            "this is no array", where=where, expected="numbers", got=str(error)
        ) from error
    if array.shape != p.shape:
        other = array.shape == p.shape[::-1]
        raise ShapeError(
            "the array does not have the parameter's shape",
            where=where,
            expected=p.shape,
            got=array.shape,
            do="it is transposed: convert Keras's layout with nn.from_keras" if other else None,
        )
    if not np.isfinite(array).all():
        raise DataError("a weight is not finite", where=where, expected="finite numbers")
    return array


def generator(rng: Any, where: str) -> np.random.Generator:
    """A source of random numbers from a seed, or the one given."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise DataError(
            "this is no source of random numbers",
            where=f"{where}(rng=...)",
            expected="a seed from 0 or a Generator",
            got=repr(rng),
        ) from error


def precision(dtype: Any, where: str) -> np.dtype[Any]:
    """float32 or float64."""
    kind: np.dtype[Any] = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise DtypeError(
            "a layer computes in single or double precision",
            where=f"{where}(dtype=...)",
            expected="float32 or float64",
            got=kind,
        )
    return kind
