"""What travels to a worker: a function once, and the parameters of a loss once a step."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import io
import pickle
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from tinygrad_lstm.compiler.compiled import compile
from tinygrad_lstm.errors import DtypeError, Error, GradientError
from tinygrad_lstm.parallel.travel import travelling
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = [
    "Loss",
    "Message",
    "Shelf",
    "called",
    "loaded",
    "packed",
    "packed_function",
    "pickled",
    "pickler",
]


@dataclass(frozen=True)
class Message:
    """Bytes, or the file that holds them, with the name under which a worker keeps what they say.

    Attributes
    ----------
    key : str
        The digest of the bytes.
    content : bytes or Path
        The bytes, or where they are.
    """

    key: str
    content: bytes | Path

    @classmethod
    def of(cls, content: bytes) -> Message:
        """A message that is named after its content."""
        return cls(hashlib.blake2b(content, digest_size=16).hexdigest(), content)

    def filed(self, folder: Path) -> Message:
        """The message as a file in `folder`, for processes of this machine."""
        path = folder / self.key
        if isinstance(self.content, bytes) and not path.exists():
            path.write_bytes(self.content)
        return Message(self.key, path)

    def read(self) -> bytes:
        """The bytes."""
        return self.content if isinstance(self.content, bytes) else self.content.read_bytes()


class Loss:
    """A loss function in this process, for one shard at a time.

    Parameters
    ----------
    function : callable
        The loss.
    parameters : dict of str to Tensor
        What it is differentiated by, by name.

    Attributes
    ----------
    seen : mapping of int to Tensor
        Living leaves that require gradients and are no parameters, by ``id``, from earlier shards.
    """

    function: Callable[..., Any]
    parameters: Mapping[str, Tensor]

    def __init__(self, function: Callable[..., Any], parameters: Mapping[str, Tensor]) -> None:
        self.function, self.parameters = function, parameters
        self.seen: MutableMapping[int, Tensor] = WeakValueDictionary()
        self.values = ""

    @cached_property
    def compiled(self) -> Callable[..., Any]:
        """The loss as a program; it keeps its memory, so that it runs one shard at a time."""
        return compile(self.function)

    def another(self) -> Loss:
        """The same for one more shard at the same time."""
        loss = Loss(self.function, self.parameters)
        loss.seen = self.seen
        return loss


def packed(loss: Loss) -> tuple[Message, Message]:
    """A loss function, and the values of its parameters, ready to travel.

    The function refers to its parameters by name, so that a worker that has it is sent new values
    only.

    Raises
    ------
    DtypeError
        If the function cannot be pickled.
    GradientError
        If it refers to a Tensor that requires gradients and is no parameter.
    """
    names = {id(tensor): name for name, tensor in loss.parameters.items()}
    arrays = {name: tensor.numpy() for name, tensor in loss.parameters.items()}
    values = pickle.dumps(arrays, protocol=5)
    function = pickled(loss.function, _naming(names), _called(loss.function))
    return Message.of(function), Message.of(values)


def packed_function(function: Callable[..., Any]) -> Message:
    """A function that takes one item, ready to travel. Tensors that it refers to go with it, as
    leaves.

    Raises
    ------
    DtypeError
        If it cannot be pickled.
    """
    return Message.of(pickled(function, pickler(), _called(function)))


def _called(function: Any) -> str:
    return str(getattr(function, "__qualname__", repr(function)))


def pickled(content: Any, pickler: Any, where: str) -> bytes:
    """The bytes of some content.

    Raises
    ------
    DtypeError
        If it cannot be pickled; it says how to define it.
    """
    target = io.BytesIO()
    try:
        pickler(target).dump(content)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        if isinstance(error, Error):
            raise
        raise DtypeError(
            f"this cannot be sent to another process: {error}",
            where=where,
            expected="a function of a module, or a method of an object that can be pickled",
            do="define it with def at the top of a file, use executor='threads', or install the "
            "extra dask, whose cloudpickle sends lambdas too",
        ) from error
    return target.getvalue()


def pickler() -> Any:
    """A pickler that writes a Tensor as a leaf. Where cloudpickle is installed, it sends lambdas
    too."""
    base: Any = pickle.Pickler
    if importlib.util.find_spec("cloudpickle"):
        base = importlib.import_module("cloudpickle").Pickler

    class Pickler(base):  # type: ignore[misc]
        def reducer_override(self, x: Any) -> Any:
            if isinstance(x, Tensor):  # not as it lies: its memory may be lent, its graph deep
                return Tensor, (np.array(x.numpy()), x.requires_grad, x.name)
            inherited = getattr(super(), "reducer_override", None)
            return NotImplemented if inherited is None else inherited(x)

    return Pickler


def _naming(names: Mapping[int, str]) -> Any:
    """A pickler that writes a parameter as its name, and no other Tensor that requires
    gradients."""

    class Naming(pickler()):  # type: ignore[misc]
        def persistent_id(self, x: Any) -> str | None:
            if not isinstance(x, Tensor) or not x.requires_grad:
                return None
            if id(x) in names:
                return names[id(x)]
            raise GradientError(
                "the loss reads a Tensor that requires gradients and is no parameter",
                where=f"{x.name or 'a Tensor'} {x.shape}",
                do="give it in params=, or detach() it",
            )

    return Naming


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, parameters: Mapping[str, Tensor]) -> None:
        super().__init__(file)
        self._parameters = parameters

    def persistent_load(self, name: str) -> Tensor:
        return self._parameters[name]


class Shelf:
    """Loss functions that wait for a shard: each is lent to one at a time.

    Parameters
    ----------
    make : callable
        Makes one more.
    """

    def __init__(self, make: Callable[[], Loss]) -> None:
        self._make = make
        self._free: list[Loss] = []

    @contextlib.contextmanager
    def lent(self) -> Iterator[Loss]:
        """One of them; it is put back at the end."""
        try:
            loss = self._free.pop()
        except IndexError:
            loss = self._make()
        try:
            yield loss
        finally:
            self._free.append(loss)


KEPT = 4
"""How many functions a worker remembers."""

_shelves: dict[str, Shelf] = {}
_functions: dict[str, Callable[[Any], Any]] = {}
_looking = threading.Lock()


def called(function: Message, item: Any) -> Any:
    """A function that was sent, of one item. What this process has already is not read again."""
    with _looking:
        if function.key not in _functions:
            _make_room(_functions)
            _functions[function.key] = pickle.loads(function.read())
        found = _functions[function.key]
    return travelling(found, item)


def _make_room(kept: dict[str, Any]) -> None:
    while len(kept) >= KEPT:
        del kept[next(iter(kept))]


@contextlib.contextmanager
def loaded(function: Message, values: Message) -> Iterator[Loss]:
    """The loss function of two messages. What this process has already is not read again."""
    with _looking:
        if function.key not in _shelves:
            _make_room(_shelves)
            _shelves[function.key] = Shelf(functools.partial(_read, function, values))
        shelf = _shelves[function.key]
    with shelf.lent() as loss:
        if loss.values != values.key:
            for name, array in pickle.loads(values.read()).items():
                loss.parameters[name].data = array
            loss.values = values.key
        yield loss


def _read(function: Message, values: Message) -> Loss:
    arrays: dict[str, np.ndarray] = pickle.loads(values.read())
    parameters = {name: Tensor(array, True, name) for name, array in arrays.items()}
    loss = Loss(_Unpickler(io.BytesIO(function.read()), parameters).load(), parameters)
    loss.values = values.key
    return loss
