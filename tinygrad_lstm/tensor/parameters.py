"""Parameters in dicts by name, one inside the other, and as one list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tinygrad_lstm.errors import DtypeError
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["distinct", "flat"]


def flat(parameters: Any) -> dict[str, Tensor]:
    """The Tensors in dicts of dicts by one name each, with dots in it: ``encoder.weight_ih_l0``.

    Parameters
    ----------
    parameters : mapping, iterable of Tensor, or object with ``parameters()``
        What a module's ``parameters()`` returns, the module itself, or Tensors alone, which are
        numbered.

    Raises
    ------
    DtypeError
        If there is anything but Tensors in it.
    """
    if hasattr(parameters, "parameters"):
        parameters = parameters.parameters()
    if isinstance(parameters, Tensor) or not isinstance(parameters, Iterable):
        raise DtypeError(
            "parameters are Tensors by name",
            where="parameters",
            expected="a dict, a module, or a list of Tensors",
            got=type(parameters).__name__,
        )
    return dict(_leaves(parameters, ""))


def distinct(parameters: Any) -> dict[str, Tensor]:
    """As :func:`flat`, but a Tensor that several modules share is there once, by its first name."""
    found = {id(tensor): (name, tensor) for name, tensor in reversed(flat(parameters).items())}
    return dict(reversed(found.values()))


def _leaves(parameters: Iterable[Any], prefix: str) -> Iterator[tuple[str, Tensor]]:
    entries = parameters.items() if isinstance(parameters, Mapping) else enumerate(parameters)
    for key, value in entries:
        name = f"{prefix}{key}"
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _leaves(value, f"{name}.")
        else:
            raise DtypeError("a parameter is a Tensor", where=name, got=type(value).__name__)
