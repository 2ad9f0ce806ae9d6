"""Backward: one loop over the tape, reversed. At a fork the contributions of the branches are summed."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tinygrad_lstm._errors import GradientError, UnknownNameError
from tinygrad_lstm._node import Node, edited
from tinygrad_lstm._recorder import recording
from tinygrad_lstm._tape import Branch, Stage, Tape, ancestors, canonical

__all__ = ["Gradients", "backward", "gradients"]


def reverse(nodes: list[Node], totals: dict[Any, Any], arrived: dict[Any, list[Branch]] | None = None, create_graph: bool = False) -> dict[Any, Any]:
    """Walk a tape in reverse and return total derivatives by value.

    Parameters
    ----------
    nodes : list of Tensor
        What the stages of the tape computed, in recording order.
    totals : dict
        The gradient that arrives at the last of them; the result is put here too.
    arrived : dict, optional
        Where to keep the contribution of every branch, last branch first. With it the totals of all values are
        returned. Without it a contribution is added to its total as it comes, a total is dropped when it has been
        used, and those of the leaves are left.
    create_graph : bool
        Run the rules on Tensors, so that the derivatives have a tape of their own.
    """
    sums: set[Any] = set()  # the totals that are additions made here: only these may be added to in place
    for node in reversed(nodes):
        if arrived is None:
            g = totals.pop(node)
        elif node in arrived:
            g = totals[node] = summed(arrived[node])
        else:
            g = totals[node]
        op: Any = node._op
        values, params, rules = node._values, node._params, op.rules
        output, read = (node, node._inputs) if create_graph else (node._array, values)
        i = len(values)
        for x in reversed(node._inputs):
            i -= 1
            if not isinstance(x, Node):
                continue
            value = values[i]
            if value is not x._array and edited(x, value):
                raise _edited(x, node)
            if not x.requires_grad:
                continue
            contribution = rules[0](g, output, read, i, **params) if op.variadic else rules[i](g, output, *read, **params)
            if contribution.dtype is not value.dtype or contribution.shape != value.shape:
                contribution = _conform(contribution, value, node, i)
            if arrived is not None:
                arrived[x].append(Branch(Stage(node), i, contribution if create_graph else _frozen(contribution)))
            elif x not in totals:
                totals[x] = contribution
            elif x in sums:
                totals[x] += contribution
            else:
                totals[x] = totals[x] + contribution
                sums.add(x)
    return totals


def backward(root: Any, gradient: Any = None, retain_graph: bool = False) -> None:
    """Fill ``.grad`` of the leaves that led to `root`; see :meth:`Tensor.backward`."""
    start, nodes = seed(root, gradient), ancestors(root)
    for node in nodes:
        if node._spent:
            raise _spent(node)
    for leaf, total in reverse(nodes, {root: start}).items():
        leaf.grad = np.array(total) if leaf.grad is None else leaf.grad + total
    if not retain_graph:
        for node in nodes:
            node._spent = True


def gradients(root: Any, gradient: Any = None, create_graph: bool = False) -> Gradients:
    """Differentiate `root` by every value on its tape, and keep what each branch of each fork sent back.

    Nothing is changed: no ``.grad`` is filled and the graph can be used again.

    Parameters
    ----------
    root : Tensor
        The value to differentiate, usually a loss.
    gradient : array_like, optional
        What arrives at `root`, of its shape. May be left out where `root` is a single number; it is 1 then.
    create_graph : bool, default False
        Run the derivative rules on Tensors, so that the gradients are Tensors with a tape of their own, and can be
        differentiated again.

    Returns
    -------
    Gradients
        A mapping from names to total derivatives, which also answers to the Tensors themselves.

    Raises
    ------
    GradientError
        If `root` depends on nothing that requires gradients, is not a scalar and comes without `gradient`, or if a
        value that a stage read has been edited since.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, gradients
    >>> x = Tensor(3.0, requires_grad=True, name="x")
    >>> y = (x * x).named("y")
    >>> g = gradients(y + y)
    >>> g["y"], g[x]
    (array(2.), array(12.))
    >>> [b.gradient for b in g.branches("x")]
    [array(6.), array(6.)]
    """
    start = seed(root, gradient)
    arrived: dict[Any, list[Branch]] = defaultdict(list)
    with recording(create_graph):
        totals = reverse(ancestors(root), {root: root._leaf(start) if create_graph else start}, arrived, create_graph)
        totals |= {x: summed(branches) for x, branches in arrived.items() if x._op is None}
    if not create_graph:
        totals = {x: _frozen(g) for x, g in totals.items()}
    return Gradients(Tape(root), totals, arrived)


def summed(arrived: list[Branch]) -> Any:
    """The sum over the branches of a value, in their order. They arrived in reverse."""
    result = arrived[-1].gradient
    for branch in arrived[-2::-1]:
        result = result + branch.gradient
    return result


def seed(root: Any, gradient: Any) -> np.ndarray:
    """The gradient that arrives at `root`: `gradient`, or 1 for a scalar."""
    if not root.requires_grad:
        raise GradientError(
            "there is nothing to differentiate",
            where=f"backward of {root.name or 'this value'}",
            expected="a value computed from Tensors with requires_grad=True, outside no_grad",
            got="one that requires no gradient",
        )
    if gradient is None:
        if root._array.size != 1:
            raise GradientError(
                "only a scalar can be differentiated without a gradient",
                where=f"backward of {root.name or 'this value'}",
                expected="shape ()",
                got=root.shape,
                do="reduce it first, for example with .sum(), or give gradient=",
            )
        return np.ones_like(root._array)
    start = np.array(getattr(gradient, "_array", gradient), root._array.dtype)
    if start.shape != root.shape:
        raise GradientError(
            "the gradient does not have the value's shape", where=f"backward of {root.name or 'this value'}", expected=root.shape, got=start.shape
        )
    return start


class Gradients(Mapping[str, Any]):
    """The derivatives of one value by every value on its tape, with the contribution of every branch.

    A mapping from names to total derivatives. It is asked by name, by Tensor, or for one branch by
    ``"<value> via <consumer>"`` (``"c<2> via keep<3>"``; with ``[i]`` behind it where a stage reads the value as
    several arguments). Iteration goes over the names in the order of the tape. The arrays are read-only.

    Attributes
    ----------
    tape : Tape
        The tape that was walked.
    """

    def __init__(self, tape: Tape, totals: dict[Any, Any], arrived: Mapping[Any, list[Branch]]) -> None:
        self.tape = tape
        self._totals = totals
        self._branches = {x: tuple(reversed(branches)) for x, branches in arrived.items()}

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str) and " via " in key:
            return self._branch(key).gradient
        return self._totals[self.find(key)]

    def branches(self, key: Any) -> tuple[Branch, ...]:
        """What each use of a value sent back, before it was summed: one Branch an edge, by (stage, argument).

        Parameters
        ----------
        key : str or Tensor
            The value. One that is read once has one branch; the root, which nobody reads, has none.
        """
        return self._branches.get(self.find(key), ())

    def find(self, key: Any) -> Any:
        """The Tensor that a key stands for.

        Raises
        ------
        UnknownNameError
            If there is none on the tape, if several have that name, or if it is a constant.
        """
        where = f"gradients of {self.tape.label(self.tape.root)}"
        if isinstance(key, str):
            found = self.tape.names.get(canonical(key), [])
            if not found:
                near = difflib.get_close_matches(canonical(key), self.tape.names, n=1)
                raise UnknownNameError(
                    f"no value is called {key!r}", where=where, do=f"did you mean {near[0]!r}?" if near else "print(loss.tape) lists them"
                )
            if len(found) > 1:
                raise UnknownNameError(f"{len(found)} values are called {key!r}", where=where, do="ask with the Tensor itself, or name them apart")
            key = found[0]
        if not isinstance(key, Node) or key not in self._totals:
            kind = "a constant" if any(key is x for x in self.tape.values) else "not on this tape"
            raise UnknownNameError(
                f"there is no derivative by {getattr(key, 'name', None) or 'this value'}",
                where=where,
                expected="a name, or a Tensor on the tape that requires gradients",
                got=kind if isinstance(key, Node) else type(key).__name__,
            )
        return key

    def _branch(self, key: str) -> Branch:
        value, _, consumer = key.partition(" via ")
        name, _, position = canonical(consumer).partition("[")
        found = [b for b in self.branches(value) if canonical(b.stage.name) == name and position in ("", f"{b.argument}]")]
        if len(found) != 1:
            have = ", ".join(f"{b.stage.name}[{b.argument}]" for b in self.branches(value))
            raise UnknownNameError(
                f"{len(found)} branches are called {key!r}", where="gradients", expected=f"one of {have}" if have else "a value with branches"
            )
        return found[0]

    def __iter__(self) -> Iterator[str]:
        return (name for name, values in self.tape.names.items() if len(values) == 1 and values[0] in self._totals)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, key: object) -> bool:
        try:
            self[key]
        except UnknownNameError:
            return False
        return True

    def __repr__(self) -> str:
        return f"<Gradients of {self.tape.label(self.tape.root)}: {len(self._totals)} values, {len(self.tape.forks)} forks>"


def _frozen(value: Any) -> np.ndarray:
    """A read-only copy: what different keys of Gradients return never shares memory."""
    array = np.array(value)
    array.flags.writeable = False
    return array


def _conform(contribution: Any, value: np.ndarray, node: Any, i: int) -> Any:
    """A contribution in the dtype of the value it belongs to. The wrong shape is an error of the rule."""
    if contribution.shape != value.shape:
        rule = node._op.rules[0 if node._op.variadic else i].__name__
        raise GradientError(
            "the derivative rule returns the wrong shape", where=f"{rule}, for {Stage(node)!r}", expected=value.shape, got=contribution.shape
        )
    if contribution.dtype.kind == "c" and value.dtype.kind != "c":
        contribution = contribution.real  # the imaginary part of a real value cannot change
    return contribution if contribution.dtype == value.dtype else contribution.astype(value.dtype)


def _where(node: Any) -> str:
    stage = f"stage {node._op.name}" if node.name is None else f"stage {node.name} = {node._op.name}"
    return stage if node._block is None else f"{stage} in block {node._block}"


def _spent(node: Any) -> GradientError:
    return GradientError(
        "backward has already run through this graph",
        where=_where(node),
        expected="a graph that was recorded since the last backward",
        do="run forward again, give retain_graph=True to the first backward, or detach() a state that is carried over; "
        "gradients() changes nothing and can be called again",
    )


def _edited(x: Any, node: Any) -> GradientError:
    return GradientError(
        f"{x.name or 'a value'} {x.shape} was edited after the stage had read it, so the derivative would be wrong",
        where=_where(node),
        do="edit it before forward or after backward, or work on a copy",
    )
