"""The copy task: symbols are read, nothing for a while, and then they have to be said again.

Hochreiter and Schmidhuber, 1997, posed it in another form; this is that of Arjovsky, Shah and
Bengio, Unitary evolution recurrent neural networks, 2016: eight symbols, a blank, a sign to begin.
A net without a memory says blanks and then guesses. With ten symbols and T = 100 that is a cross
entropy of 10 ln(8) / (T + 20), and their LSTM stays there. With short delays an LSTM learns it.
"""

import math
from functools import partial

import numpy as np
import seeds

from tinygrad_lstm import cross_entropy, nn, no_grad, optim

SYMBOLS, BLANK, START = 8, 8, 9


def draw(rng, rows, delay, count):
    """One-hot inputs (T, rows, 10) and the symbols that have to be said, (T, rows)."""
    symbols = rng.integers(0, SYMBOLS, (count, rows))
    read = np.full((delay + 2 * count, rows), BLANK)
    read[:count], read[delay + count - 1] = symbols, START
    said = np.full_like(read, BLANK)
    said[-count:] = symbols
    return np.eye(10)[read], said


class Copier(nn.Module):
    """An LSTM, and a score for each symbol."""

    def __init__(self, units, rng):
        self.lstm = nn.LSTM(10, units, forget_bias=3.0, rng=rng)
        self.head = nn.Linear(units, SYMBOLS + 1, rng=rng)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.head(y)


def right(model, rng, rows, delay, count):
    """The share of symbols that are said rightly."""
    x, said = draw(rng, rows, delay, count)
    with no_grad():
        return float(np.mean(model(x).numpy()[-count:].argmax(axis=2) == said[-count:]))


def train(batches=2500, delay=10, count=3, units=64, rows=32, rate=0.005, seed=0, say=print):
    rng = np.random.default_rng(seed)
    model = Copier(units, rng)
    optimizer = optim.Adam(model, lr=rate)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=batches)
    for step in range(1, batches + 1):
        x, said = draw(rng, rows, delay, count)
        optimizer.zero_grad()
        loss = cross_entropy(model(x), said)
        loss.backward()
        optim.clip_grad_norm(model, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            share = right(model, np.random.default_rng(step), 256, delay, count)
            say(f"{step} batches: cross entropy {loss.item():.4f}, {share:.1%} of symbols right")
            if share == 1:
                break
    return model, step, loss.item()


def trial(seed, say, delay=10, count=3):
    """The share of symbols that are right, after how many batches, and their cross entropy."""
    model, batches, loss = train(delay=delay, count=count, seed=seed, say=say)
    return right(model, np.random.default_rng(99), 1000, delay, count), batches, loss


if __name__ == "__main__":
    options = seeds.options(__doc__)
    options.add_argument("--delay", type=int, default=10)
    options.add_argument("--count", type=int, default=3)
    chosen = options.parse_args()
    found = partial(trial, delay=chosen.delay, count=chosen.count)
    for seed, (share, batches, loss) in enumerate(seeds.trained(found, chosen)):
        words = f"{share:.1%} of symbols right after {batches} batches"
        print(f"ours, seed {seed}: cross entropy {loss:.4f}, {words}")
    guess = chosen.count * math.log(SYMBOLS) / (chosen.delay + 2 * chosen.count)
    print(f"without a memory: cross entropy {guess:.4f}, {1 / SYMBOLS:.1%} right")
    print("paper: with ten symbols and T = 100 an LSTM stays at what needs no memory, 0.173")
