"""``run``: a cell of Python that runs in the process that builds the site, where a notebook of its
own would take seconds to start. The cells of a page share their names."""

import ast
import contextlib
import io
import linecache
import os
import shutil
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

FILES = Path(tempfile.gettempdir()) / f"tinygrad-lstm-site-{os.getpid()}"


class Run(SphinxDirective):
    """The code, what it printed, and the value of its last line: a picture, or its text."""

    has_content = True

    def run(self):
        code = "\n".join(self.content)
        shared = self.env.temp_data.setdefault("run", {"__name__": "__main__"})
        name = f"{self.env.docname}, line {self.lineno}"
        linecache.cache[name] = len(code), None, code.splitlines(keepends=True), name
        said, value = io.StringIO(), None
        with contextlib.redirect_stdout(said), within(FILES / self.env.docname):
            value = run(code, name, shared)
        cell = nodes.container(classes=["cell"])
        cell += nodes.literal_block(code, code, language="python")
        text = said.getvalue()
        if hasattr(value, "_repr_svg_"):
            picture = nodes.container(classes=["output"])
            picture += nodes.raw("", value._repr_svg_(), format="html")
            return [cell, *([printed(text)] if text else []), picture]
        text += "" if value is None else repr(value)
        return [cell, printed(text)] if text else [cell]


def run(code, name, shared):
    """Run the code; the value of its last line, if that is an expression without a semicolon."""
    tree = ast.parse(code)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, name, "exec"), shared)
    if last is None:
        return None
    value = eval(compile(ast.Expression(last.value), name, "eval"), shared)
    return None if code.rstrip().endswith(";") else value


@contextlib.contextmanager
def within(folder):
    """Run in a folder, where the cells of a page write and read their files."""
    before = os.getcwd()
    folder.mkdir(exist_ok=True, parents=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def printed(text):
    return nodes.literal_block(text, text, language="none", classes=["output"])


def setup(app):
    app.add_directive("run", Run)
    app.connect("build-finished", lambda app, error: shutil.rmtree(FILES, ignore_errors=True))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
