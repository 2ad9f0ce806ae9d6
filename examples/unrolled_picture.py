"""The unrolled graph of an LSTM of three blocks: every stage, every fork, and what each branch sends back."""

import numpy as np

from tinygrad_lstm import LSTM, gradients
from tinygrad_lstm.viz import draw

T, N, D, H = 3, 1, 3, 4
rng = np.random.default_rng(0)
x, targets = rng.standard_normal((T, N, D)), rng.uniform(-1, 1, (T, N, H))

loss = LSTM(input_size=D, hidden_size=H, rng=0).error(x, targets)
draw(loss, "lstm.svg", gradients=gradients(loss), title="LSTM, three blocks, backpropagation of Error")
print(f"{len(loss.tape)} stages, {len(loss.tape.forks)} forks: lstm.svg")
