"""Names and keys: one grammar, in which any name works as a key, or is refused where it is
given."""

from contextlib import nullcontext

import numpy as np
import pytest
from cases import HOSTILE
from hypothesis import given, settings
from hypothesis import strategies as st

from tinygrad_lstm import (
    LSTM,
    DataError,
    DtypeError,
    Tensor,
    UnknownNameError,
    add_n,
    block,
    by_hand,
    compare,
    exp,
    explain,
    gradients,
    matmul,
    no_grad,
    paths,
    scope,
    sin,
    tanh,
)
from tinygrad_lstm.engine.names import Key, Name, canonical, checked_name, spelled
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.marks import verdicts
from tinygrad_lstm.viz.layout.roles import roles

PIECES = [*"ab<>.#@[]012 T-−~_γΓ\u0303\n", "via", " via ", " @ ", "gamma"]
ODD = st.lists(st.sampled_from(PIECES)).map("".join)
TEXT = st.one_of(ODD, st.text(), st.sampled_from(HOSTILE))
BLOCK = st.one_of(st.none(), st.integers(0, 12), st.integers(0, 10**18 - 1))


# The grammar.


@given(TEXT)
def test_what_was_parsed_is_written_again(text):
    assert str(Name.parse(text)) == text
    assert Name.parse(str(Name.parse(text))) == Name.parse(text)
    key = Key.parse(text)
    assert Key.parse(str(key)) == key
    assert canonical(canonical(text)) == canonical(text)


@given(TEXT, BLOCK, st.sampled_from(["", "layer2", "encoder.layer2"]))
def test_a_name_that_was_given_keeps_its_block_and_scope(label, number, prefix):
    try:
        checked_name(label, "x")
    except DataError:
        return
    name = Name.parse(spelled(label, number, prefix))
    assert name.role.startswith(prefix)
    own = Name.parse(label).block
    assert name.block == (number if own is None else own)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("c<2>", ("c", 2, "")),
        ("layer2.c<3>", ("c", 3, "layer2")),
        ("a.b.c", ("c", None, "a.b")),
        ("enc.W", ("W", None, "enc")),
        (".x", (".x", None, "")),
        ("x.<2>", ("x.", 2, "")),
        ("<2>", ("<2>", None, "")),
        ("c<02>", ("c<02>", None, "")),
        ("c<-1>", ("c<-1>", None, "")),
        ("c<٣>", ("c<٣>", None, "")),
        ("c<" + "9" * 18 + ">", ("c", 10**18 - 1, "")),
        ("c<" + "9" * 5000 + ">", ("c<" + "9" * 5000 + ">", None, "")),
        ("multiply#1<2>", ("multiply#1", 2, "")),
    ],
)
def test_names_in_parts(text, name):
    assert tuple(Name.parse(text)) == name


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("gamma_f<2>", Key(Name("Γ_f", 2))),
        ("c<2> via keep<3>", Key(Name("c", 2), Name("keep", 3))),
        ("c<2> via keep<3>[1]", Key(Name("c", 2), Name("keep", 3), 1)),
        ("W_f @ 2", Key(Name("W_f"), share=2)),
        ("W @ x", Key(Name("W @ x"))),
        ("W @ x @ 2", Key(Name("W @ x"), share=2)),
        ("r.a<1> via r.z<2>", Key(Name("a", 1, "r"), Name("z", 2, "r"))),
    ],
)
def test_keys_in_parts(text, key):
    assert Key.parse(text) == key


# Giving names.


@pytest.mark.parametrize(
    ("name", "error"),
    [
        (3, DtypeError),
        (b"x", DtypeError),
        (("x",), DtypeError),
        ("", DataError),
        ("c via d", DataError),
        ("c via", DataError),
        ("W @ 2", DataError),
        ("W<1> @ 2 ", DataError),
    ],
)
def test_a_name_that_cannot_be_a_key_is_refused_where_it_is_given(name, error):
    x = Tensor(1.0, requires_grad=True)
    with pytest.raises(error, match="name"):
        Tensor(1.0, name=name)
    with pytest.raises(error, match="name"):
        x.named(name)
    with pytest.raises(error, match="name"):
        (x * x).name = name
    with pytest.raises(error):
        scope(name)
    assert x.name is None


