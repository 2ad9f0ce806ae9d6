"""The gradients of an LSTM, compared with the derivation by hand: the right one, and the printed
one."""

import numpy as np

from tinygrad_lstm import LSTM, by_hand, compare, gradients

T, N, D, H = 3, 1, 3, 4
rng = np.random.default_rng(0)
x, targets = rng.standard_normal((T, N, D)), rng.uniform(-1, 1, (T, N, H))

lstm = LSTM(input_size=D, hidden_size=H, rng=0)
loss = lstm.error(x, targets)
g = gradients(loss)

hand = by_hand.lstm(lstm, x, targets)
print(compare(g, hand))

# Your own formulas: any mapping from names to arrays. This one forgets that c<2> is a fork and
# keeps one branch.
print(compare(g, {"c<2>": g["c<2> via tanh_c<2>"], "W_f": hand["W_f"]}))

# The formulas of the document as they are printed: Γ_f<t+1> is added where c<t+1>.grad * Γ_f<t+1>
# belongs.
printed = compare(g, by_hand.lstm(lstm, x, targets, as_printed=True))
own, inherited = (
    [row.name for row in printed.rows if not row.ok and row.own is own] for own in (True, False)
)
print("as printed, wrong:", ", ".join(own), f"- and {len(inherited)} more rows because of these")
print(printed.diagnoses[0].looks_like)
