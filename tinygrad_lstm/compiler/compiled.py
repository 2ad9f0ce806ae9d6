"""compile: a function that computes a loss becomes one that returns loss and gradients, replayed as
a program."""

from __future__ import annotations

import contextvars
import functools
from collections import Counter
from collections.abc import Callable, Collection
from typing import Any

from numpy.typing import NDArray

from tinygrad_lstm.allocator import give_back, trim
from tinygrad_lstm.compiler.captured import Captured
from tinygrad_lstm.compiler.flow import Flow
from tinygrad_lstm.compiler.native import available
from tinygrad_lstm.compiler.numpy_backend import Changed
from tinygrad_lstm.compiler.passes.optimise import PASSES
from tinygrad_lstm.compiler.plan import Replay
from tinygrad_lstm.compiler.recording import Recorded, record
from tinygrad_lstm.compiler.report import report
from tinygrad_lstm.compiler.results import Leaves, on_tape
from tinygrad_lstm.compiler.signature import loose, signature
from tinygrad_lstm.engine.collector import uncollected
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.state import detector, recorder, watching
from tinygrad_lstm.errors import DrawingError, DtypeError

__all__ = ["Compiled", "Plan", "compile"]

Array = NDArray[Any]
MANY = 16  # recordings of one signature, each since something captured had changed
OTHERS = 32  # recordings for arguments that differ in numbers alone: as arrays they are read afresh
PLANS = 64  # programs that are kept, of different signatures


def compile(
    function: Callable[..., Any],
    *,
    backend: str | None = None,
    passes: Collection[str] = tuple(PASSES),
) -> Compiled:
    """Let `function` run as an optimised program, forward and backward together.

    The first call with arguments of a kind records what `function` does; calls with arguments of
    the same shapes and dtypes replay it. Parameters are read afresh at each call, and random
    stages draw anew.

    Parameters
    ----------
    function : callable
        From arrays (and Tensors, and whatever else) to a real scalar Tensor, in plain forward code.
    backend : {None, "numpy", "native"}
        What runs the program: NumPy's functions, or loops compiled for this machine, which take
        the extra ``fast``. By default the second, where it is installed.
    passes : collection of str
        What is done to the program's graph: all of ``gather``, ``contract``, ``align``, ``split``,
        ``push``, ``merge``, ``columns``, ``lift``, ``ones``, ``apart``, ``widen`` and
        ``dense`` (for NumPy), ``panels`` (for compiled loops), ``turn``, ``overlap`` and
        ``accumulate`` unless some are left out.

    Returns
    -------
    Compiled
        Called as `function`, it returns the loss and a mapping from names to the derivatives by
        every leaf that requires gradients. ``.grad`` is not touched. Its ``plan(...)`` shows the
        program.

    Notes
    -----
    A program holds as long as what `function` found when it was recorded is still there: shapes
    and dtypes, the objects that it captured. Where something has changed it is recorded again.
    What depends on the numbers themselves (``if``, ``float(t)``, ``print(t)``, editing) cannot be
    recorded: such a function runs on the tape, as without `compile`, and ``plan(...)`` says why. So
    do calls under :class:`detect_anomaly` and with hooks, and calls whose results are not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from tinygrad_lstm import LSTM, compile
    >>> lstm = LSTM(3, 4, rng=0)
    >>> fast = compile(lstm.error)
    >>> x, targets = np.ones((5, 2, 3)), np.zeros((5, 2, 4))
    >>> loss, grads = fast(x, targets)
    >>> grads["W_f"].shape
    (4, 7)
    """
    return Compiled(function, backend, passes)


