"""The rooms of the package: who may import whom, no circle, and how long a line, a function and a
module may be."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FLOORS = {  # a room may import itself and these
    "errors": set(),
    "text": set(),
    "allocator": set(),
    "files": {"errors"},
    "interrupt": set(),
    "progress": set(),
    "engine": {"errors", "text"},
    "ops": {"errors", "engine"},
    "tensor": {"errors", "engine", "ops"},
    "derivation": {"errors", "text", "engine", "ops", "tensor"},
    "numeric": {"errors", "text", "engine", "ops", "tensor", "parallel"},
    "lstm": {"text", "errors", "engine", "ops", "tensor"},
    "compiler": {"errors", "text", "allocator", "engine", "ops", "tensor"},
    "nn": {"errors", "files", "engine", "ops", "tensor", "lstm"},
    "optim": {"errors", "engine", "tensor"},
    "parallel": {"errors", "progress", "engine", "ops", "tensor", "compiler"},
    "training": {"errors", "engine", "ops", "tensor", "nn", "optim", "parallel"},
    "by_hand": {"errors", "engine", "lstm"},
    "comparison": {
        *("errors", "text", "engine", "ops", "tensor", "derivation", "numeric", "parallel"),
    },
    "exercises": {
        *("errors", "text", "engine", "ops", "tensor", "derivation", "comparison", "lstm"),
    },
    "viz": {"errors", "text", "files", "engine", "tensor", "derivation"},
    "cli": {
        *("errors", "text", "progress", "allocator", "interrupt", "files", "engine", "ops"),
        *("tensor", "derivation", "numeric", "lstm", "by_hand", "comparison", "parallel"),
        *("training", "exercises", "viz"),
    },
    "__main__": {"cli"},
}


def modules():
    for top, prefix in ((ROOT / "tinygrad_lstm", "tinygrad_lstm"), (ROOT / "viz", "viz")):
        for path in sorted(top.rglob("*.py")):
            parts = path.relative_to(top).with_suffix("").parts
            name = ".".join((prefix, *parts)).removesuffix(".__init__")
            yield (name if prefix == "tinygrad_lstm" else f"tinygrad_lstm.{name}"), path


MODULES = dict(modules())


def imported(path):
    """The modules of this package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in names]
        else:
            continue
        yield from (name for name in names if name.split(".")[0] == "tinygrad_lstm")


def room(module):
    """The room in which a module is, or None for the package itself."""
    _, _, rest = module.partition(".")
    return rest.partition(".")[0] or None


@pytest.mark.parametrize("module", [m for m in MODULES if m != "tinygrad_lstm"])
def test_a_room_imports_only_what_lies_below(module):
    here = room(module)
    allowed = {here, *FLOORS.get(here, ())}
    others = {name for name in imported(MODULES[module]) if room(name) not in allowed}
    assert others == set(), f"{here} may import {sorted(allowed)}"


def test_no_modules_import_each_other_in_a_circle():
    arrows = {module: set(imported(path)) & set(MODULES) for module, path in MODULES.items()}
    while arrows:
        free = {module for module, targets in arrows.items() if not targets & set(arrows)}
        assert free, f"a circle: {sorted(arrows)}"
        arrows = {m: targets for m, targets in arrows.items() if m not in free}


def test_the_tests_import_no_test_module():
    names = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    for path in (ROOT / "tests").rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        found = {n.module for n in nodes if isinstance(n, ast.ImportFrom)}
        found |= {a.name for n in nodes if isinstance(n, ast.Import) for a in n.names}
        assert found & names == set(), path


def functions(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            doc = ast.get_docstring(node, clean=False)
            first = node.body[1] if doc is not None and len(node.body) > 1 else node.body[0]
            start = node.lineno if doc is None else first.lineno
            yield node.name, node.end_lineno - start + 1


def test_no_function_is_longer_than_a_glance():
    long = [
        f"{module}.{name}: {length}"
        for module, path in MODULES.items()
        for name, length in functions(path)
        if length > 40
    ]
    assert long == []


def test_no_module_but_a_family_of_operations_is_longer_than_300_lines():
    lengths = {m: len(p.read_text(encoding="utf-8").splitlines()) for m, p in MODULES.items()}
    del lengths["tinygrad_lstm"]  # the list of public names
    long = {m: n for m, n in lengths.items() if n > 300 and room(m) != "ops"}
    assert long == {}


CORE = ("backward", "tape", "operation", "node", "recorder", "gradients", "hooks", "walk")


def test_the_core_is_read_in_one_sitting():
    core = (MODULES.get(f"tinygrad_lstm.engine.{name}") for name in CORE)
    assert sum(map(code_lines, filter(None, core))) <= 700


def code_lines(path):
    """The lines of a module that are code: no blanks, comments and docstrings."""
    text = path.read_text(encoding="utf-8")
    docs = set()
    for node in ast.walk(ast.parse(text)):
        body = getattr(node, "body", [])
        for child in body if isinstance(body, list) else []:
            if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
                docs |= set(range(child.lineno, child.end_lineno + 1))
    lines = enumerate(text.splitlines(), 1)
    return sum(bool(s := line.strip()) and s[0] != "#" and n not in docs for n, line in lines)


def test_every_room_has_its_tests():
    rooms = {room(m) for m in MODULES if m.count(".") > 1}
    assert {r for r in rooms if not (ROOT / "tests" / r).is_dir()} == {"data"} & rooms


def test_each_name_is_public_once():
    import tinygrad_lstm

    names = tinygrad_lstm.__all__
    assert len(set(names)) == len(names)
