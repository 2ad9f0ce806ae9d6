"""The derivation of the whole LSTM, written by the tape: lstm_derivation.md, one of the site's
explanations."""

from pathlib import Path

import numpy as np

from tinygrad_lstm import LSTM, explain, gradients, paths

T, N, D, H = 3, 2, 3, 4
rng = np.random.default_rng(0)
x, targets = rng.standard_normal((T, N, D)), rng.uniform(-1, 1, (T, N, H))
loss = LSTM(input_size=D, hidden_size=H, rng=0).error(x, targets)

whole = explain(loss)
by_W_f = explain(loss, "W_f")
error = max(
    np.max(np.abs(value - gradients(loss)[name])) for name, value in whole.evaluate().items()
)
assert error < 1e-12, error  # what stands below is not only written, it was computed

page = f"""# Backpropagation through an LSTM, written by its tape

No formula on this page was typed. `explain(loss)` ran the derivative rules of the recorded stages
on symbols; then `evaluate()` computed what it had written, and found the gradients of backward.

δv is the derivative of Error by v, over all of its branches; v<t> is v in block t; ∘ is the
elementwise product, two names side by side are a matrix product, ᵀ is the transpose;
`Σ_n v[n, :]` sums over the rows of the batch; `[:, :{H}]` are the first H = {H} columns. A value is
a fork where its line has more than one term: the sum is what backward does there.

## Forward

T = {T} blocks, N = {N} rows, D = {D} inputs, H = {H} units. One block, as the tape recorded it:

```text
{chr(10).join(line for line in str(loss.tape).splitlines() if line.startswith(("block", "2 ")))}
```

## Backward, for any number of blocks

The recurrent form, from the last block T to the first.

{whole.rolled.markdown()}

## Backward, for three blocks

Line by line, in the order in which backward runs.

{whole.steps.markdown()}

## dError/dW_f as one formula

With the gradients replaced by their own lines five times:

```text
{by_W_f.expanded(depth=5)}
```

## The other paths

W_f has {paths(loss, "W_f").count} ways to Error. These lead through c<2>, and along them the
derivative is the line at the end:

```text
{paths(loss, "W_f", through="c<2>")}
```

{explain(loss, "W_f", through="c<2>").steps.markdown()}
"""
Path("lstm_derivation.md").write_text(page, encoding="utf-8")
print(
    f"{len(whole.steps)} lines, {paths(loss, 'W_f').count} paths from Error to W_f: "
    "lstm_derivation.md"
)
