"""A recurrent cell of your own: plain forward code, and the gradient of every branch in every time
step."""

import numpy as np

from tinygrad_lstm import Tensor, add_n, block, gradients, squared_error, tanh

T, D, H = 4, 2, 3
rng = np.random.default_rng(0)
x, targets = rng.standard_normal((T, D)), rng.uniform(-1, 1, (T, H))

V = Tensor(rng.standard_normal((D, H)), requires_grad=True, name="V")
W = Tensor(rng.standard_normal((H, H)) / 2, requires_grad=True, name="W")
mix = Tensor(0.5, requires_grad=True, name="mix")

h = Tensor(np.zeros(H), name="h<0>")
errors = []
for t in range(1, T + 1):
    with block(t):  # names given in here end in <t>
        recurrent = (h @ W).named("recurrent")
        new = tanh(x[t - 1] @ V + recurrent).named("new")
        kept = ((1 - mix) * h).named("kept")
        h = (mix * new + kept).named("h")
        errors.append(squared_error(h, targets[t - 1]).named("Error"))
loss = add_n(*errors).named("Error")

g = gradients(loss)
print(f"{len(loss.tape)} stages, {len(loss.tape.forks)} forks\n")

print("W is shared by all blocks: its gradient is the sum of one share a block")
for branch in g.branches("W"):
    print(f"  block {branch.stage.block}: largest entry {np.abs(branch.gradient).max():.4f}")
print(f"  sum:     largest entry {np.abs(g['W']).max():.4f}\n")

print("h<2> is read by its own Error and, by two ways, by block 3")
for branch in g.branches("h<2>"):
    print(f"  {branch.stage.name:14} {branch.gradient.round(4)}")
print(f"  {'sum':14} {g['h<2>'].round(4)}")