@pytest.mark.parametrize("name", ["a<b", "a>b", "a<2>", "a..b", ".a", "a.", "a @ b"])
def test_what_is_no_name_of_a_scope(name):
    with pytest.raises(DataError, match="scope"):
        scope(name)


@pytest.mark.parametrize("number", ["a", 1.0, 1.5, True, np.bool_(True), (1,), np.ones(2)])
def test_a_block_is_a_whole_number(number):
    with pytest.raises(DtypeError, match="block"):
        block(number)


@pytest.mark.parametrize("number", [-1, 10**18, 10**400])
def test_blocks_are_counted_from_zero(number):
    with pytest.raises(DataError, match="block"):
        block(number)


def test_a_block_may_be_numpys_and_is_pythons_then():
    x = Tensor(1.0, True, "x")
    for number in (np.int64(3), np.uint8(3), 3):
        with block(number):
            y = (x * x).named("y")
        assert y.name == "y<3>" and type(y.block) is int
    with block(3), block(None):
        assert (x * x).named("y").name == "y"
    with block(0):
        assert (x * x).named("y").name == "y<0>"
    with block(3):
        assert (x * x).named("c<2>").name == "c<2>"
        assert (x * x).named("<b>").name == "<b><3>"


@settings(max_examples=60, deadline=None)
@given(TEXT, st.one_of(st.none(), st.integers(0, 3)))
def test_any_name_is_a_key_everywhere_or_refused(text, number):
    x = Tensor([1.0, 2.0], requires_grad=True)
    try:
        x.named(text)
        with block(number):
            y = (x * x).named(text + "'")
            z = (y * x).sum()
    except DataError:
        return
    g = gradients(z)
    np.testing.assert_array_equal(g[x.name], g[x])
    np.testing.assert_array_equal(g[y.name], g[y])
    via = f"{x.name} via {z.tape.name(y * 1.0 if y is None else z.tape.stages[1].output)}"
    np.testing.assert_array_equal(g[via], g.branches(x)[-1].gradient)
    report = compare(g, {x.name: g[x], y.name: g[y], via: g[via]})
    assert report.ok and len(report.rows) == 3
    np.testing.assert_allclose(explain(z, x.name).evaluate(), g[x])
    assert paths(z, y.name).count == 1
    assert build(z.tape, path=[x.name]).ways == (x.name,)


# Scopes.


def test_scopes_stand_before_names_and_are_nested():
    x = Tensor(2.0, True, "x")
    with scope("encoder"):
        W = Tensor(3.0, True, "W")
        with scope("layer2"), block(3):
            c = (W * x).named("c")
            d = c * c
        with block(1), scope("reverse"):
            e = (d * x).named("e")
    loss = (e + x).named("loss")
    assert [v.name for v in (W, c, e, loss)] == [
        *("encoder.W", "encoder.layer2.c<3>", "encoder.reverse.e<1>", "loss")
    ]
    g = gradients(loss)
    assert g["encoder.layer2.multiply#1<3>"] == g[d]
    assert g["encoder.layer2.c<3> via encoder.layer2.multiply#1<3>[0]"] == c.item() * 2.0
    assert g["x @ 3"] == g["x via encoder.layer2.c<3>"]
    assert compare(g, {"encoder.W": g[W], "x @ 3": g["x @ 3"]}).ok
    assert "encoder.layer2.multiply#1<3>" in str(explain(loss, W))
    assert "encoder.layer2.c<3>" in str(paths(loss, "encoder.W"))
    assert loss.tape.stages[0].scope == "encoder.layer2"


