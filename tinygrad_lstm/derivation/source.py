"""Forward functions as Python source that needs NumPy and nothing else: how an operation is spelled
in a module that stands alone, and the helper functions that come with it.

A forward function that is one formula is written as this formula, any other is brought along as it
is. So there is no second table of what operations compute.
"""

from __future__ import annotations

import ast
import builtins
import copy
import importlib
import inspect
import keyword
import re
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from tinygrad_lstm.engine.operation import Operation
from tinygrad_lstm.errors import DataError

__all__ = ["Sources", "unwritten"]

Function = Callable[..., Any]
SHORT = {"square": "x ** 2", "transpose": "x.T", "swapaxes": "x.T"}  # what everybody writes


class Sources:
    """The helper functions, constants and imports that a module needs.

    Attributes
    ----------
    taken : set of str
        The names that mean something in the module.
    """

    taken: set[str]

    def __init__(self) -> None:
        self.taken = {*dir(builtins), *keyword.kwlist, *keyword.softkwlist, "np"}
        self._names: dict[Function, str] = {}
        self._texts: dict[str, str] = {}
        self._imports = {"np": "import numpy as np"}

    def spelled(
        self, op: Operation, args: Sequence[ast.expr], params: Mapping[str, ast.expr], ndim: int
    ) -> ast.expr:
        """An operation applied to expressions.

        Parameters
        ----------
        op : Operation
            The operation.
        args : sequence of ast.expr
            What it is applied to.
        params : mapping of str to ast.expr
            Its parameters.
        ndim : int
            The number of axes of the result.
        """
        if op.name == "add_n":
            return _added(args)
        turned = op.name in ("transpose", "swapaxes")
        if op.name in SHORT and not (turned and (ndim != 2 or "axes" in params)):
            return _filled(SHORT[op.name], {"x": args[0]}, set())
        formula = _formula(op.forward)
        usual = inspect.signature(op.forward).parameters
        said = {
            name: value
            for name, value in params.items()
            if name not in usual or ast.unparse(value) != repr(usual[name].default)
        }
        if formula is None or not set(said) <= set(usual):
            keywords = [ast.keyword(name, value) for name, value in said.items()]
            return ast.Call(ast.Name(self.helper(op.forward)), list(args), keywords)
        given: dict[str, Any] = dict(zip(op.arguments, args, strict=False))
        if op.variadic:
            star = next(p.name for p in usual.values() if p.kind is p.VAR_POSITIONAL)
            given[star] = ast.List(list(args))
        open_ended = {n for n, p in usual.items() if p.kind is p.VAR_KEYWORD}
        left_out = {n for n, p in usual.items() if p.default is None or p.default is False}
        untold = (left_out | open_ended) - set(said)
        told = {name: ast.Constant(p.default) for name, p in usual.items()}
        return _filled(formula, told | given | said, untold)

    def helper(self, function: Function) -> str:
        """What a function is called in the module, which has its source."""
        function = inspect.unwrap(getattr(getattr(function, "op", None), "forward", function))
        if function not in self._names:
            tree = _definition(function)
            if inspect.getclosurevars(function).nonlocals:
                raise unwritten(function.__name__, "it reads variables of the function around it")
            self._names[function] = self.free(tree.name)
            tree = _Renamed(self._read(tree, function)).visit(tree)
            tree.name = self._names[function]
            self._texts[tree.name] = ast.unparse(ast.fix_missing_locations(tree))
        return self._names[function]

    def free(self, name: str) -> str:
        """A name that means nothing yet, as near to `name` as possible."""
        free, n = name, 1
        while free in self.taken:
            n += 1
            free = f"{name}_{n}"
        self.taken.add(free)
        return free

    def written(self) -> tuple[list[str], list[str]]:
        """The imports; and the helper functions, each below what it calls."""
        return list(self._imports.values()), list(self._texts.values())

    def _read(self, tree: ast.AST, function: Function) -> dict[str, str]:
        """Bring along what `tree` reads of the module of `function`; what is called otherwise
        here."""
        renamed = {}
        for name in dict.fromkeys(n.id for n in ast.walk(tree) if isinstance(n, ast.Name)):
            value = function.__globals__.get(name)
            if isinstance(value, types.ModuleType):
                self.taken.add(name)
                self._imports[name] = f"import {value.__name__} as {name}".replace(
                    f" as {value.__name__}", ""
                )
            elif isinstance(value, types.FunctionType):
                renamed[name] = self.helper(value)
            elif name in function.__globals__ and name not in _stored(tree):
                self._assigned(name, function)
        return renamed

    def _assigned(self, name: str, function: Function) -> None:
        """A constant of the module of `function`, by the statement that makes it."""
        try:
            module = ast.parse(inspect.getsource(importlib.import_module(function.__module__)))
        except (OSError, TypeError, ImportError):
            module = ast.Module([], [])
        for statement in module.body:
            if isinstance(statement, ast.Assign) and name in _stored(statement):
                self._read(statement.value, function)
                self.taken.add(name)
                self._texts.setdefault(name, ast.unparse(statement))
                return
        raise unwritten(function.__name__, f"it reads {name}")


