"""An exercise: which network, which of its derivatives are asked for, and in which functions."""

from __future__ import annotations

import importlib.util
import itertools
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.hand import derive
from tinygrad_lstm.derivation.python import identifier
from tinygrad_lstm.engine.names import Key, relative
from tinygrad_lstm.errors import DataError
from tinygrad_lstm.exercises.networks import NETWORKS
from tinygrad_lstm.tensor.tensor import Tensor

__all__ = ["LEVELS", "Asked", "Exercise", "exercise", "read"]

LEVELS = ("chain", "forks", "all")
MARK = "# tinygrad-lstm exercise:"
SHARE = re.compile(r" @ \d+")


@dataclass(frozen=True)
class Asked:
    """A function that is to be written: the same derivative in one or more blocks.

    Attributes
    ----------
    function : str
        What it is called.
    keys : dict of str to (int or None)
        The derivatives that it returns, in the order of backward, and the block t of each.
    said : str
        The derivative with its blocks counted from t.
    shape : tuple of int
        The shape of what it returns.
    """

    function: str
    keys: dict[str, int | None]
    said: str
    shape: tuple[int, ...]

    @property
    def blocks(self) -> list[int]:
        """The blocks that it is called with; none for one that has no argument t."""
        return [t for t in self.keys.values() if t is not None]


class Exercise:
    """Derivatives of a loss, to be filled in.

    Parameters
    ----------
    network : str
        A name of those that come with this package, or ``FILE.py:function``, a function without
        arguments that returns a loss.
    level : {"chain", "forks", "all"}
        What is asked for: the derivative by every value; the branches of forks, and what they sum
        to; or both.
    steps : int
        How many blocks a recurrent network has.
    seed : int
        Of all numbers.

    Attributes
    ----------
    loss : Tensor
        What is differentiated.
    keys : tuple of str
        What is asked for, in the order of backward.
    """

    network: str
    level: str
    steps: int
    seed: int
    loss: Any
    shapes: dict[str, tuple[int, ...]]
    keys: tuple[str, ...]

    def __init__(self, network: str, level: str = "chain", steps: int = 3, seed: int = 0) -> None:
        if level not in LEVELS:
            raise DataError("no level", where="exercise", expected=", ".join(LEVELS), got=level)
        self.network, self.level, self.steps, self.seed = network, level, steps, seed
        self.loss = _loss(network, steps, seed)
        hand = derive(self.loss)
        self.shapes = {key: shape for key, shape in hand.shapes.items() if self._wanted(key)}
        self.keys = tuple(self.shapes)
        if not self.keys:
            raise DataError(
                "no value of this network is read twice",
                where=f"exercise {network}",
                expected="a network with forks",
                do="take another --level",
            )

    @property
    def spec(self) -> str:
        """The words that make this exercise again."""
        words = [self.network, "--level", self.level, "--steps", self.steps, "--seed", self.seed]
        return shlex.join(map(str, words))

    @property
    def asked(self) -> list[Asked]:
        """The functions, in the order of backward."""
        found: dict[str, Asked] = {}
        for key in self.keys:
            said, t = _in_t(key)
            if said not in found:
                taken = {a.function for a in found.values()}
                found[said] = Asked(_function(said, taken), {}, said, self.shapes[key])
            found[said].keys[key] = t
        return list(found.values())

    def _wanted(self, key: str) -> bool:
        parsed = Key.parse(key)
        if self.level == "chain":
            return parsed.is_total
        fork = len(self.loss.tape.readers.get(id(self._value(parsed)), ())) > 1
        return fork or (self.level == "all" and parsed.is_total)

    def _value(self, key: Key) -> Any:
        tape = self.loss.tape
        return next((x for x in tape.values if tape.name(x) == key.value), None)

    def __repr__(self) -> str:
        return f"<Exercise {self.spec}: {len(self.keys)} derivatives>"


def exercise(network: str, level: str = "chain", steps: int = 3, seed: int = 0) -> Exercise:
    """An exercise for a network; the parameters are those of :class:`Exercise`.

    Raises
    ------
    DataError
        If there is no such network, level or file, or if its function returns no loss.

    Examples
    --------
    >>> from tinygrad_lstm.exercises import exercise
    >>> exercise("softmax").keys
    ('Error', 'S', 'chosen', 'log_p', 'p', 'l', 'W', 'b')
    """
    return Exercise(network, level, steps, seed)


def read(path: Path, text: str) -> Exercise:
    """The exercise that a file was written for."""
    line = next((line for line in text.splitlines() if line.startswith(MARK)), "")
    words = shlex.split(line.removeprefix(MARK))
    options = dict(zip(words[1::2], words[2::2], strict=False))
    try:
        level, steps, seed = (options[f"--{name}"] for name in ("level", "steps", "seed"))
        return Exercise(words[0], level, int(steps), int(seed))
    except (IndexError, KeyError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            "this is no exercise",
            where=str(path),
            expected=f"a line {MARK} NETWORK --level ... --steps ... --seed ...",
            do="leave that line as it was written, or say which with --exercise",
        ) from error


def _loss(network: str, steps: int, seed: int) -> Any:
    if network in NETWORKS:
        loss = NETWORKS[network](np.random.default_rng(seed), steps)
    elif ":" in network:
        loss = _own(network)
    else:
        expected = f"{', '.join(NETWORKS)} or FILE.py:function"
        raise DataError("no such network", where="exercise", expected=expected, got=network)
    if not isinstance(loss, Tensor) or not loss.requires_grad or loss.size != 1:
        got = f"shape {loss.shape}" if isinstance(loss, Tensor) else type(loss).__name__
        expected = "a recorded Tensor of one number"
        raise DataError("there is no loss", where=network, expected=expected, got=got)
    return loss


def _own(network: str) -> Any:
    """The loss of the user's own function."""
    file, _, name = network.rpartition(":")
    try:
        spec = importlib.util.spec_from_file_location("own_exercise", file)
        if spec is None or spec.loader is None or not Path(file).is_file():
            raise FileNotFoundError("there is no such Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        return getattr(module, name)()
    except Exception as error:
        words = f"{type(error).__name__}: {error}"
        raise DataError("the loss cannot be made", where=network, got=words) from error


def _in_t(key: str) -> tuple[str, int | None]:
    """A key with its blocks counted from the first that it names, and that block."""
    parsed = Key.parse(key)
    if parsed.share is not None:
        return SHARE.sub(" @ t", key), parsed.share
    names = (parsed.value, parsed.via)
    t = next((name.block for name in names if name is not None and name.block is not None), None)
    return (key, None) if t is None else (relative(key), t)


def _function(said: str, taken: Sequence[str] | set[str]) -> str:
    """The name of a function: ``d_c`` for c<t>, ``d_c_via_keep`` for c<t> via keep<t+1>."""
    name = identifier(re.sub(r"<t[^<>]*>", "", said).replace(" @ t", " at"), "d_")
    marks = itertools.chain(["", "_t"], (f"_{n}" for n in itertools.count(2)))
    return next(free for mark in marks if (free := name + mark) not in taken)
