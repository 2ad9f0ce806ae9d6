"""Why the cell carries a gradient over 60 blocks: what each branch sends back, and what one way
alone would bring."""

import matplotlib.pyplot as plt
import numpy as np

from tinygrad_lstm import LSTM, Tensor, block, gradients, squared_error
from tinygrad_lstm.viz import plot

T, N, D, H = 60, 1, 3, 4
rng = np.random.default_rng(0)
x, target = rng.standard_normal((T, N, D)), rng.uniform(-1, 1, (N, H))
lstm = LSTM(input_size=D, hidden_size=H, rng=2, forget_bias=3)  # gates that forget little


def error(cut=""):
    """The Error of the last block. `cut` is the value that a block reads as a constant: no gradient
    goes back through it."""
    a, c = (Tensor(np.zeros((N, H)), requires_grad=True, name=name) for name in ("a<0>", "c<0>"))
    for t in range(1, T + 1):
        with block(t):
            a, c = (Tensor(v.numpy()) if name == cut else v for name, v in (("a", a), ("c", c)))
            a, c = lstm.cell(Tensor(x[t - 1], name="x"), a, c)
    return squared_error(a, target).named("Error")


g = gradients(error())
ways = {
    "both ways": g,
    "keep<t+1> alone": gradients(error(cut="a")),
    "tanh_c<t>, z<t+1> alone": gradients(error(cut="c")),
}

places = {"left": 0.105, "right": 0.99, "bottom": 0.125, "top": 0.925, "wspace": 0.36}
figure, (left, right) = plt.subplots(1, 2, figsize=(8.3, 4), gridspec_kw=places)
plot.gradient_flow(g, "c", ax=left).set_title("What each branch of c<t> sends back")
plot.gradient_flow(ways, "c", ax=right).set_title("dError/dc<t>, if there is only one way")
figure.savefig("gradient_flow.svg")

for way, found in ways.items():
    (c,) = plot.gradient_norms(found, "c")
    print(
        f"{way}: from block {T} to block 1 the norm is multiplied by "
        f"{(c.total[c.blocks == 1] / c.total[-1])[0]:.1e}"
    )
