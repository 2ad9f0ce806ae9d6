"""PyTorch's habits for everything about gradients: which values have one, where it is kept, and
what happens when it arrives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from tinygrad_lstm.engine.arrays import ArrayLike
from tinygrad_lstm.engine.backward import backward
from tinygrad_lstm.engine.hooks import Handle, Hooks
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.errors import DtypeError, GradientError
from tinygrad_lstm.tensor.methods import Methods

__all__ = ["Differentiable"]

T = TypeVar("T", bound="Differentiable")


class Differentiable(Methods):
    """A value that may require gradients, and gets them by :meth:`backward`."""

    __slots__ = ()

    grad: Any

    @property
    def requires_grad(self) -> bool:
        """Whether derivatives by this value are wanted: True for a result that was recorded.

        It can be set for a leaf of a floating-point or complex dtype; a computed value says what
        was recorded.
        """
        return self._requires_grad

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        if self._op is not None and not wanted:
            raise GradientError(
                "a recorded value requires gradients",
                where=f"{self.name or self._op.name}.requires_grad",
                do="use t.detach()",
            )
        if wanted and self.dtype.kind not in "fc":
            raise DtypeError(
                "only floating-point values have derivatives",
                where=f"Tensor {self.name or ''}(requires_grad=True)".replace(" (", "("),
                expected="float32, float64 or complex",
                got=self.dtype,
                do="give dtype=float, or write 3.0 for 3",
            )
        self._requires_grad = bool(wanted)

    def requires_grad_(self: T, requires_grad: bool = True) -> T:
        """Set :attr:`requires_grad`, and return the Tensor."""
        self.requires_grad = requires_grad
        return self

    def register_hook(self, hook: Callable[[Any], Any]) -> Handle:
        """Call ``hook(total)`` with the total derivative by this value, each time it is found.

        `total` is a read-only array (a Tensor where gradients are recorded). What the hook returns
        takes its place on the way back, and in ``.grad`` of a leaf; None leaves it as it is. Hooks
        run in the order of their registration, in ``backward``, in :func:`gradients` and in the
        transforms.

        Returns
        -------
        Handle
            Its ``remove()`` takes the hook away.
        """
        handle = Handle(self._hooked("register_hook"))
        handle._hooks[handle] = hook
        return handle

    def retain_grad(self) -> None:
        """Let ``backward`` fill ``.grad`` of this computed value too, with the total after its
        hooks."""
        self._hooked("retain_grad").retain = True

    def _hooked(self, where: str) -> Hooks:
        if not self._requires_grad:
            raise GradientError(
                "this value requires no gradient, so none is found",
                where=f"{self.name or 'Tensor'}.{where}",
            )
        if self._hooks is None:
            self._hooks = Hooks()
        return self._hooks  # type: ignore[no-any-return]

    def backward(
        self, gradient: Node | ArrayLike | None = None, retain_graph: bool = False
    ) -> None:
        """Add the derivatives of this value to ``.grad`` of every leaf that led to it and requires
        gradients.

        Parameters
        ----------
        gradient : array_like, optional
            What arrives here, of this value's shape. May be left out for a single number; it is 1
            then.
        retain_graph : bool, default False
            Whether backward may run through this graph again. Without it a second run raises, since
            it would count twice; :func:`gradients`, which changes nothing, can always be called.

        Raises
        ------
        GradientError
            If nothing here requires gradients, if this is not a scalar and `gradient` is missing,
            if backward has run already, or if a value that a stage read has been edited since.
        """
        backward(self, gradient, retain_graph)

    def zero_grad(self) -> None:
        """Forget ``.grad``."""
        self.grad = None

    def detach(self: T) -> T:
        """The same value as a leaf without gradient: where a carried state is cut off from its
        past."""
        leaf: T = self._leaf(self._kept())
        leaf._label, leaf._place = self._label, self._place
        return leaf
