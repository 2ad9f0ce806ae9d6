"""Backpropagation through a small network by hand, with two mistakes in it: compare finds them, one
after the other."""

import numpy as np

from tinygrad_lstm import (
    Tensor,
    assert_gradients_match,
    compare,
    gradients,
    linear,
    sigmoid,
    squared_error,
    tanh,
)

rng = np.random.default_rng(0)
x, target = rng.normal(size=(4, 3)), rng.normal(size=(4, 2))
W1, b1, W2, b2 = (Tensor(rng.normal(size=shape), requires_grad=True, name=name) for name, shape in
                  {"W1": (5, 3), "b1": (5,), "W2": (2, 5), "b2": (2,)}.items())  # fmt: skip

sum1 = linear(x, W1, b1).named("sum1")
h = tanh(sum1).named("h")
sum2 = linear(h, W2, b2).named("sum2")
y = sigmoid(sum2).named("y")
error = squared_error(y, target).named("Error")


def by_hand(slope_of_sigmoid, sum_over_batch):
    """Somebody's derivation, from the error back to the parameters."""
    hidden, out = np.tanh(x @ W1.data.T + b1.data), y.numpy()
    d = {"y": out - target}
    d["sum2"] = d["y"] * slope_of_sigmoid(out)
    d["W2"], d["b2"] = d["sum2"].T @ hidden, sum_over_batch(d["sum2"])
    d["h"] = d["sum2"] @ W2.data
    d["sum1"] = d["h"] * (1 - hidden**2)
    d["W1"], d["b1"] = d["sum1"].T @ x, sum_over_batch(d["sum1"])
    return d


print("1. The derivation as it was handed in.\n")
print(compare(gradients(error), by_hand(lambda s: 1 - s**2, lambda d: d.mean(axis=0))))

print("\n\n2. The derivative of sigmoid is corrected.\n")
print(compare(gradients(error), by_hand(lambda s: s * (1 - s), lambda d: d.mean(axis=0))))

print("\n\n3. So is the sum over the batch. In a test, the report is the message of the failure:\n")
corrected = by_hand(lambda s: s * (1 - s), lambda d: d.sum(axis=0))
assert_gradients_match(error, corrected)
print("everything is right:", ", ".join(corrected))