def test_a_leaf_with_a_dot_is_one_of_the_scope():
    one = Tensor(2.0, True, "enc.W")
    with scope("enc"):
        two = Tensor(2.0, True, "W")
        three = Tensor(2.0, True)
        three.name = "W"
        four = Tensor(2.0, True)
    four.named("enc.W" if four.name else "W")
    assert one.name == two.name == three.name == four.name == "enc.W"
    assert Name.parse(one.name) == Name("W", None, "enc")
    with scope("enc"):
        named_inside = Tensor(1.0).named("W")
    assert named_inside.name == "enc.W"


def test_a_value_from_outside_that_is_named_inside():
    x = Tensor(2.0, True, "x")
    y = x * x
    with scope("head"), block(2):
        y.named("y")
    assert y.name == "head.y"
    with scope("other"):
        y.named("z")  # it is the head's already
    assert y.name == "head.z"


def test_a_scope_is_a_decorator_and_holds_in_a_generator_alone():
    x = Tensor(2.0, True, "x")

    @scope("inner")
    def square():
        return (x * x).named("y")

    @scope("steps")
    def steps():
        for t in (1, 2):
            with block(t):
                y = (x * x).named("y")
            yield y

    with scope("outer"):
        assert square().name == "outer.inner.y"
        names = [(y.name, (x * x).named("between").name) for y in steps()]
    assert names == [(f"outer.steps.y<{t}>", "outer.between") for t in (1, 2)]
    assert (x * x).named("y").name == "y"


def test_contexts_that_end_out_of_order():
    x = Tensor(2.0, True, "x")

    def suspended():
        with block(1), scope("a"):
            yield

    generator = suspended()
    next(generator)
    with scope("b"):
        assert (x * x).named("y").name == "a.b.y<1>"
        generator.close()
        assert (x * x).named("y").name == "b.y"
    with pytest.raises(ZeroDivisionError), scope("c"), no_grad(), block(3):
        1 / 0  # noqa: B018
    assert (x * x).named("y").name == "y"


def test_the_scope_may_be_left_out_where_there_is_one_such_value():
    lstm = LSTM(2, 3, rng=0)
    x, targets = np.ones((3, 1, 2)), np.zeros((3, 1, 3))
    with scope("net.encoder"):
        loss = lstm.error(x, targets)
    g = gradients(loss)
    assert g["c<2>"] is not None and loss.tape.find("encoder.c<T>").name == "net.encoder.c<3>"
    np.testing.assert_array_equal(g["c<2> via keep<3>"], g["net.encoder.c<2> via #2"])
    report = compare(g, by_hand.lstm(lstm, x, targets))
    assert report.ok and all(row.ok for row in report.rows)
    assert {row.verdict for row in report.rows} == {"right", "not differentiated"}
    graph = build(loss.tape, verdicts=verdicts(report, loss.tape))
    assert all(n.verdict for n in graph.nodes if n.readers)
    assert roles(graph) is not None  # it is drawn as the document draws it
    y = Tensor(2.0, True, "y")
    for layer in ("one", "two"):
        with scope(layer):
            y = (y * y).named("h")
    with pytest.raises(UnknownNameError, match=r"2 values are called 'h'; ask for one.h, two.h"):
        gradients(y)["h"]


# Values without a name.


def recurrent(T, state_first=False, last_only=False):
    """h = tanh(h W) U, with an output in each block that only the last one's loss may read."""
    W, U, V = (Tensor(np.full((2, 2), 0.5), True, name) for name in "WUV")
    h, errors = Tensor(np.ones((1, 2)), True, "h_0"), []
    for t in range(1, T + 1):
        with block(t):
            before = h
            if state_first:
                h = matmul(tanh(matmul(h, W)), U)
            errors.append(matmul(before, V).sum())
            if not state_first:
                h = matmul(tanh(matmul(h, W)), U)
    return add_n(*(errors[-1:] if last_only else errors)), W


