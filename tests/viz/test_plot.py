"""Plots over time: their numbers against the derivation by hand and plain NumPy, and what is drawn
against the numbers."""

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest
from cases import contrast, lstm_loss

from tinygrad_lstm import (
    LSTM,
    DrawingError,
    Error,
    ShapeError,
    Tensor,
    UnknownNameError,
    add_n,
    block,
    by_hand,
    gradients,
    matmul,
    tanh,
)
from tinygrad_lstm.viz import plot
from tinygrad_lstm.viz.axes import LINES
from tinygrad_lstm.viz.look.style import THEMES

pyplot = pytest.importorskip("matplotlib.pyplot")
pyplot.switch_backend("agg")


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


def case(T, loss="every", N=2, H=3):
    rng = np.random.default_rng([T, N])
    mask = [1] * T if loss == "every" else [0] * (T - 1) + [1]
    return (
        LSTM(2, H, rng=rng, forget_bias=1),
        rng.normal(size=(T, N, 2)),
        rng.normal(size=(T, N, H)),
        None,
        mask,
    )


def rnn(T, start=None):
    """A cell with unnamed stages, one of which reads h twice."""
    rng = np.random.default_rng(T)
    W, h, errors = (
        Tensor(rng.normal(size=(2, 2)), True, "W"),
        Tensor([0.5, -0.5], bool(start), "h<0>"),
        [],
    )
    for t in range(1, T + 1):
        with block(t):
            h = (tanh(matmul(h, W)) + 0.5 * h).named("h")
            errors.append((h * h).sum().named("Error"))
    return add_n(*errors).named("Error")


def chain(start, name="s", T=3):
    """s<t> = s<t-1> squared: the derivative soon underflows, or overflows."""
    s = Tensor(start, True, f"{name}<0>")
    for t in range(1, T + 1):
        with block(t):
            s = (s * s).named(name)
    return s


def curves(ax):
    return {line.get_label(): line for line in ax.lines}


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


# The numbers.


@pytest.mark.parametrize("T", [1, 2, 6])
@pytest.mark.parametrize("loss", ["every", "last"])
def test_norms_are_those_of_the_derivation_by_hand(T, loss):
    arguments = case(T, loss)
    hand = by_hand.lstm(*arguments)
    c, a = plot.gradient_norms(gradients(arguments[0].error(*arguments[1:])), ("c", "a"))
    assert (c.value, a.value) == ("c", "a")
    for norms, ways in ((c, {"tanh_c<t>": 0, "keep<t+1>": 1}), (a, {"Error<t>": 0, "z<t+1>": 1})):
        assert norms.blocks.tolist() == list(range(T + 1))
        assert set(norms.branches) == set(ways)
        for t in norms.blocks:
            name = f"{norms.value}<{t}>"
            assert norms.total[t] == pytest.approx(np.sqrt((hand[name] ** 2).sum()), rel=1e-12)
            for way, step in ways.items():
                only = (
                    hand[name] if t in (0, T) else 0
                )  # read once: by the next block at first, by its own at last
                only = only if (t == 0) == (step == 1) else 0
                sent = hand.get(
                    f"{name} via {way.replace('<t+1>', '<t>').replace('<t>', f'<{t + step}>')}",
                    only,
                )
                if (
                    norms is a and loss == "last" and 0 < t < T
                ):  # no fork: what the next block sends back is all
                    sent = hand[name] if step == 1 else 0
                assert norms.branches[way][t] == pytest.approx(
                    np.sqrt(np.sum(np.square(sent))), rel=1e-12
                )


def test_by_default_the_values_that_a_block_hands_to_another():
    assert {norms.value for norms in plot.gradient_norms(gradients(lstm_loss(3)))} == {"a", "c"}
    assert [norms.value for norms in plot.gradient_norms(gradients(rnn(3)))] == ["h"]


def test_a_cell_of_ones_own_with_unnamed_stages():
    (h,) = plot.gradient_norms(g := gradients(rnn(4)))
    assert h.blocks.tolist() == [1, 2, 3, 4]  # h<0> is a constant
    assert list(h.branches) == [
        *("multiply#2<t>", "multiply#2<t> (2)", "matmul#1<t+1>", "multiply#1<t+1>")
    ]
    for t in (1, 2, 3):
        branches = [np.linalg.norm(branch.gradient) for branch in g.branches(f"h<{t}>")]
        assert [sizes[t - 1] for sizes in h.branches.values()] == pytest.approx(branches, rel=1e-12)
    assert [sizes[3] > 0 for sizes in h.branches.values()] == [True, True, False, False]


