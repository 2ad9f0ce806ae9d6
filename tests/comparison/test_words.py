"""Formulas in a report as a student would write them."""

import numpy as np
import pytest
from derivations import case

from tinygrad_lstm import Tensor, compare, gradients


def told(name, slip, names=True):
    """All that is said of a slip."""
    found = compare(*case(name, slip, names)).diagnoses
    assert found
    return [words for d in found for words in (d.yours, d.correct, d.looks_like)]


@pytest.mark.parametrize("names", [True, False])
def test_what_a_value_is_compared_with_is_a_target(names):
    words = told("gru", "carry = dh * z + -> carry =", names)
    assert any("− targets<3>" in text for text in words)
    assert not any("constant" in text for text in words)


@pytest.mark.parametrize("size", [np.square, np.abs, lambda e: e * e, lambda e: e**4])
def test_however_the_difference_is_measured(size):
    x = Tensor(np.array([1.0, -2.0, 0.5]), True, "x")
    g = gradients(size((3 * x).named("h") - np.array([0.4, 1.0, 2.0])).sum())
    assert "targets" in compare(g, {"h": g["h"] + [0, 1, 5]}).diagnoses[0].correct


def test_what_numpy_spreads_by_itself_is_not_spread_in_formulas():
    yours, *others = told("head", 'd["b2"] += dr.sum(axis=0) -> d["b2"] += dr.sum()')
    assert yours == "Σ δr<1> + Σ δr<2> + Σ δr<3> + Σ δr<4>"
    words = told("mlp", "dk * k * (1 - k) -> dk * (1 - k)", False)
    assert any("1 / 3 · 2 · (" in text for text in words)  # a mean over three rows
    assert not any("broadcast_to" in text for text in [*words, *others])


def test_what_a_matrix_product_needs_is_spread():
    rng = np.random.default_rng(0)
    h, W = (Tensor(rng.normal(size=n), True, name) for n, name in ((2, "h"), ((2, 4), "W")))
    g = gradients(np.sin((np.broadcast_to(h, (3, 2)) @ W).named("s")).sum())
    assert "broadcast_to(h, (3, 2))" in compare(g, {"W": np.cos(7 * W)}).diagnoses[0].correct
