"""The embedded Reber grammar: the second symbol of a word comes again as the last but one, and much
that has nothing to do with it stands between.

Hochreiter and Schmidhuber, Long short-term memory, 1997, experiment 1: 256 words to train, 256 to
test. A net has learned it when at every step it gives all symbols that may come next more than any
other. Their best nets (3 blocks of 2 cells, rate 0.2) did in all of 30 trials, after 8440 words on
average; real-time recurrent learning in some trials after 173,000 and more.
"""

import numpy as np
import seeds

from tinygrad_lstm import binary_cross_entropy_with_logits, nn, no_grad, optim

SYMBOLS = "BTPSXVE"
GRAPH = {  # from a node, by a symbol, to a node; two ways from each
    0: {"B": 1},
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": 7},
}


def word(rng):
    """An embedded word, and for each of its steps the symbols that may come next."""
    inner, may, node = "", [], 0
    while node != 7:
        symbol = rng.choice(list(GRAPH[node]))
        inner, node = inner + symbol, GRAPH[node][symbol]
        may.append("".join(GRAPH.get(node, ())))
    way = rng.choice(["T", "P"])
    return f"B{way}{inner}{way}E"[:-1], ["TP", "B", *may[:-1], way, "E"]


def batch(words):
    """Words as one-hot rows (T, N, 7), their lengths, and what may come next in the same form."""
    lengths = np.array([len(text) for text, _ in words])
    x, may = np.zeros((2, lengths.max(), len(words), len(SYMBOLS)))
    for n, (text, follows) in enumerate(words):
        for t, (symbol, symbols) in enumerate(zip(text, follows, strict=True)):
            x[t, n, SYMBOLS.index(symbol)] = 1
            may[t, n, [SYMBOLS.index(s) for s in symbols]] = 1
    return x, lengths, may


class Grammar(nn.Module):
    """An LSTM, and a score for each symbol."""

    def __init__(self, units, rng):
        self.lstm = nn.LSTM(len(SYMBOLS), units, rng=rng)
        self.head = nn.Linear(units, len(SYMBOLS), rng=rng)

    def forward(self, x, lengths):
        y, _ = self.lstm(x, lengths=lengths)
        return self.head(y)


def right(model, words):
    """The share of words in which, at every step, whatever may come scores above all else."""
    x, lengths, may = batch(words)
    with no_grad():
        scores = model(x, lengths).numpy()
    least = np.where(may == 1, scores, np.inf).min(axis=2)
    most = np.where(may == 1, -np.inf, scores).max(axis=2)
    there = np.arange(len(x))[:, np.newaxis] < lengths
    return float(np.mean(np.all((least > most) | ~there, axis=0)))


def train(words=8440, units=12, rows=8, rate=0.02, seed=0, say=print):
    rng = np.random.default_rng(seed)
    known, unknown = ([word(rng) for _ in range(256)] for _ in range(2))
    model = Grammar(units, rng)
    optimizer = optim.Adam(model, lr=rate)
    for step in range(1, words // rows + 1):
        chosen = [known[i] for i in rng.integers(0, len(known), rows)]
        x, lengths, may = batch(chosen)
        optimizer.zero_grad()
        there = (np.arange(len(x))[:, np.newaxis] < lengths)[..., np.newaxis]
        losses = binary_cross_entropy_with_logits(model(x, lengths), may, reduction="none")
        loss = (losses * there).sum() / there.sum()
        loss.backward()
        optim.clip_grad_norm(model, 1.0)
        optimizer.step()
        if step % 50 == 0:
            shares = right(model, known), right(model, unknown)
            known_share, unknown_share = shares
            say(f"{step * rows} words: right {known_share:.1%}, unknown ones {unknown_share:.1%}")
            if shares == (1, 1):
                break
    return model, step * rows, right(model, unknown)


def trial(seed, say):
    """After how many words which share of unknown ones is right."""
    return train(seed=seed, words=20_000, say=say)[1:]


if __name__ == "__main__":
    chosen = seeds.options(__doc__, seeds=3).parse_args()
    for seed, (words, share) in enumerate(seeds.trained(trial, chosen)):
        print(f"ours, seed {seed}: {share:.1%} of 256 unknown words right after {words} words")
    print("paper: all right in 100% of the trials, after 8440 words on average")
