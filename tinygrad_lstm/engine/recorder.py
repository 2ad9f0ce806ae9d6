"""What each thread records: whether stages are recorded at all, in which block and scope, and in
which order."""

from __future__ import annotations

from tinygrad_lstm.engine.names import checked_block, checked_scope, joined
from tinygrad_lstm.engine.state import Place, Setting, State, next_order

__all__ = ["block", "enable_grad", "nested", "no_grad", "recording", "scope"]


class recording(Setting):
    """Switch the recording of stages on or off in this thread."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled

    def change(self, state: State) -> None:
        state.enabled = self._enabled


class no_grad(recording):
    """Compute without recording: results need no gradients. ``with no_grad():``, or ``@no_grad()``
    on a function.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, no_grad
    >>> x = Tensor(2.0, requires_grad=True)
    >>> with no_grad():
    ...     y = x * x
    >>> y.requires_grad
    False
    """

    def __init__(self) -> None:
        super().__init__(False)


class enable_grad(recording):
    """Record again inside :class:`no_grad`: ``with enable_grad():``, or ``@enable_grad()`` on a
    function."""

    def __init__(self) -> None:
        super().__init__(True)


class nested(Setting):
    """Run a transform: what others inside it return stays a Tensor."""

    def change(self, state: State) -> None:
        state.depth += 1


class block(Setting):
    """Record the stages of a ``with`` block as one block (time step); names given inside end in
    ``<number>``.

    Parameters
    ----------
    number : int or None
        The block, 1 for the first. None for outside of all blocks.

    Raises
    ------
    DtypeError
        If it is no whole number.
    DataError
        If it is negative, or has more than 18 digits.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, block
    >>> x = Tensor(2.0, requires_grad=True, name="x")
    >>> with block(1):
    ...     y = (x * x).named("y")
    >>> y.name
    'y<1>'
    """

    def __init__(self, number: int | None) -> None:
        self._number = checked_block(number)

    def change(self, state: State) -> None:
        state.place = Place(self._number, state.place.scope, self._start)

    def __enter__(self) -> block:
        self._start = next_order()
        Setting.__enter__(self)  # without super(), which costs as much as the rest of it
        return self


class scope(Setting):
    """Record the stages of a ``with`` block under a prefix, such as that of a layer or a direction:
    names given inside are shown with it, ``layer2.c<3>``. Scopes may be nested.

    Parameters
    ----------
    name : str
        The prefix, without the dot behind it.

    Raises
    ------
    DtypeError
        If it is no text.
    DataError
        If it is empty, or holds what would make names unreadable, such as ``<`` and ``>``.

    Examples
    --------
    >>> from tinygrad_lstm import Tensor, block, scope
    >>> x = Tensor(2.0, requires_grad=True, name="x")
    >>> with scope("layer2"), block(1):
    ...     y = (x * x).named("y")
    >>> y.name
    'layer2.y<1>'
    """

    def __init__(self, name: str) -> None:
        self._name = checked_scope(name)

    def change(self, state: State) -> None:
        state.place = state.place._replace(scope=joined(state.place.scope, self._name))
