"""The document's errata, one by one: what each makes wrong, by how much, and that compare finds it
(DERIVATION, section 5)."""

import re

import numpy as np
import pytest
from cases import LEAVES, PARAMETERS, case, error

from tinygrad_lstm import DtypeError, Tensor, UnknownNameError, by_hand, compare, gradients
from tinygrad_lstm.cli.main import main
from tinygrad_lstm.lstm.errata import KINDS

DEPARTS = {  # at T = 3: the quantities whose own formula is another, and nothing else
    "E1": r"c<[12]> via keep<[23]>",
    "E2": r"W_f via sum_f<1>",
    "E3": r"z<.> via sum_f<.>",
    "E4": r"z<.> via sum_[uo]<.>",
    "E5": r"a<.> via Error<.>",
    "E6": r"c<0> via keep<1>",
    "E13": r"c<.> via tanh_c<.>",
    "E14": r"a<0> via z<1>|c<0> via keep<1>",
    "E19": r"z<.> via sum_[uco]<.>",
    "E20": r"W_o via sum_o<[12]>",
    "E22": r"sum_c<.>",
    "E24": r"[Wb]_f",
}


def both(T, N=2, loss="every", given=True, seed=0, **sizes):
    """The tape's gradients, and by erratum those that are printed."""
    lstm, x, targets, state, mask = case(
        np.random.default_rng([seed, T]), T, N, loss, given, **sizes
    )
    x, *state = (Tensor(array, requires_grad=True) for array in (x, *state))
    return gradients(lstm.error(x, targets, state, mask)), lambda name: by_hand.lstm(
        lstm, x, targets, state, mask, as_printed=name
    )


def wrong(comparison):
    return [row.name for row in comparison.rows if row.verdict != "right"]


def test_the_errata_of_the_table():
    assert set(by_hand.ERRATA) == {*DEPARTS, "E10"}
    for name, erratum in by_hand.ERRATA.items():
        assert erratum.name == name and erratum.kind in KINDS
        assert re.fullmatch(r"l\.\d+[\d, -]*", erratum.where) and erratum.printed != erratum.correct


@pytest.mark.parametrize("loss", ["every", "last"])
@pytest.mark.parametrize("T", [1, 2, 3, 5])
@pytest.mark.parametrize("name", by_hand.ERRATA)
def test_compare_finds_it_where_the_record_says(name, T, loss):
    erratum = by_hand.ERRATA[name]
    g, printed = both(T, loss=loss)
    found = wrong(compare(g, printed(name)))
    assert found[:1] == ([erratum.first_wrong(T)] if erratum.blocks <= T else [])


@pytest.mark.parametrize("name", DEPARTS)
def test_only_what_departs_and_what_is_computed_from_it_is_wrong(name):
    g, printed = both(3)
    hand = printed(name)
    off = set(wrong(compare(g, hand)))
    assert off
    consumers = {}
    for stage in g.tape.stages:
        for value in stage.inputs:
            if isinstance(value, Tensor):
                consumers.setdefault(g.tape.label(value), []).append(stage.name)
    for row in hand:
        value, _, consumer = row.partition(" via ")
        branches = [other for other in hand if other.startswith(f"{value} via ")]
        sources = [consumer] if consumer else branches or consumers.get(row, [])
        if re.fullmatch(DEPARTS[name], row):
            assert row in off
        elif row in off:
            assert off & set(sources), row


def test_the_dot_product_makes_the_forward_pass_wrong_and_so_all_that_follows():
    g, printed = both(3)
    assert set(g) - set(wrong(compare(g, printed("E10")))) == {
        "Error",
        "Error<1>",
        "Error<2>",
        "Error<3>",
    }
    g, printed = both(3, H=1)  # with one unit the two products are the same
    assert compare(g, printed("E10")).ok


# The printed formulas, from the values on the tape.


@pytest.fixture
def tape():
    g, printed = both(3)
    value = {name: found[0].detach().numpy() for name, found in g.tape.names.items()}
    return g, value, printed


def test_E1_and_E6_are_the_gate_alone(tape):
    _, v, printed = tape
    np.testing.assert_allclose(printed("E1")["c<2> via keep<3>"], v["Γ_f<3>"], rtol=1e-13)
    np.testing.assert_allclose(printed("E6")["c<0>"], v["Γ_f<1>"], rtol=1e-13)


def test_E2_has_no_fork_and_the_next_gate_for_the_cell_state(tape):
    g, v, printed = tape
    row = g["c<1> via tanh_c<1>"] * v["Γ_f<2>"] * v["Γ_f<1>"] * (1 - v["Γ_f<1>"])
    np.testing.assert_allclose(printed("E2")["W_f via sum_f<1>"], row.T @ v["z<1>"], rtol=1e-12)