def test_an_initial_state_that_is_differentiated():
    (h,) = plot.gradient_norms(gradients(rnn(2, start=True)))
    assert h.blocks.tolist() == [0, 1, 2]
    assert h.branches["multiply#2<t>"][0] == 0


def test_a_norm_neither_underflows_nor_overflows_nor_hides_what_is_not_finite():
    tiny, huge = np.full(4, 1e-200), np.full(4, 1e200)
    for start in (tiny, huge):
        s = Tensor(np.ones(4), True, "s<0>")
        with block(1):
            s = (s * start).named("s")
        (norms,) = plot.gradient_norms(gradients(s.sum()), "s")
        assert norms.total.tolist() == pytest.approx([2 * start[0], 2], rel=1e-15)
    with np.errstate(over="ignore", invalid="ignore"):
        assert not np.isfinite(plot.gradient_norms(gradients(chain(1e200)))[0].total[:2]).any()
    assert plot.gradient_norms(gradients(chain(0.0)))[0].total.tolist() == [0, 0, 0, 1]
    z = Tensor(3 + 4j, True, "s<0>")
    with block(1):
        z = (z * 2.0).named("s")
    assert plot.gradient_norms(gradients(z.real + z.imag), "s")[0].total == pytest.approx(
        [np.sqrt(8), np.sqrt(2)]
    )


def test_values_of_the_gates_are_those_of_the_forward_equations():
    lstm, x, targets, _, _ = case(5)
    found = {
        v.value: v
        for v in plot.block_values(lstm.error(x, targets), ("Γ_f", "gamma_u", "Γ_o<t>", "c~"))
    }
    assert list(found) == ["Γ_f", "Γ_u", "Γ_o", "c~"]
    p = {name: value.numpy() for name, value in lstm.parameters().items()}
    a = c = np.zeros((2, 3))
    for t in range(5):
        z = np.concatenate([a, x[t]], axis=1)
        f, u, o = (1 / (1 + np.exp(-(z @ p[f"W_{g}"].T + p[f"b_{g}"]))) for g in "fuo")
        candidate = np.tanh(z @ p["W_c"].T + p["b_c"])
        c = c * f + u * candidate
        a = np.tanh(c) * o
        for name, value in (("Γ_f", f), ("Γ_u", u), ("Γ_o", o), ("c~", candidate)):
            assert found[name].blocks[t] == t + 1
            assert found[name].averaged == 2
            np.testing.assert_allclose(found[name].entries[:, t], value.mean(axis=0), rtol=1e-12)


def test_a_value_that_some_blocks_lack_and_one_without_axes():
    (s,) = plot.block_values(chain(2.0), "s")
    assert s.entries.tolist() == [[2, 4, 16, 256]]
    y = Tensor(1.0, True)
    for t in (5, 7):
        with block(t):
            y = (y + 1.0).named("y")
    (y,) = plot.block_values(y, "y")
    assert y.blocks.tolist() == [5, 6, 7]
    np.testing.assert_array_equal(y.entries, [[2, np.nan, 3]])


# What is drawn.


@pytest.mark.parametrize("theme", THEMES)
def test_gradient_flow_draws_the_norms(theme):
    g = gradients(lstm_loss(6))
    ax = plot.gradient_flow(g, ("c", "a"), theme=theme)
    found = curves(ax)
    for norms in plot.gradient_norms(g, ("c", "a")):
        assert found[f"{norms.value}<t>: the sum"].get_ydata() == pytest.approx(norms.total)
        for consumer, sizes in norms.branches.items():
            line = found[f"{norms.value}<t> via {consumer}"]
            assert line.get_xdata().tolist() == norms.blocks.tolist()
            np.testing.assert_array_equal(line.get_ydata(), np.where(sizes > 0, sizes, np.nan))
    assert legend(ax) == [*(name for name in found if name[0] in "ca"), "exactly 0"]
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "block t (backward runs to the left)",
        "norm of the derivative of Error,\nover batch and units",
    )
    drawn = [line for line in ax.lines if line.get_gid() == "curve"]
    assert len({(line.get_color(), str(line.get_linestyle())) for line in drawn}) == len(drawn) == 4
    assert pyplot.matplotlib.colors.to_hex(ax.figure.get_facecolor()) == THEMES[theme].page


