"""The unrolled graph of an LSTM: every stage, every fork, what each branch sends back; then ways,
an audit, and levels."""

import numpy as np

from tinygrad_lstm import LSTM, by_hand, compare, gradients
from tinygrad_lstm.viz import draw


def lstm_of(steps, inputs, units):
    """An LSTM with random data, and its loss."""
    rng = np.random.default_rng(0)
    x, targets = rng.standard_normal((steps, 1, inputs)), rng.uniform(-1, 1, (steps, 1, units))
    lstm = LSTM(inputs, units, rng=0)
    return lstm, x, targets, lstm.error(x, targets)


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
lstm, x, targets, loss = lstm_of(2, inputs=1, units=1)
g = gradients(loss)
draw(loss, "lstm_ways.svg", path="W_f", wrap=1, title="Every way from Error back to W_f")
report = compare(g, by_hand.lstm(lstm, x, targets, as_printed=True))
draw(
    loss,
    "lstm_audit.svg",
    gradients=g,
    comparison=report,
    wrap=1,
    title="The formulas as printed, beside the tape",
)

# Five hundred blocks: folded to what one hands to the next, and the second in full.
_, _, _, loss = lstm_of(500, inputs=1, units=1)
draw(
    loss,
    "lstm_blocks.svg",
    level="blocks",
    expand=2,
    blocks=1,
    title="LSTM, 500 blocks, the second in full",
)