def test_values_without_a_name_are_numbered_by_operation_and_block():
    loss, W = recurrent(3)
    g = gradients(loss)
    for key in ("matmul#1<1>", "matmul#2<2>", "matmul#3<2>", "tanh#1<1>", "sum#1<3>", "add_n#1"):
        assert g[key].size
    W_total = g["W via matmul#2<1>"] + g["W via matmul#2<2>"]
    np.testing.assert_array_equal(g["W"], W_total)
    np.testing.assert_array_equal(g["W @ 2"], g["W via matmul#2<2>[1]"])
    assert compare(g, {key: g[key] for key in g}).ok
    assert set(g) == {"W", "U", "V", "h_0"} | {s.name for s in loss.tape.stages}
    assert f"{loss.tape.label(loss)} = " in str(loss.tape)
    assert build(loss.tape, path=["matmul#2<2>"]).ways == ("matmul#2<2>",)
    assert "matmul#2<1>" in str(explain(loss, W))


@pytest.mark.parametrize("state_first", [True, False])
@pytest.mark.parametrize("last_only", [True, False])
def test_a_stage_that_led_nowhere_counts_where_others_show_it(state_first, last_only):
    loss, _ = recurrent(4, state_first, last_only)
    output, *state = (3, 1, 2) if state_first else (1, 2, 3)
    names = {stage.name for stage in loss.tape.stages}
    assert names == {"add_n#1"} | {
        *(f"matmul#{n}<{t}>" for n in state for t in (1, 2, 3)),
        *(f"tanh#1<{t}>" for t in (1, 2, 3)),
        *(f"matmul#{output}<{t}>" for t in ((4,) if last_only else (1, 2, 3, 4))),
        *(f"sum#1<{t}>" for t in ((4,) if last_only else (1, 2, 3, 4))),
    }


def test_a_stage_that_had_nothing_to_differentiate_counts_where_others_show_it():
    W, h = Tensor(np.eye(2), True, "W"), np.ones(2)
    for t in (1, 2, 3):
        with block(t):
            h = (tanh(matmul(h, W)) + 0.5 * h).named("h")  # of a constant in the first block
            error = (h * h).sum()
    assert [s.name for s in error.tape.stages if s.op == "multiply"] == [
        *("multiply#1<2>", "multiply#1<3>", "multiply#2<3>")
    ]


def test_a_last_block_that_goes_another_way():
    h, W = Tensor(np.ones((1, 2)), True, "h<0>"), Tensor(np.eye(2), True, "W")
    for t in (1, 2, 3):
        with block(t):
            gate = tanh(h * 2.0)  # read by the state, and so by nobody in the last block
            twice = h * h
            loss = (twice.sum() + (h @ W).sum()).named("E")
            h = (twice @ W + gate * h).named("h")
    names = {s.name for s in loss.tape.stages}
    assert {"multiply#2<1>", "multiply#2<2>", "multiply#2<3>"} <= names
    assert "multiply#1<3>" not in names
    text = str(explain(loss).rolled)
    assert "no multiply#1<3>" in text and "no multiply#2" not in text
    for line in text.splitlines():
        notes = [note for note in line.split("; ") if "its branch is 0" in note]
        assert len(notes) == len(set(notes))


