"""Several outputs, each with the gradient that arrives there: their entries in one row are the one
value that a walk back starts from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tinygrad_lstm.engine import backward
from tinygrad_lstm.engine.backward import Gradients, seed
from tinygrad_lstm.engine.memory import conjugated
from tinygrad_lstm.engine.recorder import recording
from tinygrad_lstm.engine.trees import leaves, matched, parts
from tinygrad_lstm.errors import GradientError
from tinygrad_lstm.ops.shape import concatenate

__all__ = ["arriving", "gradients", "joined"]


def gradients(root: Any, gradient: Any = None, create_graph: bool = False) -> Gradients:
    """Differentiate `root` by every value on its tape, and keep what each branch of each fork sent
    back.

    Nothing is changed: no ``.grad`` is filled and the graph can be used again.

    Parameters
    ----------
    root : Tensor, or a list, tuple or dict of Tensors
        The value to differentiate, usually a loss. Several are differentiated together: what they
        send back is added, and the last stages of the tape put their entries in one row.
    gradient : array_like, optional
        What arrives at `root`, of its shape; for several, containers as those of `root` with the
        gradient that arrives at each. May be left out where there are single numbers only; it is 1
        then.
    create_graph : bool, default False
        Run the derivative rules on Tensors, so that the gradients are Tensors with a tape of their
        own, and can be differentiated again.

    Returns
    -------
    Gradients
        A mapping from names to total derivatives, which also answers to the Tensors themselves, and
        to lists, tuples and dicts of names or Tensors.

    Raises
    ------
    GradientError
        If `root` depends on nothing that requires gradients, is not a scalar and comes without
        `gradient`, or if a value that a stage read has been edited since.
    ShapeError
        If the containers of `gradient` are not those of `root`.

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
    >>> gradients([y, 2 * x], [10.0, 1.0])[{"x": x}]
    {'x': array(62.)}
    """
    if parts(root) is None:
        return backward.gradients(root, gradient, create_graph)
    values = leaves(root)
    if not values:
        raise GradientError("there is nothing to differentiate", where="gradients", got=repr(root))
    given = [None] * len(values)
    if gradient is not None:
        given = matched(root, gradient, "gradients, gradient=")
    with recording(create_graph):
        start = conjugated(arriving(values, given, create_graph))
    return backward.gradients(joined(values), start, create_graph)


def joined(values: Sequence[Any]) -> Any:
    """One recorded value of the entries of several; of one, itself."""
    if len(values) == 1:
        return values[0]
    with recording(True):
        return concatenate(values, axis=None)


def arriving(values: Sequence[Any], given: Sequence[Any], create_graph: bool) -> Any:
    """What the walk back starts with at :func:`joined`, where each of `given` arrives at one of
    `values`."""
    seeds = [seed(y, g, create_graph) for y, g in zip(values, given, strict=True)]
    return seeds[0] if len(seeds) == 1 else concatenate(seeds, axis=None)
