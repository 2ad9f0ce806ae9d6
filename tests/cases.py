"""What several test modules share: graphs, hostile names, a case of the derivation by hand, which
Graphviz is there."""

import importlib.util
import re
import shutil

import numpy as np

from tinygrad_lstm import (
    LSTM,
    Tensor,
    add_n,
    block,
    concatenate,
    gradients,
    linear,
    nn,
    sigmoid,
    squared_error,
    tanh,
)
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.members import blocks_of

PROGRAM, EMBEDDED = shutil.which("dot"), importlib.util.find_spec("pygraphviz")
PARAMETERS = [f"{kind}_{gate}" for kind in "Wb" for gate in "fuco"]
LEAVES = [*PARAMETERS, "x", "a<0>", "c<0>"]
LOSSES = {
    "every": lambda T: [1] * T,
    "last": lambda T: [0] * (T - 1) + [1],
    "first": lambda T: [1] + [0] * (T - 1),
}
HOSTILE = [
    'a "quoted" name',
    "'",
    "ends in \\",
    'ends in \\"',
    "\\",
    "\\N and \\G",
    "a\\nb",
    "a\nb",
    "tab\tbell\x07null\x00",
    "<b>",
    "<b>bold</b>",
    "<<TABLE>>",
    "&amp;",
    "&lt;x&gt; &#65; &bogus;",
    "a & b",
    "{a|b}",
    "a:b:c",
    "node",
    "digraph",
    "100%",
    "[0]",
    "]]>",
    "<!-- no -->",
    "Ĝ∂ş 梯度 🙂 e\u0301",
    "\x1b[31m",
    "\ufffe",
    " ",
    "x" * 20000,
    "/* comment",
    "# line",
]


def square():
    x = Tensor(3.0, requires_grad=True, name="x")
    y = (x * x).named("y")
    return (y + y).named("z")


def lstm_loss(T, D=1, H=1, N=1, every=True, state=None, x_gradient=False):
    """The Error of a small LSTM with random data; `state` is the shape of a trained initial
    state."""
    rng = np.random.default_rng(0)
    x = Tensor(rng.normal(size=(T, N, D)), x_gradient)
    start = state and tuple(Tensor(rng.normal(size=state), True) for _ in range(2))
    mask = None if every else [0] * (T - 1) + [1]
    return LSTM(D, H, rng=0).error(x, rng.normal(size=(T, N, H)), state=start, mask=mask)


def rnn_loss(T):
    """A recurrent net that is not the LSTM of the template."""
    W, b, h = (
        Tensor(np.full((2, 3), 0.3), True, "W"),
        Tensor(np.zeros(2), True, "b"),
        Tensor(np.zeros((1, 2)), True, "h<0>"),
    )
    errors = []
    for t in range(1, T + 1):
        with block(t):
            h = tanh(
                linear(concatenate([h, np.ones((1, 1))], axis=-1).named("z"), W, b).named("s")
            ).named("h")
            errors.append(squared_error(h, np.ones((1, 2))).named("Error"))
    return add_n(*errors).named("Error")


def gru_loss(T, D=2, H=2):
    """The Error of a gated recurrent unit: other forks, and other hand-overs, than the LSTM's."""
    rng = np.random.default_rng(0)
    W = {gate: Tensor(rng.normal(size=(H, H + D)), True, f"W_{gate}") for gate in "run"}
    b = {gate: Tensor(np.zeros(H), True, f"b_{gate}") for gate in "run"}
    h, errors = Tensor(np.zeros((1, H)), True, "h<0>"), []
    for t in range(1, T + 1):
        with block(t):
            x = Tensor(rng.normal(size=(1, D)), name="x")
            z = concatenate([h, x], axis=-1).named("z")
            r = sigmoid(linear(z, W["r"], b["r"]).named("sum_r")).named("r")
            u = sigmoid(linear(z, W["u"], b["u"]).named("sum_u")).named("u")
            n = tanh(
                linear(concatenate([(r * h).named("rh"), x], axis=-1).named("zn"), W["n"], b["n"])
            ).named("n")
            h = ((u * h).named("keep") + ((1.0 - u) * n).named("write")).named("h")
            errors.append(squared_error(h, rng.normal(size=(1, H))).named("Error"))
    return add_n(*errors).named("Error")


