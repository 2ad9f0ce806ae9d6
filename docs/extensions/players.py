"""``.. player:: NAME``: a page that plays backward, made when the site is built, in a frame."""

from pathlib import Path

import numpy as np
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from tinygrad_lstm import LSTM, Tensor, matmul, nn, softmax, squared_error
from tinygrad_lstm.viz import draw


def lstm():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((3, 1, 3)), rng.uniform(-1, 1, (3, 1, 4))
    return LSTM(input_size=3, hidden_size=4, rng=0).error(x, targets)


def unit():
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((2, 1, 1)), rng.uniform(-1, 1, (2, 1, 1))
    return LSTM(input_size=1, hidden_size=1, rng=0).error(x, targets)


def gru():
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((3, 1, 2)), rng.uniform(-1, 1, (3, 1, 3))
    y, _ = nn.GRU(input_size=2, hidden_size=3, rng=0)(x)
    return squared_error(y, target).named("Error")


def attention():
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((4, 3)), rng.uniform(-1, 1, (4, 2))
    x = Tensor(x, requires_grad=True, name="x")
    W_q, W_k, W_v = (
        Tensor(rng.standard_normal((3, 2)), requires_grad=True, name=f"W_{n}") for n in "qkv"
    )
    q, k, v = (matmul(x, W).named(W.name[2:]) for W in (W_q, W_k, W_v))
    weights = softmax((q @ k.T / 2**0.5).named("scores"), axis=-1).named("weights")
    return squared_error((weights @ v).named("y"), target).named("Error")


GRAPHS = {"unit": unit, "lstm": lstm, "gru": gru, "attention": attention}


class Player(SphinxDirective):
    required_arguments = 1

    def run(self):
        name = self.arguments[0]
        up = "../" * self.env.docname.count("/")
        page = f"{up}_static/players/{name}.html"
        frame = f'<iframe class="player" src="{page}" title="{name}"></iframe>'
        return [nodes.raw("", frame, format="html")]


def write(app):
    """Make the pages; where there is no Graphviz, draw says so and the build fails."""
    if app.builder.name == "html":
        folder = Path(app.outdir) / "_static" / "players"
        folder.mkdir(parents=True, exist_ok=True)
        for name, graph in GRAPHS.items():
            draw(graph(), folder / f"{name}.html", title=name)


def setup(app):
    app.add_directive("player", Player)
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
