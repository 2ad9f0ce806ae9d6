"""A derivation as a Python module that needs NumPy and nothing else: values in, gradients out."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tinygrad_lstm.derivation.arrays import Arrays, uniform
from tinygrad_lstm.derivation.expression import Apply, Expression, Leaf, parts
from tinygrad_lstm.derivation.source import Sources, unwritten
from tinygrad_lstm.engine.memory import SCALARS

__all__ = ["INDENT", "Module", "call", "parsed", "printable", "unparsed"]

LONGEST = 40  # characters of a name that its variable has
INDENT = "    "

HEAD = '''"""Backpropagation in NumPy, a line for each formula of the derivation.

`backward` takes what forward computed, by name, and returns the derivatives, by name.
"""
'''


class Module:
    """Statements of ``backward(values)``, and what they need.

    Parameters
    ----------
    arrays : Arrays
        What the long arrays in the formulas are called.
    """

    sources: Sources
    arrays: Arrays

    def __init__(self, arrays: Arrays) -> None:
        self.sources, self.arrays = Sources(), arrays
        self._variables: dict[Any, str] = {}
        self._read: dict[str, str] = {}
        self._body: list[str] = []
        for name in ("backward", "values"):
            self.sources.free(name)

    def line(self, symbol: Leaf, expression: Expression, said: str, dtype: Any) -> None:
        """One derivative: the formula, as it is printed, and its statements.

        Parameters
        ----------
        symbol : Leaf
            What stands on the left.
        expression : Expression
            What stands on the right.
        said : str
            How the derivation prints it.
        dtype : dtype
            What the formula has as it is computed, before it gets that of the value.
        """
        self._body.append(f"# {printable(said)}")
        wanted = symbol.array.dtype
        if isinstance(expression, Leaf) and expression.name is None:
            expression, dtype = Leaf(np.asarray(expression.array, wanted)), wanted
        value = self.formula(expression)
        if dtype.kind == "c" and wanted.kind != "c":
            value = call("np.real", value)
        if dtype != wanted:
            value = call("np.asarray", value, parsed(f"np.{wanted.name}"))
        self._body.append(f"{self.variable(symbol)} = {unparsed(value)}")

    def definition(self, symbol: Leaf, expression: Expression, said: str) -> None:
        """A name for a formula that is read several times."""
        self._body.append(f"# {printable(said)}")
        value = unparsed(self.formula(expression))
        self._variables[_key(symbol)] = name = self.sources.free(identifier(str(symbol.name)))
        self._body.append(f"{name} = {value}")

    def text(self, results: Mapping[str, Leaf]) -> str:
        """The module; what it returns is named by `results`."""
        read = [f"{variable} = values[{name!r}]" for name, variable in self._read.items()]
        back = [f"{name!r}: {self._result(symbol)}," for name, symbol in results.items()]
        return self.module([*read, *self._body, "return {", *(INDENT + x for x in back), "}"])

    def module(self, statements: Sequence[str]) -> str:
        """The module whose function consists of `statements`."""
        imports, helpers = self.sources.written()
        body = ['"""The derivatives by name, from the values by name."""', *statements]
        function = '@np.errstate(all="ignore")  # forward has warned\ndef backward(values):\n'
        function += "\n".join(INDENT + each for each in body)
        return "\n\n\n".join([HEAD + "\n" + "\n".join(imports), *helpers, function]) + "\n"

    def variable(self, leaf: Leaf) -> str:
        """The variable of a value or derivative."""
        key = _key(leaf)
        if key not in self._variables:
            stem = f"{leaf.name}_via_{leaf.through}" if leaf.through else str(leaf.name)
            self._variables[key] = self.sources.free(identifier(stem, "d_" * leaf.gradient))
            if not leaf.gradient:
                self._read[str(leaf.name)] = self._variables[key]
        return self._variables[key]

    def _result(self, symbol: Leaf) -> str:
        variable = self.variable(symbol)
        conjugate = symbol.array.dtype.kind == "c"
        return f"np.conj({variable})" if conjugate else f"np.asarray({variable})"

    def formula(self, e: Expression) -> ast.expr:
        """A formula in Python."""
        found: dict[int, ast.expr] = {}
        for part in parts(e):
            if isinstance(part, Leaf):
                found[id(part)] = self.leaf(part)
            else:
                found[id(part)] = self._applied(part, [found[id(arg)] for arg in part.args])
        return found[id(e)]

    def _applied(self, e: Apply, args: Sequence[ast.expr]) -> ast.expr:
        if e.op.name == "hook":
            raise unwritten("a hook", "it is a function of the program that ran")
        params = {
            name: self._key(value) if name == "key" else self.literal(value)
            for name, value in e.params.items()
        }
        return self.sources.spelled(e.op, args, params, len(e.shape))

    def leaf(self, leaf: Leaf) -> ast.expr:
        """A value, a derivative or a number in a formula."""
        if leaf.name is not None:
            return ast.Name(self.variable(leaf))
        return self.literal(leaf.array)

    def _key(self, key: Any) -> ast.expr:
        positions = [self.position(k) for k in (key if isinstance(key, tuple) else (key,))]
        inner = positions[0] if len(positions) == 1 else ast.Tuple(positions)
        return ast.Subscript(parsed("np.s_"), inner)

    def position(self, k: Any) -> ast.expr:
        """One entry of an index."""
        if not isinstance(k, slice):
            return self.literal(k)
        bounds = [None if b is None else self.literal(b) for b in (k.start, k.stop, k.step)]
        return ast.Slice(*bounds)

    def literal(self, value: Any) -> ast.expr:
        """A number, array or parameter as it is written; an array with a name by its name."""
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, (tuple, list)):
            kind = ast.Tuple if isinstance(value, tuple) else ast.List
            return kind([self.literal(each) for each in value])
        if isinstance(value, slice):
            return ast.Subscript(parsed("np.s_"), self.position(value))
        if isinstance(value, (np.dtype, type)):
            return parsed(f"np.{np.dtype(value).name}")
        if isinstance(value, (*SCALARS, str, type(None), type(...))):
            return _number(value)
        raise unwritten(f"a parameter of type {type(value).__name__}", "it has no literal")

    def _array(self, value: np.ndarray) -> ast.expr:
        name = self.arrays.name(value)
        if name is not None:
            return self.leaf(Leaf(value, name))
        usual = value.dtype in (np.dtype(float), np.dtype(int), np.dtype(bool))
        dtype = [] if usual else [parsed(f"np.{value.dtype.name}")]
        if value.ndim == 0:
            return _number(value[()])
        if not value.size:
            return call("np.zeros", parsed(repr(value.shape)), parsed(f"np.{value.dtype.name}"))
        if uniform(value):
            fill = {1: "np.ones", 0: "np.zeros"}.get(value.flat[0]) if value.dtype != bool else None
            shape = parsed(repr(value.shape))
            if fill and value.dtype.kind == "f":
                return call(fill, shape, *dtype)
            return call("np.full", shape, _number(value.flat[0]), *dtype)
        return call("np.array", self.literal(value.tolist()), *dtype)


def identifier(name: str, prefix: str = "") -> str:
    """A variable for a name that may hold any characters: ``c_2`` for ``c<2>``."""
    plain = unicodedata.normalize("NFKC", name[: 2 * LONGEST])
    kept = "".join(c if f"a{c}".isidentifier() else " " for c in plain.replace("~", "_tilde"))
    stem = prefix + "_".join(kept.split())[:LONGEST]
    return stem if stem.isidentifier() else f"v_{stem}".rstrip("_")


def printable(text: str) -> str:
    """A comment: one line, whatever characters were in a name."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _key(leaf: Leaf) -> tuple[Any, ...]:
    return leaf.name, leaf.gradient, leaf.through


def _number(value: Any) -> ast.expr:
    if isinstance(value, np.generic):
        wrapped = value.dtype.name not in ("float64", "int64", "bool", "complex128")
        plain = _number(value.item())
        return call(f"np.{value.dtype.name}", plain) if wrapped else plain
    text = repr(value) if not isinstance(value, type(...)) else "..."
    return parsed(
        re.sub(r"\b(inf|nan)(?=j?\b)", r"np.\1", text)
        if isinstance(value, (float, complex))
        else text
    )


def parsed(source: str) -> ast.expr:
    """An expression."""
    return ast.parse(source, mode="eval").body


def call(function: str, *args: ast.expr) -> ast.expr:
    """A function applied to expressions."""
    return ast.Call(parsed(function), list(args), [])


def unparsed(e: ast.expr) -> str:
    """The source of an expression."""
    return ast.unparse(ast.fix_missing_locations(e))
