"""``.. family:: MODULE ...``: the public names that these modules define, from their docstrings."""

import importlib
import inspect

from card import Card, operations
from sphinx.util.docutils import SphinxDirective

import tinygrad_lstm


class Family(SphinxDirective):
    """Every name of the package that is defined in one of the modules and listed in its
    ``__all__``."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self):
        lines = []
        for module in map(importlib.import_module, self.arguments[0].split()):
            for name in module.__all__:
                value = getattr(module, name)
                ours = getattr(value, "__module__", None) == module.__name__
                if ours and getattr(tinygrad_lstm, name, None) is value:
                    lines += entry(name, value)
        if not lines:
            raise self.error("no public name is defined there")
        return self.parse_text_to_nodes("\n".join(lines))


def entry(name, value):
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, Exception) else "class"
        others = [c.__name__ for c in value.__mro__ if not c.__module__.startswith("tinygrad_lstm")]
        options = ["   :members:", f"   :inherited-members: {', '.join(others)}"]
    else:
        kind, options = "function", []
    return [f".. auto{kind}:: tinygrad_lstm.{name}", *options, ""]


def with_card(app, what, name, value, options, lines):
    """Put the card of an operation behind its docstring."""
    name = name.removeprefix("tinygrad_lstm.")
    if what == "function" and operations().get(name) is value:
        lines.extend(["", *Card(name).lines()])


def setup(app):
    app.add_directive("family", Family)
    app.connect("autodoc-process-docstring", with_card, priority=900)  # behind numpydoc
    return {"parallel_read_safe": True, "parallel_write_safe": True}