def unwritten(name: str, why: str) -> DataError:
    """What is raised where a derivation cannot be written as a module that stands alone."""
    return DataError(
        f"{name} cannot be written in NumPy alone: {why}",
        where="python()",
        do="evaluate() computes it all the same",
    )


def _added(args: Sequence[ast.expr]) -> ast.expr:
    total = args[0]
    for arg in args[1:]:
        total = ast.BinOp(total, ast.Add(), arg)
    return total


def _filled(formula: str, given: Mapping[str, Any], usual: set[str]) -> ast.expr:
    tree = ast.parse(formula, mode="eval").body
    return _Filled(given, usual).visit(tree)  # type: ignore[no-any-return]


class _Filled(ast.NodeTransformer):
    """A formula with expressions in the place of its parameters, without the arguments that are
    left to their defaults."""

    def __init__(self, given: Mapping[str, Any], usual: set[str]) -> None:
        self.given, self.usual = given, usual

    def visit_Name(self, node: ast.Name) -> Any:
        return self.given.get(node.id, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        node.keywords = [k for k in node.keywords if not self._default(k.value)]
        while node.args and self._default(node.args[-1]):
            node.args.pop()
        args: list[ast.expr] = []
        for arg in node.args:
            star = isinstance(arg, ast.Starred)
            args += self.visit(arg).value.elts if star else [self.visit(arg)]
        node.func, node.args = self.visit(node.func), args
        node.keywords = [ast.keyword(k.arg, self.visit(k.value)) for k in node.keywords]
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        key = self.visit(node.slice)
        if isinstance(key, ast.Subscript) and ast.unparse(key.value) == "np.s_":
            key = key.slice  # x[np.s_[:2]] is x[:2]
        return ast.Subscript(self.visit(node.value), key)

    def _default(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Name) and node.id in self.usual


class _Renamed(ast.NodeTransformer):
    """A definition that calls some functions by other names."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = names

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(self.names.get(node.id, node.id), node.ctx)


class _Bare(ast.NodeTransformer):
    """A definition without types, without the decorators that mean something to this package only,
    and with the first sentence of what is said about it."""

    def visit_arg(self, node: ast.arg) -> ast.arg:
        return ast.arg(node.arg)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        return ast.Assign([node.target], node.value) if node.value else ast.Pass()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            said = inspect.cleandoc(str(first.value.value)).partition("\n\n")[0]
            first.value.value = re.sub(r":\w+:`~?([^`]*)`", r"`\1`", " ".join(said.split()))
        node.decorator_list = [d for d in node.decorator_list if ast.unparse(d).startswith("np.")]
        return self.generic_visit(node)


@cache
def _formula(function: Function) -> str | None:
    """What a function returns, where that is all it does, with NumPy alone, reading each argument
    at most once."""
    tree = _definition(inspect.unwrap(function))
    body = [s for s in tree.body if not isinstance(s, ast.Expr)]  # without its docstring
    if len(body) != 1 or not isinstance(body[0], ast.Return) or body[0].value is None:
        return None
    names = [n.id for n in ast.walk(body[0].value) if isinstance(n, ast.Name) and n.id != "np"]
    arguments = inspect.signature(function).parameters
    plain = len(set(names)) == len(names) and set(names) <= set(arguments)
    return ast.unparse(body[0].value) if plain else None


def _definition(function: Function) -> ast.FunctionDef:
    """The statement that defines a function, bare."""
    return copy.deepcopy(_parsed(function))


@cache
def _parsed(function: Function) -> ast.FunctionDef:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    except (OSError, TypeError, SyntaxError, IndexError):
        tree = ast.Pass()
    if not isinstance(tree, ast.FunctionDef):
        raise unwritten(getattr(function, "__name__", "a function"), "its source is not known")
    return _Bare().visit(tree)  # type: ignore[no-any-return]


def _stored(tree: ast.AST) -> set[str]:
    """The variables that a piece of source sets."""
    names = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return names | {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }
