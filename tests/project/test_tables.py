"""What a notebook shows of gradients, paths and an LSTM: a table."""

import html
import re

import numpy as np

from tinygrad_lstm import LSTM, Tensor, gradients, paths


def rows(shown):
    assert shown.count("<table>") == shown.count("</table>") == 1
    return [
        tuple(map(html.unescape, re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)))
        for row in re.findall("<tr>(.*?)</tr>", shown)
    ]


def test_gradients_in_the_order_of_backward():
    x = Tensor([3.0, 4.0], True, "x")
    loss = (x * x).named("y").sum().named("<b>loss")
    found = rows(gradients(loss)._repr_html_())
    assert found == [
        ("d<b>loss by", "shape", "derivative", "comes back through"),
        ("<b>loss", "()", "1", ""),
        ("y", "(2,)", "norm 1.41421", ""),
        ("x", "(2,)", "norm 10", "y, y"),
    ]


def test_a_long_table_says_how_much_is_left_out():
    lstm = LSTM(1, 1, rng=0)
    loss = lstm.error(np.ones((9, 1, 1)), np.zeros((9, 1, 1)))
    g = gradients(loss)
    found = rows(g._repr_html_())
    assert len(found) == 62 and re.fullmatch(r"and \d+ more", found[-1][0])
    by_name = {row[0]: row for row in found}
    assert by_name["c<8>"][3] == "tanh_c<8>, keep<9>"
    assert float(by_name["c<8>"][2]) == float(f"{g['c<8>'].item():.6g}")


def test_paths_and_an_lstm():
    lstm = LSTM(1, 2, rng=0)
    loss = lstm.error(np.ones((3, 1, 1)), np.zeros((3, 1, 2)))
    found = paths(loss, "W_f")
    shown = rows(found._repr_html_())
    assert shown[1] == (str(next(iter(found))), "8")
    assert shown[-1] == (f"and {found.count - 20} more", "")
    (_, first, *others) = rows(lstm._repr_html_())
    assert first[:2] == ("W_f", "(2, 3)") and len(others) == 7