def test_E3_E4_and_E19_go_through_other_gates(tape):
    g, v, printed = tape
    np.testing.assert_allclose(
        printed("E3")["z<3> via sum_f<3>"], g["sum_f<3>"] @ v["W_o"], rtol=1e-12
    )
    hand = printed("E4")
    np.testing.assert_allclose(hand["z<3> via sum_u<3>"], g["z<3> via sum_c<3>"], rtol=1e-12)
    by_c = g["a<3>"] * v["Γ_o<3>"] * (1 - v["tanh_c<3>"] ** 2) * (1 - v["c~<3>"] ** 2)
    np.testing.assert_allclose(hand["z<3> via sum_o<3>"], by_c @ v["W_c"], rtol=1e-12)
    np.testing.assert_allclose(printed("E19")["z<3>"], g["z<3> via sum_f<3>"], rtol=1e-12)


def test_E5_negates_every_gradient():
    g, printed = both(3)
    for name, value in printed("E5").items():
        if not name.startswith("Error"):
            np.testing.assert_allclose(value, -g[name], rtol=1e-10, atol=1e-14, err_msg=name)


def test_E13_adds_where_it_multiplies(tape):
    g, v, printed = tape
    np.testing.assert_allclose(
        printed("E13")["c<3>"], g["a<3>"] + v["Γ_o<3>"] * (1 - v["tanh_c<3>"] ** 2), rtol=1e-12
    )


def test_E14_and_E22_are_zero(tape):
    _, _, printed = tape
    assert not printed("E14")["a<0>"].any() and not printed("E14")["c<0>"].any()
    assert not printed("E22")["W_c"].any() and not printed("E22")["b_c"].any()


def test_E20_drops_the_second_row_and_mixes_two_blocks_in_the_third(tape):
    g, v, printed = tape
    hand = printed("E20")
    first = g["W_o via sum_o<3>"]
    third = (
        (g["a<1> via Error<1>"] + g["a<2> via Error<2>"])
        * v["tanh_c<2>"]
        * v["Γ_o<2>"]
        * (1 - v["Γ_o<2>"])
    )
    np.testing.assert_allclose(hand["W_o"], first + third.T @ v["z<2>"], rtol=1e-12)


def test_E24_is_the_last_row(tape):
    g, _, printed = tape
    hand = printed("E24")
    np.testing.assert_allclose(hand["W_f"], g["W_f via sum_f<3>"], rtol=1e-12)
    np.testing.assert_allclose(hand["b_f"], g["b_f via sum_f<3>"], rtol=1e-12)


# How wrong, by the derivation's own measurements of single cases; here the medians of many. The
# powers of ten have to agree.


@pytest.mark.parametrize(
    ("name", "T", "given", "measured"),
    [
        ("E2", 2, True, {"W_f": 0.70}),
        ("E3", 1, True, {"a<0>": 1.1}),
        ("E3", 3, True, {"W_f": 0.1, "W_u": 0.1, "W_c": 0.1, "W_o": 0.1}),
        ("E4", 1, True, {"a<0>": 3.4}),
        ("E4", 3, True, {"W_f": 0.55, "W_u": 0.32, "W_c": 0.27, "W_o": 1.1}),
        ("E5", 3, True, dict.fromkeys(LEAVES, 2.0)),
        ("E6", 1, True, {"c<0>": 3.9}),
        ("E13", 1, True, {"c<1>": 2.1}),
        ("E13", 3, True, {"c<3>": 2.7}),
        ("E19", 1, True, {"a<0>": 0.89}),
        ("E20", 3, True, {"W_o": 2.8}),
        ("E24", 2, True, {"W_f": 0.87}),
        ("E24", 3, True, {"W_f": 1.1}),
        ("E24", 7, True, {"W_f": 1.2}),
    ],
)
def test_the_size_of_the_error(name, T, given, measured):
    rng = np.random.default_rng(T)
    errors = {value: [] for value in measured}
    for _ in range(60):
        arguments = case(rng, T, 1, "every", given)
        true, printed = by_hand.lstm(*arguments), by_hand.lstm(*arguments, as_printed=name)
        for value in measured:
            errors[value].append(error(printed[value], true[value]))
    for value, expected in measured.items():
        assert expected / 10 < np.median(errors[value]) < expected * 10, value


@pytest.mark.parametrize("name", ["E3", "E4", "E6", "E14", "E19"])
def test_at_one_block_no_parameter_shows_it(name):
    g, printed = both(1)
    assert not set(wrong(compare(g, printed(name)))) & set(PARAMETERS)