def squared_loss(T):
    """A state that each block reads twice as the same product's arguments, and so does the end."""
    W, h = Tensor(0.7, True, "W"), Tensor(0.9, True, "h<0>")
    for t in range(1, T + 1):
        with block(t):
            h = tanh(h * h * W).named("h")
    return (h * h).named("loss")


def bidirectional_loss(T, joined=False):
    """Two nets over the same inputs, one in each direction; `joined` reads their ends once more."""
    rng = np.random.default_rng(0)
    x = [Tensor(rng.normal(size=(1, 2)), name=f"x<{t}>") for t in range(1, T + 1)]
    found = {}
    for name, start, order in (
        ("there", 0, range(1, T + 1)),
        ("back", T + 1, range(T, 0, -1)),
    ):
        W, b = (
            Tensor(rng.normal(size=s), True, f"{k}_{name}") for k, s in (("W", (2, 4)), ("b", 2))
        )
        h = Tensor(np.zeros((1, 2)), True, f"{name}<{start}>")
        for t in order:
            with block(t):
                h = tanh(linear(concatenate([h, x[t - 1]], axis=-1), W, b)).named(name)
                found[name, t] = h
    if joined:
        return squared_error(found["there", T] + found["back", 1], np.ones((1, 2))).named("Error")
    errors = []
    for t in range(1, T + 1):
        with block(t):
            both = found["there", t] + found["back", t]
            errors.append(squared_error(both, np.ones((1, 2))).named("Error"))
    return add_n(*errors).named("Error")


def lanes_loss(T):
    """Two layers of a gated recurrent unit, in both directions."""
    model = nn.GRU(1, 1, num_layers=2, bidirectional=True, rng=0)
    states = model(np.random.default_rng(0).normal(size=(T, 1, 1)))[0]
    return (states * states).sum().named("Error")


def wide_fork(count):
    """A value that many stages read."""
    x = Tensor(0.5, True, "x")
    return add_n(*[x * float(i) for i in range(1, count + 1)]).named("y")


def levelled(loss, blocks=2, level="stages", expand=(), wired=False, derivatives=True):
    """The graph of a loss with some of its blocks folded or left out."""
    hidden = runs(blocks_of(loss.tape), level, expand, blocks)
    return build(loss.tape, gradients(loss) if derivatives else None, hidden, wired=wired)


def case(rng, T, N, loss="every", given=True, H=3, D=2):
    """An LSTM with large random weights, and the arguments of its error."""
    lstm = LSTM.from_arrays(
        {
            **{f"W_{g}": rng.normal(size=(H, H + D)) for g in "fuco"},
            **{f"b_{g}": rng.normal(size=H) for g in "fuco"},
        }
    )
    state = tuple(rng.normal(size=(N, H)) if given else np.zeros((N, H)) for _ in "ac")
    return lstm, rng.normal(size=(T, N, D)), rng.normal(size=(T, N, H)), state, LOSSES[loss](T)


def error(found, reference):
    """The measure of the derivation: max|g - ref| / max|ref|."""
    largest = np.max(np.abs(reference))
    return np.max(np.abs(found - reference)) / (largest or 1)


def contrast(one, other):
    """The contrast ratio of WCAG 2."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def in_a_row(dot):
    """A stand-in for Graphviz that puts all nodes of a template in one row, and draws straight
    edges between them."""
    sizes = re.findall(r"(v\d+) \[shape=\w+ width=([\d.]+) height=([\d.]+)\]", dot)
    x, at, lines = 0.0, {}, []
    for name, width, height in sizes:
        at[name] = x + float(width) / 2
        x += float(width) + 1
        lines.append(f'node {name} {at[name]} 2 {width} {height} "" solid box black lightgrey')
    for tail, head in re.findall(r"(v\d+) -> (v\d+)", dot):
        xs = np.linspace(at[tail], at[head], 4)
        lines.append(f"edge {tail} {head} 4 {' '.join(f'{x} 2' for x in xs)} solid black")
    return "\n".join([f"graph 1 {x} 4", *lines, "stop"])
