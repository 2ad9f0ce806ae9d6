"""draw(plan): the instructions of a compiled program and what flows between them."""

import numpy as np
import pytest
from cases import PROGRAM

from tinygrad_lstm import LSTM, Tensor, compile
from tinygrad_lstm.errors import DrawingError
from tinygrad_lstm.viz import draw

RNG = np.random.default_rng(0)


def plan(T):
    x, targets = RNG.normal(size=(T, 2, 3)), RNG.normal(size=(T, 2, 4))
    return compile(LSTM(3, 4, rng=0).error, backend="numpy").plan(x, targets)


def test_a_program_is_nodes_and_edges():
    flow = plan(3).flow()
    assert [n.lines[0] for n in flow.nodes[:2]] == ["argument 1", "argument 2"]
    assert sum(n.kind == "product" for n in flow.nodes) == 9
    read = {b for _, b in flow.edges}
    computed = [i for i, n in enumerate(flow.nodes) if n.kind not in ("input", "copy")]
    assert set(computed) <= read and all(a < b for a, b in flow.edges)
    dot = draw(plan(3), title='the "plan"').dot
    assert dot.count("->") == len(flow.edges) and 'the \\"plan\\"' in dot


def test_of_a_long_program_the_middle_is_left_out():
    nodes = plan(40).flow().nodes
    assert len(nodes) < 90 and sum(n.kind == "more" for n in nodes) == 1


@pytest.mark.skipif(PROGRAM is None, reason="needs Graphviz")
def test_a_program_is_drawn(tmp_path):
    draw(plan(2), tmp_path / "plan.svg", theme="dark")
    assert "matmul" in (tmp_path / "plan.svg").read_text(encoding="utf-8")


def test_what_has_no_program_or_page_is_refused(tmp_path):
    w = Tensor(2.0, True, "w")
    with pytest.raises(DrawingError, match="no program"):
        draw(compile(lambda: w * (w * w).item()).plan())
    with pytest.raises(DrawingError, match="no page"):
        draw(plan(2), tmp_path / "plan.html")