def test_zero_and_what_is_not_finite_are_marked_at_the_edges():
    ax = plot.gradient_flow(gradients(chain(0.0)))
    zeros = [line for line in ax.lines if line.get_gid() == "mark"]
    assert [line.get_xdata().tolist() for line in zeros] == [
        [0, 1, 2],
        [0, 1, 2, 3],
        [0, 1, 2, 3],
    ]  # the sum, the branches
    assert {y for line in zeros for y in line.get_ydata()} == {0}
    assert legend(ax)[-1] == "exactly 0"
    with np.errstate(over="ignore", invalid="ignore"):
        ax = plot.gradient_flow(gradients(chain(1e200)))
    assert set(legend(ax)[-2:]) == {"exactly 0", "not finite"}
    ax.figure.canvas.draw()


@pytest.mark.parametrize("T", [1, 2, 300])
def test_one_block_and_many(T):
    ax = plot.gradient_flow(gradients(lstm_loss(T)), "c")
    keep = curves(ax)["c<t> via keep<t+1>"]
    assert (
        keep.get_markevery() is None if T > 1 else keep.get_markevery().tolist() == [0]
    )  # a lone point is a dot
    ax.figure.canvas.draw()
    plot.gate_activity(lstm_loss(T)).figure.canvas.draw()


def test_several_gradients_are_compared_by_name():
    named = {
        f"b_f = {bias}": gradients(
            LSTM(1, 2, rng=0, forget_bias=bias).error(np.ones((4, 1, 1)), np.ones((4, 1, 2)))
        )
        for bias in (0, 3)
    }
    ax = plot.gradient_flow(named, "c")
    assert legend(ax) == ["b_f = 0", "b_f = 3"]
    for name, g in named.items():
        assert curves(ax)[name].get_ydata() == pytest.approx(plot.gradient_norms(g, "c")[0].total)
    assert legend(plot.gradient_flow(named, ("c", "a")))[0] == "c<t>, b_f = 0"


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: plot.gradient_flow(gradients(lstm_loss(3)), ax=ax),
        lambda ax: plot.gate_activity(lstm_loss(3), ax=ax),
        lambda ax: plot.loss_curves([2, 1], ax=ax),
    ],
    ids=["gradient_flow", "gate_activity", "loss_curves"],
)
def test_it_draws_where_it_is_told_to(draw):
    figure, (left, right) = pyplot.subplots(1, 2)
    assert draw(right) is right
    assert not left.has_data() and right.has_data()
    assert pyplot.get_fignums() == [figure.number]
    alone = draw(None)
    assert alone.figure is not figure
    assert alone.set_title("mine").get_text() == "mine"


def test_gate_activity_draws_the_values():
    loss = lstm_loss(5, H=3, N=2)
    ax = plot.gate_activity(loss)
    assert [label.get_text() for label in ax.get_yticklabels()] == [
        "Γ_f<t>",
        "Γ_u<t>",
        "Γ_o<t>",
        "c~<t>",
    ]
    edges = []
    for image, v in zip(
        ax.images, plot.block_values(loss, ("Γ_f", "Γ_u", "Γ_o", "c~")), strict=True
    ):
        np.testing.assert_array_equal(image.get_array(), v.entries)
        assert v.is_gate == (v.value != "c~")
        assert image.get_clim() == ((0, 1) if v.is_gate else (-1, 1))
        left, right, bottom, top = image.get_extent()
        assert (left, right, bottom - top) == pytest.approx((0.5, 5.5, 3))  # unit 1 on top
        edges += [top, bottom]
    assert edges == sorted(edges)
    assert ax.get_ylim() == (edges[-1], 0)
    assert ax.get_legend() is None
    assert {other.get_ylabel() for other in ax.figure.axes} == {
        "",
        "gate, mean of the batch, N = 2",
        "value, mean of the batch, N = 2",
    }


