"""A character model: a text is read letter by letter, the next one has to be said, and then the
model writes by itself.

The text is Alice's Adventures in Wonderland (see README.md). It is read in 16 streams at once; each
keeps its state from part to part, cut off from its past: truncated backpropagation through time.

Graves, Generating sequences with recurrent neural networks, 2013, reached 1.67 bits a character on
100 MB of Wikipedia with 7 layers of 700 units, without adapting to the text as it reads.
"""

import lzma
import math
from functools import partial
from pathlib import Path

import numpy as np
import seeds

from tinygrad_lstm import cross_entropy, nn, no_grad, optim, softmax

TEXT = Path(__file__).with_name("alice.txt")


class Writer(nn.Module):
    """A row for each character, an LSTM, and a score for each character."""

    def __init__(self, characters, units, rng):
        self.rows = nn.Embedding(characters, 24, rng=rng)
        self.lstm = nn.LSTM(24, units, rng=rng)
        self.head = nn.Linear(units, characters, rng=rng)

    def forward(self, characters, state=None):
        y, state = self.lstm(self.rows(characters), state)
        return self.head(y), state


def streams(numbers, rows):
    """A text in streams of one length, side by side: (T, rows)."""
    steps = len(numbers) // rows
    return numbers[: steps * rows].reshape(rows, steps).T


def bits(model, numbers):
    """The bits that each character of a text takes."""
    with no_grad():
        x = streams(numbers, 8)
        scores, _ = model(x[:-1])
        return cross_entropy(scores, x[1:]).item() / math.log(2)


def write(model, alphabet, start, count, rng, warmth=0.7):
    """How the model goes on after `start`."""
    text, state, read = start, None, [alphabet.index(c) for c in start]
    with no_grad():
        for _ in range(count):
            scores, state = model(np.array(read)[:, np.newaxis], state)
            share = softmax(scores[-1, 0] / warmth).numpy()
            read = [rng.choice(len(alphabet), p=share / share.sum())]
            text += alphabet[read[0]]
    return text


def train(epochs=8, units=96, rows=16, part=50, rate=0.008, seed=0, length=None, say=print):
    text = TEXT.read_text(encoding="utf-8")[:length]
    alphabet = "".join(sorted(set(text)))
    numbers = np.array([alphabet.index(c) for c in text])
    held = len(numbers) // 10
    rng = np.random.default_rng(seed)
    model = Writer(len(alphabet), units, rng)
    optimizer = optim.Adam(model, lr=rate)
    schedule = optim.CosineAnnealingLR(optimizer, T_max=epochs)
    x = streams(numbers[:-held], rows)
    for epoch in range(1, epochs + 1):
        state, losses = None, []
        for t in range(0, len(x) - part, part):
            optimizer.zero_grad()
            scores, state = model(x[t : t + part], state)
            loss = cross_entropy(scores, x[t + 1 : t + part + 1])
            loss.backward()
            optim.clip_grad_norm(model, 1.0)
            optimizer.step()
            state = tuple(s.detach() for s in state)
            losses.append(loss.item())
        schedule.step()
        known, unknown = np.mean(losses) / math.log(2), bits(model, numbers[-held:])
        say(f"epoch {epoch}: {known:.2f} bits a character, {unknown:.2f} on what was not read")
    return model, alphabet, numbers, held, unknown


def trial(seed, say, epochs=8, units=96):
    """The bits of a character that was not read, and what the model writes."""
    model, alphabet, *_, unknown = train(epochs, units, seed=seed, say=say)
    return unknown, write(model, alphabet, "Alice ", 400, np.random.default_rng(seed))


def packed():
    """The bits of a character by frequency alone, and packed by xz."""
    text = TEXT.read_text(encoding="utf-8")
    shares = np.array([text.count(c) for c in set(text)]) / len(text)
    return -np.sum(shares * np.log2(shares)), 8 * len(lzma.compress(TEXT.read_bytes())) / len(text)


if __name__ == "__main__":
    options = seeds.options(__doc__)
    options.add_argument("--epochs", type=int, default=8)
    options.add_argument("--units", type=int, default=96)
    chosen = options.parse_args()
    found = partial(trial, epochs=chosen.epochs, units=chosen.units)
    for seed, (unknown, text) in enumerate(seeds.trained(found, chosen)):
        print(f"ours, seed {seed}: {unknown:.2f} bits a character; it writes:\n{text}")
    alone, xz = packed()
    print(f"by frequency alone {alone:.2f}, xz {xz:.2f}")
    print("paper: 1.67 on Wikipedia, which is 700 times as long")
