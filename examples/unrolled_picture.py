"""The unrolled graph of an LSTM: a figure of scalars in which each number follows from those around
it; every stage; ways, an audit, and a long sequence; layers and directions; and rolled up."""

import numpy as np

from tinygrad_lstm import LSTM, by_hand, compare, gradients, nn
from tinygrad_lstm.viz import draw


def lstm_of(steps, inputs, units):
    """An LSTM with random data, and its loss."""
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((steps, 1, inputs)), rng.uniform(-1, 1, (steps, 1, units))
    lstm = LSTM(inputs, units, rng=0)
    return lstm, x, targets, lstm.error(x, targets)


# Three blocks of one unit: states, gates, forks, and what each branch sends back.
weights = {"W_f": [-1.2, 1.5], "W_u": [1.2, 1.5], "W_c": [1.1, -1.0], "W_o": [1.5, 1.5]}
biases = {"b_f": -0.1, "b_u": 0.2, "b_c": -0.3, "b_o": 0.8}
scalar = LSTM.from_arrays(
    {name: np.reshape(w, (1, 2)) for name, w in weights.items()}
    | {name: np.reshape(b, 1) for name, b in biases.items()}
)
x, targets = np.reshape([0.8, -0.6, 0.9], (3, 1, 1)), np.reshape([0.5, -0.4, 0.6], (3, 1, 1))
loss = scalar.error(x, targets)
for theme, file in (("light", "lstm_gates.svg"), ("dark", "lstm_gates_dark.svg")):
    draw(loss, file, gradients=gradients(loss), level="gates", width="readme", theme=theme)

# Every stage of three blocks, one block in a row as a page is narrow.
_, _, _, loss = lstm_of(3, inputs=3, units=4)
g = gradients(loss)
draw(loss, "lstm.svg", gradients=g, wrap=1, title="LSTM, three blocks, backpropagation of Error")
draw(
    loss,
    "lstm_dark.svg",
    gradients=g,
    wrap=1,
    title="LSTM, three blocks, backpropagation of Error",
    theme="dark",
)
print(f"{len(loss.tape)} stages, {len(loss.tape.forks)} forks: lstm.svg")

# All ways on which Error comes back to W_f, and what the printed formulas get wrong.
lstm, x, targets, loss = lstm_of(3, inputs=1, units=1)
g, figure = gradients(loss), {"level": "gates", "width": "readme"}
draw(loss, "lstm_ways.svg", path="W_f", title="Every way from Error back to W_f", **figure)
report = compare(g, by_hand.lstm(lstm, x, targets, as_printed=True))
title = "The formulas as printed, beside the tape"
draw(loss, "lstm_audit.svg", gradients=g, comparison=report, title=title, **figure)

# Five hundred blocks: the first and the last, and how many are between.
_, _, _, loss = lstm_of(500, inputs=1, units=1)
title = "LSTM, 500 blocks, the first and the last"
draw(loss, "lstm_blocks.svg", gradients=gradients(loss), blocks=1, title=title, **figure)

# One block that stands for five hundred, with what it hands on as loops.
title = "LSTM, 500 blocks rolled up"
for theme, file in (("light", "lstm_rolled.svg"), ("dark", "lstm_rolled_dark.svg")):
    draw(loss, file, level="rolled", width="readme", title=title, theme=theme)


# Layers and directions: lanes above each other.
def net_of(cell, **kind):
    """The loss of a net of one unit a layer."""
    rng, net = np.random.default_rng(1), cell(1, 1, rng=1, **kind)
    return net.error(rng.normal(size=(2, 1, 1)), rng.normal(size=(2, 1, net.directions)))


stacked, both = net_of(nn.LSTM, num_layers=2), net_of(nn.GRU, bidirectional=True)
g, title = gradients(stacked), "Two layers"
for theme, file in (("light", "layers.svg"), ("dark", "layers_dark.svg")):
    draw(stacked, file, gradients=g, title=title, theme=theme, **figure)
draw(both, "directions.svg", gradients=gradients(both), title="Two directions", **figure)
draw(stacked, "layers_rolled.svg", level="rolled", width="readme", title="Two layers, rolled up")