class Compiled:
    """What :func:`compile` returns.

    Parameters
    ----------
    function : callable
    backend : str or None
    passes : collection of str
    """

    def __init__(
        self, function: Callable[..., Any], backend: str | None, passes: Collection[str]
    ) -> None:
        if not set(passes) <= set(PASSES):
            raise DtypeError(
                "there is no such pass",
                where="compile",
                expected=", ".join(PASSES),
                got=", ".join(set(passes) - set(PASSES)),
            )
        if backend not in (None, "numpy", "native"):
            raise DtypeError(
                "there is no such backend",
                where="compile",
                expected='None, "numpy" or "native"',
                got=repr(backend),
            )
        if backend == "native" and not available():
            raise DtypeError(
                "compiled loops need llvmlite",
                where='compile(backend="native")',
                do='pip install "tinygrad-lstm[fast]"',
            )
        functools.update_wrapper(self, function)
        self._function, self._passes = function, frozenset(passes)
        self._asked = backend, passes
        self._backend = backend or ("native" if available() else "numpy")
        self._plans: dict[Any, Plan] = {}
        self._again: Counter[Any] = Counter()

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, or what is sent to another process, records for itself."""
        return type(self), (self._function, *self._asked)

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Leaves]:
        """The loss, and the derivatives by name."""
        plan, flat = self._plan(args, kwargs)
        found = None if plan.replay is None else plan.run(flat)
        if found is not None:
            return found
        try:
            return on_tape(self._function, args, kwargs)
        except Exception:
            if plan.replay is None:  # perhaps because of these numbers
                self._plans = {key: p for key, p in self._plans.items() if p is not plan}
            raise

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """What is done for such arguments: the program, or why there is none."""
        return self._plan(args, kwargs)[0]

    def _plan(self, args: Any, kwargs: Any) -> tuple[Plan, list[Any]]:
        """The plan, and the arrays and Tensors among the arguments."""
        if not recorder().enabled or (watching and detector()):
            return _without("gradients are not recorded, or anomalies looked for"), []
        try:
            key, flat = signature(args, kwargs)
        except RecursionError:
            return _without("its arguments contain themselves"), []
        found = self._plans.get(key)
        if found is None or found.changed():
            found = self._record(key, args, kwargs)
        return found, flat

    def _record(self, key: Any, args: Any, kwargs: Any) -> Plan:
        kind = loose(key)
        self._again[key] += 1
        self._again[kind] += key not in self._plans
        if self._again[key] > MANY or self._again[kind] > OTHERS:
            what = "captures" if self._again[key] > MANY else "is called with"
            return _without(f"what it {what} changes from call to call")
        asked = self._function, args, kwargs, self._backend, self._passes
        with uncollected():
            found = contextvars.copy_context().run(record, *asked)
        if found.blueprint:
            give_back()
        plan = Plan(found)
        if found.unsettled:
            self._again[key] += MANY // 3
        del found
        if plan.compiled:
            trim()
        while len(self._plans) >= PLANS:
            del self._plans[next(iter(self._plans))]
        self._plans[key] = plan
        return plan


class Plan:
    """What is done for one signature: a program, or why there is none.

    Attributes
    ----------
    compiled : bool
        Whether there is a program. Without one the tape is used.
    reason : str
        Why there is none; empty otherwise.
    """

    replay: Replay | None
    captured: Captured | None
    reason: str

    def __init__(self, found: Recorded) -> None:
        self.captured, self.reason = found.captured, found.reason
        self.replay = Replay(found.blueprint.unpacked()) if found.blueprint else None
        if self.replay is None and self.captured is not None:
            self.captured.let_go()
        inputs = self.replay.inputs if self.replay is not None else ()
        tensors = (x for _, x in inputs if not isinstance(x, int))
        self._captured = {id(x): (x, x._requires_grad) for x in tensors}

    def __str__(self) -> str:
        if self.replay is None:
            return f"no program: {self.reason}; the tape is used"
        return "\n".join(report(self.replay))

    __repr__ = __str__

    def flow(self) -> Flow:
        """The program as nodes and edges, which ``draw(plan)`` draws."""
        if self.replay is None:
            raise DrawingError(
                "there is no program to draw", where="draw(plan, ...)", got=self.reason
            )
        return self.replay.listing.flow

    @property
    def compiled(self) -> bool:
        return self.replay is not None

    def changed(self) -> bool:
        """Whether what was captured is no longer what it was."""
        if any(x._requires_grad != before for x, before in self._captured.values()):
            return True
        return self.captured is not None and self.captured.changed() is not None

    def run(self, flat: list[Any]) -> tuple[Any, Leaves] | None:
        """Loss and derivatives for arrays and Tensors; None where the tape has to say."""
        assert self.replay is not None
        for x, _ in self._captured.values():
            if x._hooks is not None:
                return None
        arrays = []
        for x in flat:
            if isinstance(x, Node):
                if x._hooks is not None or id(x) in self._captured:
                    return None  # what is captured too is one leaf, and not two
                x = x._array
            arrays.append(x)
        replay, captured = self.replay, self.captured
        states = captured.states() if replay.draws and captured is not None else []
        try:
            found = replay(arrays)
        except Changed:
            found = None
        if found is None:
            if captured is not None and states:
                captured.restore(states)  # the tape draws the same numbers
            return None
        leaves = [flat[x] if isinstance(x, int) else x for x in replay.leaves]
        return found[0], Leaves(replay.names, leaves, found[1])


def _without(reason: str) -> Plan:
    """A plan without a program."""
    return Plan(Recorded(reason))
