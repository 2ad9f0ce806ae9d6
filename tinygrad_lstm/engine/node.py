"""The graph: a value together with the stage that computed it, and the guard over the memory of
values.

Who may write to a value's memory decides whether a gradient can be trusted, so the rule is strict:

* what a stage computed never changes: its array is handed out read-only;
* a leaf owns its memory: arrays are copied in, and memory that is lent (``x.data``) is never what a
  stage keeps. An edit therefore cannot corrupt a recorded graph, and backward notices it and
  raises.

A loan ends when the array that was lent, and with it all its views, is gone: a weak reference
tells. Where that is noticed late, as by a Python that does not count references, stages keep copies
a little longer than they have to. (A version that each edit raises, as PyTorch's, is not enough
here: an edit of a NumPy array passes nobody who could count.)
"""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from tinygrad_lstm.engine.arrays import Params, Value
from tinygrad_lstm.engine.memory import loan, same
from tinygrad_lstm.engine.names import spelled
from tinygrad_lstm.engine.state import NOWHERE, Place, detector, next_order, recorder, watching

__all__ = ["Node"]

NO_PARAMETERS: Params = {}


class Node:
    """A value and, unless it is a leaf, the stage that computed it.

    The stage lives on its output and refers to its inputs, never the other way round: there are no
    reference cycles, and a graph goes away with the last Tensor that leads to it.

    Attributes
    ----------
    _array : ndarray
        The value.
    _op : Operation or None
        The operation that computed the value. None for a leaf, which has none of the attributes
        from `_inputs` on.
    _place : Place
        The block (time step) and the scope in which the value was recorded.
    _inputs : tuple of Node or scalar
        What the operation read, by argument position.
    _values : tuple of ndarray or scalar
        The inputs as the forward function saw them; the derivative rules are given these.
    _params : dict
        The operation's parameters (axis, shape, index).
    _order : int
        When the stage ran: a later stage has a higher number.
    _spent : bool
        Whether ``backward`` has run through this stage.
    _requires_grad : bool
        What ``requires_grad`` says: read directly where every stage passes, since a property takes
        twice the time.
    _hooks : Hooks or None
        What wants to see the total derivative by this value.
    """

    __slots__ = (
        *("__weakref__", "_array", "_frozen", "_hooks", "_inputs", "_label"),
        *("_lent", "_op", "_order", "_params", "_place", "_requires_grad"),
        *("_spent", "_values", "grad"),
    )

    _array: np.ndarray
    _op: Any  # an Operation, or None; what stands on this module cannot be named here
    _hooks: Any  # Hooks, or None
    _label: str | None
    _requires_grad: bool
    _frozen: np.ndarray | None
    _lent: weakref.ref[np.ndarray] | None
    _inputs: tuple[Value, ...]
    _order: int
    _params: Params
    _place: Place
    _spent: bool
    _values: tuple[Value, ...]
    grad: Any
    # whether stages without a derivative are recorded too, since they are to be written down
    symbolic = False

    if TYPE_CHECKING:  # what a Tensor has, and every node is one

        @property
        def requires_grad(self) -> bool: ...
        def astype(self, dtype: Any) -> Any: ...

    def __init__(
        self,
        array: np.ndarray,
        requires_grad: bool,
        label: str | None = None,
        place: Place = NOWHERE,
    ) -> None:
        self._array = array
        self._lent = None
        self._op = None
        self._label = label
        self._place = place
        self._hooks = None
        self._requires_grad = requires_grad
        self.grad = None

    # What it is.

    @property
    def shape(self) -> tuple[int, ...]:
        """The lengths of the axes."""
        return self._array.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """The number of entries."""
        return self._array.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the entries."""
        return self._array.dtype

    @property
    def name(self) -> str | None:
        """The name given, with the scope and the block of the value: ``layer2.c<2>``. None for a
        value without a name."""
        if self._label is None:
            return None
        return spelled(self._label, self._place.block, self._place.scope)

    @property
    def block(self) -> int | None:
        """The block (time step) in which it was recorded, or None."""
        return self._place.block

    # Where it comes from.

    def _computed(
        self,
        array: np.ndarray,
        op: Any,
        inputs: tuple[Value, ...],
        values: tuple[Value, ...],
        params: Params,
    ) -> Any:
        """A node of this node's class that records `array` as the output of a stage."""
        node = _new(type(self))
        node._array = array
        node._lent = None
        node._op = op
        node._inputs = inputs
        node._values = values  # a tuple of arrays alone: Python stops looking for cycles in it
        node._params = params or NO_PARAMETERS  # the call's own dict goes away at once
        node._order = next_order()
        node._spent = False
        node._label = None
        node._place = recorder().place
        node._hooks = None
        node._requires_grad = True
        node.grad = None
        return node

    def _leaf(self, array: np.ndarray) -> Any:
        """A leaf of this node's class, without gradient, that takes `array` as it is."""
        node = _new(type(self))
        Node.__init__(node, array, False, place=recorder().place)
        return node

    def _look(self) -> np.ndarray:
        """The value, for somebody who looks at its numbers. Who watches this thread may show
        something else, such as an array of which only the shape is known."""
        watch = detector() if watching else None
        return self._array if watch is None else watch.looked(self)

    def _expose(self) -> np.ndarray:
        """The value, for the user's hands: read-only where a stage computed it, the live memory of
        a leaf."""
        seen = self._look()
        if seen is not self._array:
            return seen
        if self._op is not None:
            self._array.flags.writeable = False  # so that nobody can make the view writeable again
            return self._array.view()
        if self._lent is None:  # a stage may keep the array
            self._array, self._frozen = self._array.copy(), None
        lent = None if self._lent is None else self._lent()
        if lent is None:
            lent = loan(self._array)
            self._lent = weakref.ref(lent)
        return lent

    def _kept(self) -> np.ndarray:
        """The value, as an array that a stage may keep."""
        seen = self._look()
        if seen is not self._array:
            return seen
        return self._array if self._lent is None else self._snapshot()

    def _snapshot(self) -> np.ndarray:
        """The value of a leaf whose memory was lent, as an array that nobody outside this package
        can change."""
        if self._lent is None or self._lent() is None:
            self._lent = None
            return self._array
        if self._frozen is None or not same(self._frozen, self._array):
            self._frozen = self._array.copy()
        return self._frozen


_new = object.__new__
