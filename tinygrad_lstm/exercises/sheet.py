"""The file of an exercise: forward in plain NumPy, and the functions that are to be written."""

from __future__ import annotations

import ast
import itertools
import textwrap
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.constants import constants
from tinygrad_lstm.derivation.source import Sources
from tinygrad_lstm.engine.names import Key, Name
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.exercises.task import MARK, Asked, Exercise

__all__ = ["Sheet", "written"]

SPACE = "\x00"  # at which no line is broken

HEAD = '''"""Backpropagation by hand: {title}

`forward` below has been run: v holds what it computed, by name, and d the derivatives of {root}
that your functions have returned so far. Replace each None, from the first function to the last:
that is the order of backward. None means: not done yet. Then

    tinygrad-lstm check {file} --hints 1

says of each derivative whether it is right, wrong by itself, or wrong only because of another.
"""
'''


class Sheet:
    """What an exercise is written down with: names, values, lines of forward.

    Parameters
    ----------
    exercise : Exercise
        The exercise.
    """

    def __init__(self, exercise: Exercise) -> None:
        self.exercise, self.tape = exercise, exercise.loss.tape
        self._constants = constants(self.tape)

    def name(self, x: Any) -> Name | None:
        """What a value is called; None for a number."""
        own = x.name or x._op is not None or x._requires_grad
        return self.tape.name(x) if own else self._constants.get(id(x))

    @cached_property
    def values(self) -> dict[str, np.ndarray]:
        """What forward computed, and what it was computed from, by name."""
        named = ((self.name(x), x) for x in self.tape.values)
        return {str(name): x._kept() for name, x in named if name is not None}

    def text(self, file: str) -> str:
        """The file."""
        root = self.tape.label(self.tape.root)
        title = f"{self.exercise.network}, {len(self.exercise.keys)} derivatives of {root}."
        sources = Sources()
        forward = "\n".join(self._forward(sources))
        imports, helpers = sources.written()
        functions = "\n\n\n".join(self._function(asked) for asked in self.exercise.asked)
        parts = [
            HEAD.format(title=title, root=root, file=file) + f"{MARK} {self.exercise.spec}",
            "\n".join(imports),
            *helpers,
            'def forward(v):\n    """What forward computes, from the leaves in v."""\n'
            + textwrap.indent(forward, "    "),
            functions,
        ]
        return "\n\n\n".join(parts) + "\n"

    def _forward(self, sources: Sources) -> Iterator[str]:
        """A statement for each stage; blocks that are alike are a loop."""
        groups: list[tuple[int | None, list[str]]] = []
        for stage in self.tape.stages:
            node = stage.output
            args = [self._read(x) for x in node._inputs]
            params = {name: _literal(value) for name, value in node._params.items()}
            value = sources.spelled(node._op, args, params, node.ndim)
            target = self._read(node)
            line = ast.unparse(ast.fix_missing_locations(ast.Assign([target], value)))
            if not groups or groups[-1][0] != stage.block:
                groups.append((stage.block, []))
            groups[-1][1].append(line)
        while groups:
            t, lines = groups[0]
            alike = _alike(groups)
            del groups[:alike]
            if t is None or alike == 1:
                yield from lines
            else:
                yield f"for t in range({t}, {t + alike}):"
                yield from (f"    {_looped(line, t)}" for line in lines)

    def _read(self, x: Any) -> ast.expr:
        name = self.name(x) if isinstance(x, Node) else None
        if name is None:
            return _literal(x._array if isinstance(x, Node) else x)
        return ast.Subscript(ast.Name("v"), ast.Constant(str(name)))

    def _function(self, asked: Asked) -> str:
        """A function to be written, and what may be used in it."""
        argument = "t, v, d" if asked.blocks else "v, d"
        blocks = f", for t = {', '.join(map(str, asked.blocks))}" if asked.blocks else ""
        said = [f"d{self.tape.label(self.tape.root)}/d{asked.said}, shape {asked.shape}{blocks}."]
        usable = self._usable(asked)
        whole = ", ".join(each.replace(" ", SPACE) for each in usable)
        said += ["", f"May be used: {whole or 'nothing but numbers'}."]
        if not asked.blocks and any("{t" in each for each in usable):
            said += ["There is a t for each block."]
        body = textwrap.indent("\n".join(_folded(line) for line in said), "    ").strip()
        return f'def {asked.function}({argument}):\n    """{body}\n    """\n    return None'

    def _usable(self, asked: Asked) -> list[str]:
        """What may stand in the formula of a derivative: the values, and the derivatives, of the
        stages that read the value."""
        found: dict[str, None] = {}
        for key, t in asked.keys.items():
            parsed = Key.parse(key)
            value = next(x for x in self.tape.values if self.tape.name(x) == parsed.value)
            for branch in self.tape.readers.get(id(value), ()):
                node = branch.stage.output
                if parsed.via is None or self.tape.name(node) == parsed.via:
                    block = branch.stage.block if t is None else t
                    found.update(dict.fromkeys(self._named(node, block)))
        return list(found)

    def _named(self, node: Any, t: int | None) -> Iterator[str]:
        """What a stage gives to a formula, with blocks counted from t."""
        near = [x for x in (node, *node._inputs) if isinstance(x, Node)]
        names = [str(name) for name in map(self.name, near) if name is not None]
        for table, name in [("d", names[0]), *(("v", name) for name in names)]:
            block = Name.parse(name).block
            if t is None or block is None or abs(block - t) <= 1:
                yield f"{table}[{_spelled(name, t)}]"


def written(exercise: Exercise, file: str = "exercise.py") -> str:
    """The text of the file of an exercise."""
    return Sheet(exercise).text(file)


def _literal(value: Any) -> ast.expr:
    array = np.asarray(value) if isinstance(value, (np.ndarray, np.generic)) else value
    text = repr(array.tolist()) if isinstance(array, np.ndarray) else repr(value)
    if isinstance(value, np.ndarray) and value.ndim:
        text = f"np.array({text})"
    return ast.parse(text, mode="eval").body


def _alike(groups: list[tuple[int | None, list[str]]]) -> int:
    """How many of the first blocks have the same lines, but for their number."""
    t, lines = groups[0]
    if t is None:
        return 1
    looped = [_looped(line, t) for line in lines]
    numbered = enumerate(groups, t)
    same = (n == own and [_looped(line, n) for line in ls] == looped for n, (own, ls) in numbered)
    return sum(1 for _ in itertools.takewhile(bool, same))


def _looped(line: str, t: int) -> str:
    """A line of block t as one of the body of a loop over t."""
    tree = ast.parse(line)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
            node.slice = ast.parse(_spelled(str(node.slice.value), t), mode="eval").body
    return ast.unparse(tree)


def _spelled(name: str, t: int | None) -> str:
    """The key of a value in the source: ``f"c<{t - 1}>"`` for c<1> in block 2."""
    parsed = Name.parse(name)
    if t is None or parsed.block is None:
        return repr(name)
    k = parsed.block - t
    place = "t" if k == 0 else f"t + {k}" if k > 0 else f"t - {-k}"
    text = repr(f"{parsed.role}<{{{place}}}>")
    return f"f{text}" if "{" not in parsed.role else repr(name)


def _folded(line: str) -> str:
    return textwrap.fill(line, 92, break_long_words=False).replace(SPACE, " ")
