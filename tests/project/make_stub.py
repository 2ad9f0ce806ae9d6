"""Write the types of the public names and of a Tensor's methods, as two stubs: __init__.pyi and
tensor/methods.pyi.

To make it again: PYTHONPATH=. python tests/project/make_stub.py; ruff format tinygrad_lstm

The operations take Tensors, arrays, and symbols, so that their code can only say Any. What a user
passes is narrower: Tensors, or what NumPy makes an array of. A Tensor anywhere gives a Tensor,
arrays alone give an array. This is said here, by overloads, from the signatures of the functions;
all other names are those of the rooms, as __init__.py imports them.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

INIT = Path(__file__).parents[2] / "tinygrad_lstm" / "__init__.py"
METHODS = INIT.parent / "tensor" / "methods.py"

AXES = "int | tuple[int, ...] | None"
SHAPE = "int | Sequence[int]"
TYPES = {  # of parameters, where a signature says Any
    "axis": AXES,
    "condlist": "Any",
    "spacing": "Any",
    **dict.fromkeys(("args", "axes", "index", "kwargs", "lengths"), "Any"),
    "decimals": "int",
    "destination": SHAPE,
    "dtype": "DTypeLike",
    "indices_or_sections": "int | Sequence[int] | Array",
    "key": "Any",
    "kind": "str | None",
    "n": "int | None",
    "nan": "float",
    "neginf": "float | None",
    "norm": "str | None",
    "optimize": "bool | str",
    "options": "Any",
    "ord": "float | str | None",
    "kth": "int | Sequence[int]",
    "pad_width": "int | Sequence[Any]",
    "posinf": "float | None",
    "rcond": "ArrayLike | None",
    "repeats": "int | Sequence[int] | Array",
    "reps": SHAPE,
    "s": "Sequence[int] | None",
    "shape": SHAPE,
    "shift": SHAPE,
    "side": "str",
    "sorter": "Any",
    "source": SHAPE,
    "subscripts": "str",
}
OPTIONAL = {"destination", "shape", "source"}  # which have a default that stands for none
NUMBERS = {
    "a_min",
    "a_max",
    "append",
    "default",
    "left",
    "max",
    "min",
    "prepend",
    "right",
}  # parameters that are arrays themselves
NO_GRADIENT = {"indices"}  # inputs that do not decide what comes out
RESULTS = {  # of functions that do not return one value
    "dsplit": "list[{}]",
    "gradient": "Any",  # a tuple for several axes
    "hsplit": "list[{}]",
    "nonzero": "tuple[{}, ...]",
    "qr": "QRResult | {}",
    "split": "list[{}]",
    "svd": "SVDResult | {}",
    "vsplit": "list[{}]",
}
RESULTS |= dict.fromkeys(("atleast_1d", "atleast_2d", "atleast_3d"), "Any")  # as many as are given
RESULTS |= dict.fromkeys(("interp", "linspace", "select"), "Any")  # of which any input may be one


def main() -> None:
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")


def stubs() -> dict[Path, str]:
    """The stubs, by where they belong."""
    return {INIT.with_suffix(".pyi"): of_package(), METHODS.with_suffix(".pyi"): of_methods()}


MADE = "# Made by tests/project/make_stub.py from the signatures of the functions."


def of_package() -> str:
    source = INIT.read_text(encoding="utf-8")
    tree = ast.parse(source)
    imports, functions, last = [], [], []
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            given = [alias.name for alias in node.names]
            for name in module.__all__ if given == ["*"] else given:
                value, is_operation = (
                    getattr(module, name),
                    ".ops." in node.module and name != "stage",
                )
                if is_operation and not inspect.isclass(value):
                    functions += overloads(name, value)
                else:
                    imports.append(f"from {node.module} import {name} as {name}")
        elif isinstance(node, ast.Assign):
            name = ast.unparse(node.targets[0])
            last += ["__version__: str"] if name == "__version__" else [ast.unparse(node)]
    head = [
        MADE,
        '# mypy: disable-error-code="overload-overlap"',
        "from collections.abc import Sequence",
        "from typing import Any, overload",
        "",
        "import numpy as np",
        "from numpy.typing import DTypeLike",
        "",
        "from tinygrad_lstm.engine.arrays import Array, ArrayLike",
    ]
    return "\n".join([*head, *sorted(imports), "", *last, "", *functions, ""])


def overloads(name: str, function: object) -> list[str]:
    """The signatures of a function: with a Tensor in each place, and with arrays alone."""
    parameters = list(inspect.signature(function).parameters.values())
    inputs = [p for p in parameters if is_input(p)]
    result = RESULTS.get(name) or declared(function)
    if "{}" not in result:
        every = {p.name: "Tensor | ArrayLike" for p in inputs}
        return [signature(name, parameters, every, result)]
    arrays = dict.fromkeys((p.name for p in inputs), "ArrayLike")
    plain = signature(name, parameters, arrays, result.format("Array"))
    if any(p.kind is p.VAR_POSITIONAL or "Sequence" in str(p.annotation) for p in inputs):
        mixed = dict.fromkeys(arrays, "Tensor | ArrayLike")
        recorded = signature(name, parameters, mixed, result.format("Tensor"))
        return [f"@overload\n{plain}", f"@overload\n{recorded}"]
    lines = []
    for i in range(len(inputs)):  # the first Tensor stands there
        kinds = ["ArrayLike"] * i + ["Tensor"] + ["Tensor | ArrayLike"] * (len(inputs) - i - 1)
        chosen = dict(zip(arrays, kinds, strict=True))
        lines.append(f"@overload\n{signature(name, parameters, chosen, result.format('Tensor'))}")
    return [*lines, f"@overload\n{plain}"]


def is_input(p: inspect.Parameter) -> bool:
    open_ended = p.kind is p.VAR_POSITIONAL
    unsaid = str(p.annotation) in ("Any", "Sequence[Any]")
    return unsaid and (open_ended or p.default is p.empty) and p.name not in {*TYPES, *NO_GRADIENT}


def declared(function: object) -> str:
    """What a function says that it returns, with {} for a value."""
    said = str(inspect.signature(function).return_annotation)
    return {
        "Any": "{}",
        "list[Any]": "list[{}]",
        "tuple[Any, ...]": "tuple[{}, ...]",
    }.get(said, said)


def signature(
    name: str, parameters: list[inspect.Parameter], inputs: dict[str, str], result: str
) -> str:
    words, star = [], False
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            words.append("*")
        star = star or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        words.append(word(p, inputs))
        if p.kind is p.POSITIONAL_ONLY:
            words.append("/")
    return f"def {name}({', '.join(words)}) -> {result}: ..."


def word(p: inspect.Parameter, inputs: dict[str, str]) -> str:
    said = str(p.annotation)
    if p.name in inputs:
        said = f"Sequence[{inputs[p.name]}]" if said == "Sequence[Any]" else inputs[p.name]
    elif p.name in NUMBERS:
        said = "Tensor | ArrayLike | None"
    elif p.name in NO_GRADIENT:
        said = "Tensor | ArrayLike"
    elif said == "Any":
        said = TYPES[p.name]
        if (p.default is None and "None" not in said and said != "Any") or p.name in OPTIONAL:
            said = f"{said} | None"
    mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
    if p.name == "self":
        return "self"
    return f"{mark}{p.name}: {said}" + ("" if p.default is p.empty else " = ...")


# The methods.

PLAIN = {
    "__bool__",
    "__complex__",
    "__contains__",
    "__float__",
    "__format__",
    "__index__",
    "__int__",
}
PLAIN |= {"fill", "item", "sort", "tolist"}  # which do not return a Tensor
COMPARISONS = {"__eq__", "__ne__"}  # of which a checker expects a bool


def of_methods() -> str:
    import tinygrad_lstm
    from tinygrad_lstm.tensor.functions import Functions
    from tinygrad_lstm.tensor.methods import Methods
    from tinygrad_lstm.tensor.operators import Operators

    head = [
        MADE,
        "from collections.abc import Sequence",
        "from typing import Any",
        "",
        "from numpy.typing import DTypeLike",
        "from typing_extensions import Self",
        "",
        "from tinygrad_lstm.engine.arrays import Array, ArrayLike",
        "from tinygrad_lstm.engine.protocols import NumPy",
        "",
        '__all__ = ["Methods"]',
        "",
        "class Methods(NumPy):",
    ]
    lines = ["    def __hash__(self) -> int: ..."]
    for name, value in {**vars(Operators), **vars(Functions), **vars(Methods)}.items():
        if isinstance(value, property):
            lines.append(f"    @property\n    def {name}(self) -> Self: ...")
        elif callable(value) and name not in ("__hash__", "__dir__"):
            lines.append(f"    {method(name, value, getattr(tinygrad_lstm, name, None))}")
    return "\n".join([*head, *lines, ""])


def method(name: str, value: Callable[..., object], function: object) -> str:
    """A method. What NumPy's function computes is declared as the function of that name is."""
    own = inspect.signature(value)
    if name in PLAIN:
        result = str(own.return_annotation)
        return signature(name, list(own.parameters.values()), {"value": "Any"}, result)
    if name.startswith("__"):
        other = "" if len(own.parameters) == 1 or name == "__abs__" else ", other: Any"
        if name in {"__neg__", "__pos__", "__invert__"}:
            other = ""
        result = "tuple[Self, Self]" if name == "__divmod__" else "Self"
        mark = "  # type: ignore[override]" if name in COMPARISONS else ""
        return f"def {name}(self{other}) -> {result}: ...{mark}"
    given = list(
        (own if "args" not in own.parameters else of_function(function)).parameters.values()
    )
    parameters = [inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD), *given[1:]]
    result = "tuple[Self, ...]" if name in ("nonzero", "unstack") else "Self"
    text = signature(name, parameters, inputs_of(parameters), result)
    return text.replace("Tensor | ArrayLike", "Self | ArrayLike")


def of_function(function: object) -> inspect.Signature:
    if callable(function):
        return inspect.signature(function)
    return inspect.signature(all_or_any)


def all_or_any(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    """As NumPy has them; they are methods only, being named as built-ins are."""


def inputs_of(parameters: list[inspect.Parameter]) -> dict[str, str]:
    return {p.name: "Any" for p in parameters if is_input(p)} | {"self": ""}


if __name__ == "__main__":
    main()
