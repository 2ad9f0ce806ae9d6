"""The adding problem: two numbers of a long sequence are marked, and their sum is asked for.

Hochreiter and Schmidhuber, Long short-term memory, 1997, experiment 4: sequences of 100 to 110
pairs (a number from -1 to 1, a mark), the target 0.5 + (X1 + X2) / 4. A sequence is solved when the
error is below 0.04. Their net solved all but 1 of 2560 test sequences after 74,000 to train.
"""

from functools import partial

import numpy as np
import seeds

from tinygrad_lstm import compile, nn, no_grad, optim


def draw(rng, rows, shortest):
    """A batch of sequences (T, rows, 2), where each ends (T, rows, 1), and their targets."""
    lengths = rng.integers(shortest, shortest + shortest // 10 + 1, rows)
    x = np.zeros((shortest + shortest // 10, rows, 2))
    x[..., 0] = rng.uniform(-1, 1, x.shape[:2])
    first = rng.integers(0, min(10, shortest // 2), rows)
    second = rng.integers(first + 1, shortest // 2 + 1)
    every = np.arange(rows)
    x[first, every, 1] = x[second, every, 1] = 1
    target = 0.5 + (x[first, every, 0] + x[second, every, 0]) / 4
    end = np.arange(len(x))[:, np.newaxis] == lengths - 1
    return x, end[..., np.newaxis].astype(float), target[:, np.newaxis]


class Adder(nn.Module):
    """An LSTM, and a line on its output where the sequence ends. It starts as a memory: the forget
    gates, which there were none of in 1997, are open, the input gates nearly shut, as in the paper.
    """

    def __init__(self, units, rng):
        self.lstm = nn.LSTM(2, units, forget_bias=5.0, rng=rng)
        self.head = nn.Linear(units, 1, rng=rng)
        bias = self.lstm.bias_ih_l0.numpy().copy()
        bias[:units] = -3
        self.lstm.bias_ih_l0.data = bias

    def forward(self, x, end):
        y, _ = self.lstm(x)  # what follows the end changes nothing before it
        return self.head((y * end).sum(axis=0))


def wrong(model, rng, rows, shortest):
    """How many of so many new sequences have an error of 0.04 or more."""
    x, end, targets = draw(rng, rows, shortest)
    with no_grad():
        return int(np.sum(np.abs(model(x, end).numpy() - targets) >= 0.04))


def train(sequences=74_000, shortest=100, units=16, rows=10, rate=0.01, seed=0, say=print):
    rng = np.random.default_rng(seed)
    model = Adder(units, rng)
    optimizer = optim.Adam(model, lr=rate)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=sequences // rows)
    derived = compile(lambda x, end, targets: ((model(x, end) - targets) ** 2).mean())
    for step in range(1, sequences // rows + 1):
        loss, grads = derived(*draw(rng, rows, shortest))
        for name, parameter in optimizer.parameters.items():
            parameter.grad = grads[name]
        optim.clip_grad_norm(model, 1.0)
        optimizer.step()
        schedule.step()
        if step * rows % 1000 == 0:
            count = wrong(model, np.random.default_rng(step), 500, shortest)
            say(f"{step * rows} sequences: loss {loss:.2g}, {count} of 500 wrong")
    return model


def trial(seed, say, sequences=74_000, shortest=100):
    """How many of 2560 sequences are wrong."""
    model = train(sequences, shortest, seed=seed, say=say)
    return wrong(model, np.random.default_rng(1234), 2560, shortest)


if __name__ == "__main__":
    options = seeds.options(__doc__)
    options.add_argument("--length", type=int, default=100)
    options.add_argument("--sequences", type=int, default=74_000)
    chosen = options.parse_args()
    found = partial(trial, sequences=chosen.sequences, shortest=chosen.length)
    for seed, count in enumerate(seeds.trained(found, chosen)):
        print(f"ours, seed {seed}: {count} of 2560 wrong after {chosen.sequences} sequences")
    print("paper: 1 of 2560 wrong after 74,000 sequences (T = 100)")
