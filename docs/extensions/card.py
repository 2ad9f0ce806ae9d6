"""What the reference says of every operation beside its docstring: an example with its numbers, the
formula as it stands on the tape, the derivative as `explain` writes it, and the kinks."""

import functools
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import calls
import numpy as np

import tinygrad_lstm
from tinygrad_lstm import Tensor, explain, gradients, ops
from tinygrad_lstm.derivation.forward import forward

TEXT = (Path(__file__).parents[1] / "reference" / "kinks.md").read_text(encoding="utf-8")
KINKS, _, NOT_UNIQUE = TEXT.partition("## Where a decomposition is not unique")
LINEAR = ("move", "product")
SMOOTH = {  # not analytic, or not declared so, and smooth all the same
    *("binary_cross_entropy_with_logits", "cross_entropy", "huber", "layer_norm"),
    *("erf", "erfc", "gelu", "logsigmoid", "softplus", "sinc"),
    *("log_softmax", "logsumexp", "var", "cholesky", "slogdet"),
    *("conj", "imag", "irfft", "real", "rfft", "dropout", "where"),
}


@functools.cache
def operations():
    """The public functions of all families of operations."""
    families = (info.name for info in pkgutil.iter_modules(ops.__path__) if info.name != "own")
    return {
        name: value
        for module in (importlib.import_module(f"{ops.__name__}.{family}") for family in families)
        for name in module.__all__
        if inspect.isfunction(value := getattr(module, name))
        and getattr(tinygrad_lstm, name, None) is value
    }


class Card:
    """An operation, called on numbers.

    Attributes
    ----------
    call : str
        What is called.
    values : dict of str to list
        On which numbers.
    y : Tensor or array
        What comes out.
    """

    def __init__(self, name):
        self.name, self.call = name, called(name)
        words = set(re.findall(r"\b[a-zA-Z]\b", self.call))
        given = calls.VALUES | calls.WITHIN.get(name, {})
        self.values = {n: v for n, v in given.items() if n in words}
        self.leaves = {n: v if n == "i" else Tensor(v, True, n) for n, v in self.values.items()}
        y = eval(self.call, vars(tinygrad_lstm) | {"np": np} | self.leaves)
        self.recorded = isinstance(y, Tensor) and not y.is_leaf
        self.y = y.named("y") if self.recorded else y

    def example(self):
        """The numbers that go in, and those that come out."""
        came = f"{self.call}  # {numbers(self.y)}"
        return [*(f"{n} = {numbers(v)}" for n, v in self.values.items()), came]

    def formula(self):
        """A line for each stage that it is made of."""
        tape = self.y.tape
        return [f"{tape.label(s.output)} = {forward(s, tape.label)}" for s in tape]

    def derivative(self):
        """A line for each derivative, as explain writes it, and their numbers."""
        seed = np.arange(1.0, self.y.size + 1).reshape(self.y.shape)
        g = gradients(self.y, seed)
        wrt = [x for x in self.leaves.values() if isinstance(x, Tensor) and x in g]
        lines = str(explain(self.y, wrt, gradient=seed).steps(shapes=False)).splitlines()[1:]
        found = ", ".join(f"δ{x.name} = {numbers(g[x])}" for x in wrt)
        return [*lines, f"# for δy = {numbers(seed)}: {found}"]

    def kink(self):
        """Where it has no derivative, and what is used there."""
        if rows := list(kinks(self.name)):
            return "; ".join(rows)
        ops = [stage.output._op for stage in self.y.tape]
        rough = {
            op.name for op in ops if not (op.analytic or op.kind in LINEAR or op.name in SMOOTH)
        }
        if any(f"`{name}`" in NOT_UNIQUE.partition("##")[0] for name in {self.name, *rough}):
            return "where the decomposition is not unique"
        rows = [row for name in sorted(rough) for row in kinks(name)]
        if rough and not rows:
            raise LookupError(f"docs/reference/kinks.md does not say where {self.name} has kinks")
        return "; ".join(rows) or "none where it is defined"

    def lines(self):
        """The card, as lines of reStructuredText."""
        yield from block("Example", self.example())
        if not self.recorded:
            same = any(self.y is leaf for leaf in self.leaves.values())
            none = "its result is a constant on the tape, and has no derivative"
            yield from (f"No stage: {'here it is the value itself' if same else none}.", "")
            return
        yield from block("Formula", self.formula())
        yield from block("Derivative", self.derivative())
        yield from (f"Kink: {self.kink()}", "")


def called(name):
    """The example of an operation."""
    if name in calls.CALLS:
        return calls.CALLS[name]
    parameters = inspect.signature(operations()[name]).parameters.values()
    needed = [p for p in parameters if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD]
    return f"{name}({'x' if len(needed) == 1 else ', '.join('ab'[: len(needed)])})"


def kinks(name):
    """What the table of kinks says of an operation."""
    written = r"\w \*\* [\w.]+" if name == "power" else rf"{name}\(.*?\)(\[0\])?"
    for row in re.findall(r"^\| (`.*)\|$", KINKS, flags=re.M):
        formulas, at, slope = (cell.strip().replace("`", "``") for cell in row.split("|"))
        for formula in re.findall("``(.*?)``", formulas):
            if re.fullmatch(written, formula):
                yield f"at {at} ``{formula}`` has derivative {slope}"


def block(title, lines):
    yield from (f"{title}::", "", *(f"    {line}" for line in lines), "")


def numbers(value):
    array = np.asarray(value.numpy() if isinstance(value, Tensor) else value)
    text = np.array2string(array, separator=", ", formatter={"float_kind": "{:.4g}".format})
    return " ".join(text.split())
