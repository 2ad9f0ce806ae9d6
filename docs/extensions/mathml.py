"""Formulas as MathML, which browsers draw without a script, a font or a network."""

from docutils import nodes
from latex2mathml.converter import convert


def visit_inline(writer, node):
    writer.body.append(convert(node.astext()))
    raise nodes.SkipNode


def visit_block(writer, node):
    writer.body.append(f'<div class="math">{convert(node.astext(), display="block")}</div>')
    raise nodes.SkipNode


def setup(app):
    app.add_html_math_renderer(
        "mathml", inline_renderers=(visit_inline, None), block_renderers=(visit_block, None)
    )
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