def test_how_often_a_gate_is_open_and_closed_is_beside_it():
    loss = LSTM(1, 3, rng=0, forget_bias=4).error(np.ones((8, 2, 1)), np.zeros((8, 2, 3)))
    forget, candidate = plot.block_values(loss, ("Γ_f", "c~"))
    entries = np.array([loss.tape.names[f"Γ_f<{t}>"][0]._array for t in range(1, 9)])
    assert (forget.above, forget.below) == ((entries > 0.9).mean(), (entries < 0.1).mean())
    assert forget.above > 0.9 and not candidate.is_gate
    ax = plot.gate_activity(loss, ("Γ_f", "c~"))
    (right,) = ax.child_axes
    assert [text.get_text() for text in right.get_yticklabels()] == [
        f"{forget.above:.0%} > 0.9\n{forget.below:.0%} < 0.1"
    ]


@pytest.mark.parametrize(
    ("numbers", "ticks"),
    [
        ([0.02, 0.5], ["0.02", "0.05", "0.1", "0.2", "0.5"]),
        ([1e-48, 1.0], []),  # which, depends on Matplotlib's version
        ([3.0, 5000.0], ["10", "100", "1000"]),
    ],
)
def test_ticks_of_a_logarithmic_scale_are_plain_numbers(numbers, ticks):
    ax = plot.loss_curves(numbers, log=True)
    ax.figure.canvas.draw()
    (low, high), axis = sorted(ax.get_ylim()), ax.yaxis
    shown = [
        text.get_text()
        for at, text in zip(axis.get_majorticklocs(), axis.get_majorticklabels(), strict=True)
        if low <= at <= high
    ]
    assert {*ticks} <= {*shown}
    assert 2 <= len(shown) <= 12 and all(map(float, shown))
    assert not any(text.get_text() for text in axis.get_minorticklabels())


def test_a_value_beyond_1_and_one_that_is_not_finite():
    with np.errstate(over="ignore"):
        ax = plot.gate_activity(chain(1e100), "s")
    assert ax.images[0].get_clim() == (-1e200, 1e200)
    assert legend(ax) == ["no finite value"]


def test_loss_curves():
    losses = {"_rate $0.1$": [3, 2.0, Tensor(1.0)], "rate 1": np.array([3.0, np.inf, np.nan, 0.0])}
    ax = plot.loss_curves(losses, log=True)
    assert legend(ax) == [" _rate $0.1$", "rate 1", "exactly 0", "not finite"]
    assert curves(ax)[" _rate $0.1$"].get_xdata().tolist() == [1, 2, 3]
    np.testing.assert_array_equal(curves(ax)["rate 1"].get_ydata(), [3, np.nan, np.nan, np.nan])
    assert curves(ax)["not finite"].get_xdata().tolist() == [2, 3]
    ax.figure.canvas.draw()
    one = plot.loss_curves([1.0, -2.0])
    assert one.get_legend() is None and one.get_yscale() == "linear"
    assert one.lines[0].get_ydata().tolist() == [1, -2]
    assert one.lines[0].get_color() != plot.loss_curves([2.0], ax=one).lines[-1].get_color()


# The colours.


