"""compile: a function that computes a loss becomes one that returns loss and gradients, replayed as
a program."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinygrad_lstm.compiler.abstract import Untraceable
from tinygrad_lstm.compiler.captured import Captured
from tinygrad_lstm.compiler.native import available
from tinygrad_lstm.compiler.numpy_backend import Changed
from tinygrad_lstm.compiler.passes.optimise import PASSES
from tinygrad_lstm.compiler.plan import Replay
from tinygrad_lstm.compiler.signature import flattened, mapped, signature
from tinygrad_lstm.compiler.trace import Tracer, named, trace
from tinygrad_lstm.engine.backward import outgoing, reverse, seed
from tinygrad_lstm.engine.node import Node
from tinygrad_lstm.engine.recorder import detector, recorder, watching
from tinygrad_lstm.engine.tape import ancestors
from tinygrad_lstm.errors import DtypeError

__all__ = ["Compiled", "Leaves", "compile"]

Array = NDArray[Any]
MANY = 16  # recordings of one signature, each since something captured had changed


class Leaves(dict[str, Array]):
    """Derivatives by name, which also answer to the Tensors themselves."""

    def __init__(self, names: Iterable[str], leaves: Iterable[Any], totals: Iterable[Array]):
        super().__init__(zip(names, totals, strict=True))
        self._names = {id(leaf): name for name, leaf in zip(self, leaves, strict=True)}

    def __missing__(self, key: Any) -> Array:
        name = self._names.get(id(key))
        if name is None:
            raise KeyError(key)
        return self[name]


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
        What is done to the program's graph: all of ``contract``, ``align``, ``split``, ``push``,
        ``merge``, ``columns``, ``lift`` and ``overlap`` unless some are left out.

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
        self._backend = backend or ("native" if available() else "numpy")
        self._plans: dict[Any, Plan] = {}
        self._again: dict[Any, int] = {}

    def __call__(self, *args: Any, **kwargs: Any) -> tuple[Any, Leaves]:
        """The loss, and the derivatives by name."""
        plan = self._plan(args, kwargs)
        if plan.replay is not None:
            found = plan.run(args, kwargs)
            if found is not None:
                return found
        return on_tape(self._function, args, kwargs)

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """What is done for such arguments: the program, or why there is none."""
        return self._plan(args, kwargs)

    def _plan(self, args: Any, kwargs: Any) -> Plan:
        if not recorder.enabled or (watching and detector()):
            return Plan(None, None, "gradients are not recorded, or anomalies looked for")
        key = signature(args, kwargs)
        found = self._plans.get(key)
        if found is not None and (found.captured is None or found.captured.changed() is None):
            return found
        times = self._again[key] = self._again.get(key, 0) + 1
        if times > MANY:
            return Plan(None, None, "what it captures changes from call to call")
        found = self._plans[key] = record(self._function, args, kwargs, self._backend, self._passes)
        return found


class Plan:
    """What is done for one signature: a program, or why there is none.

    Attributes
    ----------
    compiled : bool
        Whether there is a program. Without one the tape is used.
    reason : str
        Why there is none; empty otherwise.
    """

    def __init__(self, replay: Replay | None, captured: Captured | None, reason: str) -> None:
        self.replay, self.captured, self.reason = replay, captured, reason

    @property
    def compiled(self) -> bool:
        return self.replay is not None

    def run(self, args: Any, kwargs: Any) -> tuple[Any, Leaves] | None:
        """Loss and derivatives; None where the tape has to say."""
        assert self.replay is not None
        program = self.replay.program
        if any(_hooks(s) for s in program.inputs.values()):
            return None
        flat = flattened(args, kwargs)
        if any(getattr(x, "_hooks", None) is not None for x in flat):
            return None
        try:
            loss, totals = self.replay([getattr(x, "_array", x) for x in flat])
        except Changed:
            return None
        if not (np.isfinite(loss) and all(np.isfinite(t).all() for t in totals)):
            return None
        leaves = [flat[x] if isinstance(x, int) else x for x in program.leaves]
        return loss, Leaves(program.names, leaves, totals)


def _hooks(source: Any) -> bool:
    return not isinstance(source, int) and source._hooks is not None


def record(
    function: Callable[..., Any], args: Any, kwargs: Any, backend: str, passes: Collection[str]
) -> Plan:
    """Record a function for arguments of one kind."""
    captured = Captured(function)
    if any("print" in code.co_names for code in captured.codes):
        return Plan(None, captured, "it prints")
    states = [g.bit_generator.state for g in captured.generators]
    tracer = Tracer()
    known: dict[int, int] = {}
    numbers = iter(range(len(flattened(args, kwargs))))

    def shown(x: Any) -> Any:
        if isinstance(x, Node):
            number = next(numbers)
            inner = tracer.abstract(tracer.input(number, x._array))
            leaf = x._leaf(inner)  # type: ignore[arg-type]
            leaf._requires_grad, leaf._label, leaf._place = x._requires_grad, x._label, x._place
            known[id(leaf)] = number
            return leaf
        return tracer.abstract(tracer.input(next(numbers), x))

    given = mapped(shown, (args, kwargs))
    try:
        program = trace(lambda: function(*given[0], **given[1]), known, tracer)
        if (edited := captured.edited()) is not None:
            raise Untraceable(f"{edited} is edited")
        drawn = [g.bit_generator.state for g in captured.generators]
        if drawn != states:
            raise Untraceable("it draws random numbers in code of its own")
    except Exception as error:  # whatever it is: the tape says it better
        return Plan(None, captured, str(error) or type(error).__name__)
    finally:
        for g, state in zip(captured.generators, states, strict=True):
            g.bit_generator.state = state
    return Plan(Replay(program, backend, passes), captured, "")


def on_tape(function: Callable[..., Any], args: Any, kwargs: Any) -> tuple[Any, Leaves]:
    """Loss and derivatives without a program."""
    loss = function(*args, **kwargs)
    if not isinstance(loss, Node):
        raise DtypeError(
            "the compiled function returns no Tensor",
            where="compile",
            expected="a real scalar Tensor",
            got=type(loss).__name__,
        )
    totals = reverse(ancestors(loss), loss, seed(loss, None))
    leaves = [x for x in totals if x._op is None]
    found = [np.array(outgoing(x, totals[x])) for x in leaves]
    return loss._array[()], Leaves(named(leaves), leaves, found)
