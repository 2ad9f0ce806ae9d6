"""Long tapes: what is searched in the first rows is not searched in all of them once more."""

import derivations
import numpy as np
import pytest
from derivations import case

from tinygrad_lstm import Tensor, compare, gradients, tanh
from tinygrad_lstm.comparison import likely
from tinygrad_lstm.comparison.above import Above
from tinygrad_lstm.comparison.formulas import Formulas
from tinygrad_lstm.comparison.loops import loop
from tinygrad_lstm.comparison.search import Search

LONG = 40
CLIPPED = "dh = h[t] - y[t - 1] + carry -> dh = np.clip(h[t] - y[t - 1] + carry, -0.5, 0.5)"
OTHER = 'drh = dsn @ p["Un"].T -> drh = np.sin(3 * dsn) @ p["Un"].T'


def counted(monkeypatch, cls, name):
    """How often a method is called."""
    calls, method = [], getattr(cls, name)

    def call(self, *args, **options):
        calls.append(args)
        return method(self, *args, **options)

    monkeypatch.setattr(cls, name, call)
    return calls


@pytest.mark.parametrize(
    ("slip", "row", "kind", "most"), [(CLIPPED, "h", "clipped", 12), (OTHER, "rh", "", 30)]
)
def test_few_of_many_rows_are_searched(monkeypatch, slip, row, kind, most):
    monkeypatch.setattr(derivations, "T", LONG)
    searched = counted(monkeypatch, Search, "_guesses")
    tried = counted(monkeypatch, Above, "tried")
    report = compare(*case("gru", slip))
    assert report.first.name == f"{row}<{LONG}>"
    kinds = [d.kind for d in report.diagnoses]
    assert len(kinds) > LONG // 2 and set(kinds) == {kind or "unexplained"}
    assert len(searched) <= most  # of 40 rows, twice where nothing is found
    mistakes = [where for (group,) in tried for where in group]
    assert len(mistakes) <= 4  # what one does to a row is known without a run of the chain rule


def test_of_many_branches_few_are_written(monkeypatch):
    monkeypatch.setattr(derivations, "T", LONG)
    g, hand = case("gru", "dn = dh * (1 - z) -> dn = dh", False)
    written = counted(monkeypatch, Formulas, "through")
    report = compare(g, hand)
    assert {d.kind for d in report.diagnoses} == {"local factor"}
    assert len(written) < 3 * LONG  # of 9 parameters with a branch or two in each of 40 blocks


@pytest.mark.parametrize(
    ("slip", "kind"),
    [
        ("dz = dh * h[t - 1] - dh * n -> dz = dh * h[t - 1] + dh * n", "sign"),
        ('drh = dsn @ p["Un"].T -> drh = dsn @ p["Un"]', "transpose"),
    ],
)
def test_on_a_long_tape_many_are_tried_at_once(monkeypatch, slip, kind):
    """The budget, smaller here, does for what a run of the chain rule for four at once ended at."""
    monkeypatch.setattr(derivations, "T", 60)
    monkeypatch.setattr(likely, "BUDGET", 9600)
    g, hand = case("gru", slip)
    leaves = {x.name for x in g.tape.leaves}
    found = compare(g, {key: value for key, value in hand.items() if key in leaves}).diagnoses
    assert {d.kind for d in found} == {kind}


def test_a_mistake_that_only_some_rows_have_is_found_among_many():
    """The first rows have another one."""
    rng = np.random.default_rng(0)
    v = [Tensor(rng.normal(size=4), True, f"v<{k}>") for k in range(1, 31)]
    a, b = rng.normal(size=(2, 4))
    g = gradients(sum((tanh(x * a) * b).sum() for x in v))
    hand = {x.name: np.sin(9 * g[x]) for x in v[-12:]}
    hand |= {x.name: a * b * np.tanh(a * x) ** 2 for x in v[:-12]}
    found = {d.name: d.kind for d in compare(g, hand).diagnoses}
    assert all(found[x.name] == "unexplained" for x in v[-12:])
    assert all(found[x.name] == "local form" for x in v[:-12])


def test_a_loop_of_many_stages_is_a_loop():
    """One that nothing marks, of as many stages as an LSTM over 300 blocks has."""
    w = Tensor(0.5, True, "w")
    h, losses = Tensor(0.1), []
    for _ in range(1500):
        h = tanh(h * w + 0.1)
        losses.append(h * h)
    places = loop(sum(losses[1:], losses[0]).tape)
    assert {place.block for place in places.values()} >= set(range(1, 1400))
