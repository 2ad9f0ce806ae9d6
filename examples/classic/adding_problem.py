"""The adding problem: two numbers of a long sequence are marked, and their sum is asked for.

Hochreiter and Schmidhuber, Long short-term memory, 1997, experiment 4: sequences of 100 to 110
pairs (a number from -1 to 1, a mark), the target 0.5 + (X1 + X2) / 4. A sequence is solved when the
error is below 0.04. Their net solved all but 1 of 2560 test sequences after 74,000 to train.
"""

from functools import partial

import numpy as np
import seeds

from tinygrad_lstm import nn, no_grad, optim


def draw(rng, rows, shortest):
    """A batch of sequences (T, rows, 2), their lengths and targets."""
    lengths = rng.integers(shortest, shortest + shortest // 10 + 1, rows)
    x = np.zeros((lengths.max(), rows, 2))
    x[..., 0] = rng.uniform(-1, 1, x.shape[:2])
    first = rng.integers(0, min(10, shortest // 2), rows)
    second = rng.integers(first + 1, shortest // 2 + 1)
    every = np.arange(rows)
    x[first, every, 1] = x[second, every, 1] = 1
    target = 0.5 + (x[first, every, 0] + x[second, every, 0]) / 4
    return x, lengths, target[:, np.newaxis]


class Adder(nn.Module):
    """An LSTM, and a line on its last output. The forget gate starts open: in 1997 it had none."""

    def __init__(self, units, rng):
        self.lstm = nn.LSTM(2, units, forget_bias=5.0, rng=rng)
        self.head = nn.Linear(units, 1, rng=rng)

    def forward(self, x, lengths):
        _, (h, _) = self.lstm(x, lengths=lengths)
        return self.head(h[0])


def solved(model, rng, rows, shortest):
    """The share of sequences whose error is below 0.04."""
    x, lengths, targets = draw(rng, rows, shortest)
    with no_grad():
        return float(np.mean(np.abs(model(x, lengths).numpy() - targets) < 0.04))


def train(sequences=74_000, shortest=100, units=16, rows=50, rate=0.01, seed=0, say=print):
    rng = np.random.default_rng(seed)
    model = Adder(units, rng)
    optimizer = optim.Adam(model, lr=rate)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=sequences // rows)
    for step in range(1, sequences // rows + 1):
        x, lengths, targets = draw(rng, rows, shortest)
        optimizer.zero_grad()
        loss = ((model(x, lengths) - targets) ** 2).mean()
        loss.backward()
        optim.clip_grad_norm(model, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            share = solved(model, np.random.default_rng(step), 512, shortest)
            say(f"{step * rows} sequences: loss {loss.item():.2g}, {share:.1%} solved")
            if share == 1:
                break
    return model, step * rows


def trial(seed, say, sequences=74_000, shortest=100):
    """How many of 2560 sequences are wrong, after how many to train."""
    model, seen = train(sequences, shortest, seed=seed, say=say)
    share = solved(model, np.random.default_rng(1234), 2560, shortest)
    return 2560 - round(2560 * share), seen


if __name__ == "__main__":
    options = seeds.options(__doc__)
    options.add_argument("--length", type=int, default=100)
    options.add_argument("--sequences", type=int, default=74_000)
    chosen = options.parse_args()
    found = partial(trial, sequences=chosen.sequences, shortest=chosen.length)
    for seed, (wrong, seen) in enumerate(seeds.trained(found, chosen)):
        print(f"ours, seed {seed}: {wrong} of 2560 wrong after {seen} sequences")
    print("paper: 1 of 2560 wrong after 74,000 sequences (T = 100)")
