"""Gradient descent on the yearly sunspot numbers: the loss of every epoch, and what the gates do
after training."""

from importlib.resources import files

import matplotlib.pyplot as plt
import numpy as np

from tinygrad_lstm import LSTM, by_hand, gradients
from tinygrad_lstm.viz import plot

YEARS, H, EPOCHS = 100, 3, 40
spots = np.loadtxt(
    str(files("tinygrad_lstm.data") / "sunspots.csv"), delimiter=",", skiprows=1, usecols=1
)[-YEARS - 1 :]
series = (2 * spots / spots.max() - 1)[:, np.newaxis, np.newaxis]
x, targets = (
    series[:-1],
    np.repeat(series[1:], H, axis=2),
)  # every unit is to say the next year's number

losses = {}
for rate in (0.003, 0.03):
    lstm = LSTM(input_size=1, hidden_size=H, rng=0, forget_bias=1)
    curve = losses[f"rate {rate}"] = []
    for _ in range(EPOCHS):
        loss = lstm.error(x, targets)
        curve.append(loss.item())
        lstm = LSTM.from_arrays(by_hand.update(lstm.parameters(), gradients(loss), rate))
    print(f"rate {rate}: Error from {curve[0]:.1f} to {curve[-1]:.1f}")

ax = plot.loss_curves(losses, log=True)
ax.set_title("Error of every epoch")
ax.figure.savefig("loss_curves.svg")

figure, (above, below) = plt.subplots(
    2, sharex=True, figsize=(8.3, 4.6), layout="constrained", height_ratios=[1, 3]
)
above.plot(range(1, YEARS + 1), spots[:-1], color="#0a4f9e")
above.set(ylabel="sunspots", title=f"The gates over {YEARS} years, {H} units each")
plot.gate_activity(loss, ax=below)
figure.savefig("gates.svg")