@pytest.mark.parametrize("name", ["E1", "E2"])
def test_the_last_row_of_W_f_where_the_state_is_zero(name):
    """The true row of block 1 is zero then: E1 keeps it so, E2 does not."""
    g, printed = both(2, given=False)
    assert not g["W_f via sum_f<1>"].any()
    assert (np.max(np.abs(printed(name)["W_f via sum_f<1>"])) > 1e-3) == (name == "E2")


# Which errata, asked for in which way.


def test_true_is_the_two_of_the_main_formula():
    _, printed = both(3)
    for one, other in (
        (True, ["E6", "E1"]),
        (True, iter(("E1", "E6"))),
        ("E3", ["E3"]),
        (False, ()),
    ):
        first, second = printed(one), printed(other)
        assert all(np.array_equal(first[name], second[name]) for name in first)


def test_all_together_run():
    _, printed = both(3)
    assert all(np.isfinite(value).all() for value in printed(by_hand.ERRATA).values())


@pytest.mark.parametrize(
    ("name", "near"),
    [("e3", "E3"), (["E1", "E42"], "E4"), ("", "E"), ([["E1"]], "E1"), ([1], "E1")],
)
def test_an_unknown_name_is_refused_with_the_nearest(name, near):
    _, printed = both(1)
    with pytest.raises(
        UnknownNameError,
        match=rf"no such erratum: expected one of E1, .*, E24, got .*; the nearest is {near}",
    ):
        printed(name)


@pytest.mark.parametrize("name", [None, 3])
def test_what_names_nothing_is_refused(name):
    _, printed = both(1)
    with pytest.raises(DtypeError, match="as_printed: this names no errata"):
        printed(name)


# The command line.


def test_the_story_of_the_main_formula(capsys):
    assert main(["compare", "--as-printed"]) == 1
    table, _, story = capsys.readouterr().out.partition("\n\nas printed: E1, E6\n")
    rows, right = re.search(r"^(\d+) rows: (\d+) right, ", table, flags=re.MULTILINE).groups()
    assert len(re.findall(r" right$", table, flags=re.MULTILINE)) == int(right)
    assert f"agrees in {right} of {rows} quantities" in story
    for erratum in (by_hand.ERRATA["E1"], by_hand.ERRATA["E6"]):
        assert all(text in story for text in (erratum.where, erratum.printed, erratum.correct))
    assert re.search(r"^3 +all$", story, flags=re.MULTILINE)  # block T is exact in everything,
    assert re.search(
        r"^2 +Error a tanh_c Γ_o sum_o +c ", story, flags=re.MULTILINE
    )  # block T-1 in a and sum_o
    assert "departs first in c<2> via keep<3>" in story
    assert re.search(r"^W_f +\d", story, flags=re.MULTILINE)


def test_the_story_of_those_asked_for(capsys):
    assert main(["compare", "--as-printed", "E24", "E3", "--steps", "2"]) == 1
    assert "\n\nas printed: E3, E24\n" in capsys.readouterr().out
    assert main(["compare", "--as-printed", "E24", "--steps", "1"]) == 0
    assert "departs in none: with these sizes E24 changes no number" in capsys.readouterr().out


def test_each_by_itself_in_one_table(capsys):
    assert main(["compare", "--as-printed", "all"]) == 1
    lines = [re.split(r" {2,}", line) for line in capsys.readouterr().out.splitlines()]
    rows = {name: rest for name, *rest in lines if name in by_hand.ERRATA}
    assert list(rows) == list(by_hand.ERRATA)
    for name, (where, printed, correct, first, largest) in rows.items():
        erratum = by_hand.ERRATA[name]
        assert (where, printed, correct, first) == (
            erratum.where,
            erratum.printed,
            erratum.correct,
            erratum.first_wrong(3),
        )
        assert re.fullmatch(r"[\d.]+ \(\S+\)", largest)
    assert rows["E5"][-1] == "2 (x)"  # every gradient exactly negated
    assert rows["E14"][-1] == "1 (a<0>)"


def test_the_table_where_one_block_is_too_few(capsys):
    assert main(["compare", "--as-printed", "all", "--steps", "1"]) == 1
    assert re.search(
        r"^E24 .* none: from T = 2 on +0$", capsys.readouterr().out, flags=re.MULTILINE
    )


def test_the_table_where_there_is_one_unit(capsys):
    assert main(["compare", "--as-printed", "all", "--units", "1"]) == 1
    assert re.search(r"^E10 .* none +0$", capsys.readouterr().out, flags=re.MULTILINE)


def test_an_unknown_name_on_the_command_line(capsys):
    assert main(["compare", "--as-printed", "E33"]) == 2
    assert capsys.readouterr().err.startswith(
        "tinygrad-lstm: error: as_printed: there is no such erratum"
    )