STEPS = st.lists(st.tuples(st.sampled_from([tanh, sin, exp]), st.booleans()), max_size=6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(STEPS, st.sampled_from(["", "s"])), min_size=1, max_size=5))
def test_no_two_values_have_one_name_whatever_the_blocks_run(program):
    x = Tensor(0.5, True, "x")
    live = [x * 1.0]
    for t, (steps, prefix) in enumerate(program):
        with block(t // 2), scope(prefix) if prefix else nullcontext():
            live += [y for f, is_live in steps for y in [f(x)] if is_live]
    loss = add_n(*live)
    names = [stage.name for stage in loss.tape.stages]
    assert len(set(names)) == len(names)
    assert [loss.tape.find(name) for name in names] == [s.output for s in loss.tape.stages]


def test_two_layers_and_blocks_that_are_entered_again():
    x = Tensor(2.0, True, "x")
    y = x
    for layer in ("one", "two"):
        for t in (1, 2):
            with block(t), scope(layer):
                y = y * x
    for t in (1, 2):
        with block(t):
            y = y * x
    with block(2):
        y = y * x
    assert [s.name for s in y.tape.stages] == [
        *("one.multiply#1<1>", "one.multiply#1<2>", "two.multiply#1<1>", "two.multiply#1<2>"),
        *("multiply#1<1>", "multiply#1<2>", "multiply#2<2>"),
    ]


def test_what_the_rolled_form_prints_is_a_key():
    W = Tensor(np.ones((2, 2)), True, "W")
    r, errors = Tensor(np.ones((1, 2)), True, "r_end"), []
    for t in (3, 2, 1):
        with block(t):
            r = tanh(r @ W + np.ones((1, 2)) * t).named("r")
            errors.append(r.sum().named("E"))
    loss = add_n(*errors).named("E")
    text = str(explain(loss).rolled)
    assert "δr_end = δmatmul#1<T> Wᵀ" in text and "δmatmul#1<t>" in text
    g = gradients(loss)
    np.testing.assert_array_equal(g["matmul#1<T>"], g["matmul#1<3>"])
    np.testing.assert_array_equal(g["matmul#1<T-1>"], g["matmul#1<T−1>"])
    np.testing.assert_array_equal(g["r<T> via matmul#1<T-1>"], g["r<3> via matmul#1<2>"])
    with pytest.raises(UnknownNameError, match="E<4>"):
        g["E<4>"]


def test_the_old_spelling_names_the_new_one():
    x = Tensor(2.0, True, "x")
    with block(1):
        y = x * 2.0
    with block(2):
        z = y * x
    g = gradients(z.sum())
    with pytest.raises(UnknownNameError, match=r"it is multiply#1<2> now"):
        g["multiply#2"]
    with pytest.raises(UnknownNameError, match=r"it is sum#1 now"):
        explain(z.sum(), "sum#3")
    with pytest.raises(UnknownNameError, match=r"no value is called 'multiply#9'"):
        g["multiply#9"]


def test_the_key_of_a_part_is_no_value():
    x = Tensor(2.0, True, "x")
    loss = (x * x).named("loss")
    for ask in (loss.tape.find, lambda key: explain(loss, key), lambda key: paths(loss, key)):
        with pytest.raises(UnknownNameError, match=r"key of a part; .* such as x"):
            ask("x via loss[0]")


def test_names_that_several_have_are_told_apart_by_number():
    x = Tensor(2.0, True, "x")
    a, b = (x * 2.0).named("h"), (x * 3.0).named("h")
    c = (x * x).named("h#1")  # is taken
    loss = (a * b * c).named("loss")
    g = gradients(loss)
    with pytest.raises(UnknownNameError, match=r"2 values are called 'h'.*h#2, h#3"):
        g["h"]
    assert (g["h#2"], g["h#3"], g["h#1"]) == (g[a], g[b], g[c])


def test_a_stage_may_be_called_like_a_number_or_an_argument():
    x = Tensor(2.0, True, "x")
    a, b, c = (x * 2.0).named("#1"), (x * x).named("h"), (x * 5.0).named("h[0]")
    g = gradients(a + b + c)
    assert g["x via #1"] == 2.0 and g["x via #2"] == 2.0 and g["x via #4"] == 5.0
    assert g["x via h[1]"] == 2.0 and g["x via h[0]"] == 5.0 and g["x via h[0][0]"] == 5.0
    assert g["h[0]"] == 1.0