@pytest.mark.parametrize("theme", THEMES)
def test_lines_stand_out_and_are_told_apart_by_colour_blind_readers(theme):
    colors = LINES[theme]
    assert (
        min(contrast(color, THEMES[theme].page) for color in colors) >= 3.0
    )  # WCAG 2, for graphics
    protan = [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
    deutan = [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
    for seen_by in (np.eye(3), protan, deutan):  # Machado, Oliveira and Fernandes, 2009
        seen = [_lab(np.array(seen_by) @ _linear(color)) for color in colors]
        assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 25


def _linear(color):
    channels = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def _lab(linear):
    """CIE 1976 L*a*b*."""
    xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    ) @ linear.clip(0, 1)
    x, y, z = np.cbrt(xyz / [0.9505, 1, 1.089])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


# What goes wrong.


def twice():
    with block(1):
        x = Tensor(2.0, True, "x")
        return tanh(x).named("y") * (x * x).named("y")


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (
            lambda: plot.gradient_flow(lstm_loss(2)),
            DrawingError,
            "expected what gradients(loss) returned, got Tensor",
        ),
        (lambda: plot.gradient_flow({}), DrawingError, "there are no gradients"),
        (lambda: plot.gradient_flow({"a": 1}), DrawingError, "got int"),
        (
            lambda: plot.gradient_flow(gradients(Tensor(2.0, True, "x") ** 2)),
            DrawingError,
            "no block hands a value to another",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), "q"),
            UnknownNameError,
            "no block has a value called 'q': expected ",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), "W_f"),
            UnknownNameError,
            "no block has a value called 'W_f'",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), "x"),
            UnknownNameError,
            "got a constant",
        ),
        (
            lambda: plot.gradient_flow(gradients(twice()), "y"),
            UnknownNameError,
            "2 values are called",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), ()),
            DrawingError,
            "no names of values",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), [1]),
            DrawingError,
            "no names of values",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), theme="pink"),
            DrawingError,
            "expected light or dark, got 'pink'",
        ),
        (
            lambda: plot.gradient_flow(gradients(lstm_loss(2)), ax=pyplot),
            DrawingError,
            "expected one matplotlib Axes, got module",
        ),
        (
            lambda: plot.gate_activity(gradients(lstm_loss(2))),
            DrawingError,
            "expected a Tensor, got Gradients",
        ),
        (
            lambda: plot.gate_activity(rnn(2)),
            UnknownNameError,
            "no block has a value called 'Γ_f': expected h",
        ),
        (
            lambda: plot.gate_activity(Tensor(2.0) * 3),
            UnknownNameError,
            "expected values named in `with block(t):`",
        ),
        (lambda: plot.gate_activity(chain(2.0, "a\nb"), "q"), UnknownNameError, "expected a␊b"),
        (lambda: plot.gate_activity(twice(), "y"), UnknownNameError, "2 values are called 'y<1>'"),
        (lambda: plot.gate_activity(far_apart(), "y"), ShapeError, "1,000,000 blocks"),
        (
            lambda: plot.gate_activity(other_sizes(), "y"),
            ShapeError,
            "got [2, 3] units in blocks 1 to 2",
        ),
        (lambda: plot.gate_activity(chain(1j), "s"), DrawingError, "real values"),
        (lambda: plot.loss_curves([]), Error, "the curve is empty"),
        (lambda: plot.loss_curves({}), Error, "there is no curve"),
        (lambda: plot.loss_curves("abc"), Error, "got 'abc'"),
        (lambda: plot.loss_curves(3.0), Error, "expected a sequence of numbers, got 3.0"),
        (lambda: plot.loss_curves({"a": [[1, 2]]}), Error, "losses['a']: a loss is a number"),
        (lambda: plot.loss_curves([10**400]), Error, "a loss is a number"),
        (lambda: plot.loss_curves([1, -1], log=True), Error, "no negative numbers"),
    ],
)
def test_a_clear_error(call, kind, said):
    with pytest.raises(kind) as caught:
        call()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert pyplot.get_fignums() == []


def far_apart():
    y = Tensor(1.0, True)
    for t in (1, 5_000_000):
        with block(t):
            y = (y + 1.0).named("y")
    return y


def other_sizes():
    y = Tensor(np.ones(3), True)
    for t in (1, 2):
        with block(t):
            y = (y[: 4 - t] * 2.0).named("y")
    return y


def test_without_matplotlib():
    code = """
import sys
sys.modules["matplotlib"] = None
from tinygrad_lstm import DrawingError, gradients, Tensor
from tinygrad_lstm.viz import plot
try:
    plot.loss_curves([1.0])
except DrawingError as error:
    print(error)
"""
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout == "there is no matplotlib to plot with; pip install 'tinygrad-lstm[plot]'\n"


def test_importing_it_does_not_import_matplotlib():
    code = "import sys; from tinygrad_lstm.viz import plot; print('matplotlib' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True
        ).stdout
        == "False\n"
    )


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda loss: plot.gradient_flow(gradients(loss), 3), "no names of values"),
        (lambda loss: plot.gate_activity(loss, 3), "no names of values"),
        (lambda loss: plot.gate_activity(loss, "q"), "choose with values="),
        (lambda loss: plot.loss_curves("123"), "a loss is a number"),
    ],
)
def test_a_slip_in_an_argument_is_refused_in_one_line(call, says):
    loss = LSTM(1, 2, rng=0).error(np.ones((2, 1, 1)), np.zeros((2, 1, 2)))
    with pytest.raises(Error, match=says):
        call(loss)
