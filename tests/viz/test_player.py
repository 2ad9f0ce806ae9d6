"""The page that plays the graph: its data, and what a reader sees and does in a real browser."""

import base64
import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from browser import Browser, decoded, program
from cases import EMBEDDED, HOSTILE, PROGRAM, lstm_loss, rnn_loss, square

from tinygrad_lstm import (
    LSTM,
    DrawingError,
    Tensor,
    add_n,
    block,
    by_hand,
    clip,
    compare,
    concatenate,
    elu,
    exp,
    gradients,
    leaky_relu,
    log1p,
    log_softmax,
    logsumexp,
    maximum,
    nn,
    relu,
    sigmoid,
    sin,
    softmax,
    sort,
    sqrt,
    stack,
    tanh,
    where,
)
from tinygrad_lstm.viz import draw
from tinygrad_lstm.viz.graph.build import build
from tinygrad_lstm.viz.graph.levels import runs
from tinygrad_lstm.viz.graph.members import blocks_of
from tinygrad_lstm.viz.image import render
from tinygrad_lstm.viz.look.text import printable
from tinygrad_lstm.viz.player import player
from tinygrad_lstm.viz.player.steps import recording
from tinygrad_lstm.viz.player.store import MOST, listed

pytestmark = pytest.mark.skipif(
    not (PROGRAM or EMBEDDED), reason="there is neither a dot program nor pygraphviz"
)


@pytest.fixture(scope="module")
def window():
    if not program():
        pytest.skip("there is no Chromium on this machine")
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture
def browser(window):
    """A browser whose page must neither complain nor fetch anything."""
    window.said.clear()
    window.fetched.clear()
    yield window
    assert window.said == []
    assert all(url.startswith(("file:", "about:")) for url in window.fetched)


@pytest.fixture
def show(browser, tmp_path):
    """Draw a page and open it."""

    def shown(loss, width=1400, height=800, at="", mobile=False, media=None, **options):
        draw(loss, tmp_path / "player.html", **options)
        browser.open(
            (tmp_path / "player.html").as_uri() + at, width, height, mobile, **(media or {})
        )
        return browser

    return shown


def played(loss, **options):
    """The data of a page."""
    g = gradients(loss)
    hidden = runs(
        blocks_of(loss.tape), options.get("level", "stages"), (), options.get("blocks", 2)
    )
    return recording(build(loss.tape, g, hidden), g)


def exactly(array):
    """An array as the page has it in `data-exact`: its entries; of a large one their sum."""
    return array.reshape(-1).tolist() if array.size <= MOST else array.sum()


def text(rule, values):
    """A rule as it is read."""
    return "".join(
        p if isinstance(p, str) else "δ" * ("gradient" in p) + values[p["of"]]["name"] for p in rule
    )


def diamond():
    x = Tensor([0.5, -1.5], True, "x")
    left, right = tanh(x).named("left"), (x * 3.0).named("right")
    return (left * right).named("y").sum().named("loss")


# The data.


def test_the_rules_are_those_of_the_derivation():
    data = played(lstm_loss(3, D=2, H=3))
    values = {v["name"]: v for v in data["values"]}
    sent = {
        f"{v['name']} via {data['values'][b['by']]['name']}": text(b["rule"], data["values"])
        for v in data["values"]
        for b in v["branches"]
    }
    computed = {name: text(v["rule"], data["values"]) for name, v in values.items() if "rule" in v}
    assert computed["z<2>"] == "[a<1>, x<2>]"  # F1
    assert computed["sum_f<2>"] == "z<2> W_fᵀ + b_f"  # F2
    assert computed["Γ_f<2>"] == "σ(sum_f<2>)"  # F6
    assert computed["c<2>"] == "keep<2> + write<2>"  # F12
    assert computed["Error"] == "Error<1> + Error<2> + Error<3>"  # F16
    assert sent["a<2> via Error<2>"] == "−(â<2> − a<2>)"  # B1
    assert sent["c<2> via tanh_c<2>"] == "δtanh_c<2> ∘ (1 − tanh_c<2>²)"  # B4
    assert sent["c<2> via keep<3>"] == "δkeep<3> ∘ Γ_f<3>"  # B5
    assert sent["sum_f<2> via Γ_f<2>"] == "δΓ_f<2> ∘ Γ_f<2> ∘ (1 − Γ_f<2>)"  # B7
    assert sent["W_f via sum_f<2>"] == "δsum_f<2>ᵀ z<2>"  # B11
    assert sent["z<2> via sum_f<2>"] == "δsum_f<2> W_f"  # B13
    assert sent["a<1> via z<2>"] == "δz<2>[:, :3]"  # B15


@pytest.mark.parametrize(
    ("T", "level"), [(3, "stages"), (9, "stages"), (9, "blocks"), (9, "block")]
)
def test_what_branches_send_adds_up_whatever_is_left_out(T, level):
    loss = lstm_loss(T, D=2, H=3, N=2, every=False)
    g, data = gradients(loss), played(loss, level=level)
    names = [v["name"] for v in data["values"]]
    assert {"W_f", "b_o", "Error", f"c<{T}>"} <= set(names)
    arrivals = [
        tuple(b)
        for s in data["steps"]
        for b in (
            s.get("branches") or ([[s["value"], s["branch"]]] if s["kind"] == "backward" else [])
        )
    ]
    assert len(arrivals) == len(set(arrivals)) == sum(len(v["branches"]) for v in data["values"])
    for value in data["values"]:
        if "gradient" in value and value["branches"]:
            sent = sum(np.array(b["gradient"]["entries"]) for b in value["branches"])
            assert np.allclose(sent, g[value["name"]].reshape(-1), rtol=1e-12, atol=1e-15)
            assert value["branches"][-1]["sum"] == value["gradient"] == listed(g[value["name"]])


def test_numbers_survive():
    assert listed(np.array([np.nan, np.inf, -np.inf, -0.0]))["entries"] == [
        "nan",
        "inf",
        "-inf",
        -0.0,
    ]
    assert listed(np.array([2**62 + 1, 3]))["entries"] == [str(2**62 + 1), 3]
    assert listed(np.array([True, False]))["entries"] == [True, False]
    assert listed(np.array(1 - 2j))["entries"] == [[1.0, -2.0]]
    assert listed(np.arange(MOST + 1.0)) == {
        "shape": [MOST + 1],
        "dtype": "float64",
        "sum": MOST * (MOST + 1) / 2,
    }
    assert listed(np.zeros((0, 3))) == {"shape": [0, 3], "dtype": "float64", "entries": []}
    value = 0.1 + 0.2
    packed = f'id="data">{player._packed(listed(value))}<'
    assert decoded(packed)["entries"] == [value]


def test_a_page_is_complete_in_itself(tmp_path):
    loss = lstm_loss(3)
    draw(loss).save(tmp_path / "player.html")
    page = (tmp_path / "player.html").read_text(encoding="utf-8")
    assert "http" not in page.replace("http-equiv", "")
    assert not re.search(r"\b(src|href)=|url\(|@import|\bfetch\(|XMLHttpRequest|eval\(", page)
    assert re.search(r"default-src 'none'; script-src( 'sha256-[\w+/]+=*'){2}; ", page)
    assert page.count("<script") == 3
    draw(loss, tmp_path / "again.html", gradients=gradients(loss))
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_without_graphviz_there_is_no_page(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(render.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DrawingError, match="no Graphviz"):
        draw(square(), tmp_path / "player.html")
    assert [f.name for f in tmp_path.iterdir()] == ["player.dot"]


# Playing: what the page says at each step.

STEP = """(() => {
  const last = (selector) => [...document.querySelectorAll(selector)].at(-1);
  const exact = (selector) => JSON.parse(last(selector)?.dataset.exact ?? "null");
  const said = (selector) => document.querySelector(selector).textContent;
  return {phase: said("#step .phase"), said: said("#said"),
          lit: document.querySelectorAll(".lit.node").length,
          numbers: exact("#step .numbers .array"), sum: exact("#step .total .array")};
})()"""


@pytest.mark.parametrize(
    ("make", "blocks"),
    [
        (lambda: lstm_loss(3, D=2, H=3, N=2), 2),
        (lambda: lstm_loss(20), None),
        (diamond, 2),
        (square, 2),
    ],
)
def test_each_step_is_one_of_the_engine_with_its_numbers(show, make, blocks):
    loss = make()
    g, tape = gradients(loss), loss.tape
    browser = show(loss, blocks=blocks)
    steps = browser.run(
        f"(() => {{ const all = []; for (let i = 0; i <= last; i++) {{ all.push({STEP}); "
        "by('next').click(); } return all; })()"
    )
    expected = [
        ("forward", stage.name, exactly(stage.output.numpy()), None) for stage in tape.stages
    ]
    expected.append(("backward", tape.label(tape.root), [1.0], None))
    arrived = {id(x): [] for x in tape.values}
    for stage in reversed(tape.stages):
        for argument, x in reversed(list(enumerate(stage.inputs))):
            if not (isinstance(x, Tensor) and x.requires_grad):
                continue
            branches = g.branches(x)
            [sent] = [b.gradient for b in branches if b.stage == stage and b.argument == argument]
            arrived[id(x)].append(sent)
            total = g[x] if len(arrived[id(x)]) == len(branches) else sum(arrived[id(x)])
            expected.append(
                (
                    "backward",
                    stage.name,
                    exactly(sent),
                    exactly(total) if len(branches) > 1 else None,
                )
            )
    assert len(steps) == len(expected) + 1
    assert steps[0]["phase"] == "start"
    for step, (phase, name, numbers, total) in zip(steps[1:], expected, strict=True):
        assert step["phase"].startswith(phase)
        assert step["said"].startswith(phase)
        assert name in step["said"]
        assert step["lit"]
        assert step["numbers"] == numbers
        assert step["sum"] == total


def test_the_running_sum_at_a_fork(show):
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(3, 1, 2)), rng.normal(size=(3, 1, 3))
    lstm = LSTM(2, 3, rng=0)
    loss = lstm.error(x, targets)
    hand = by_hand.lstm(lstm, x, targets)  # an independent derivation, in plain NumPy
    browser = show(loss)
    browser.press("b")
    rows = []
    for _ in range(200):
        browser.press("ArrowRight")
        if "back to c<2>:" in browser.text("#said"):
            rows.append(
                browser.run(
                    "[...document.querySelectorAll('#step .sum .array')].map((e) => "
                    "JSON.parse(e.dataset.exact))"
                )
            )
            rows[-1].append(browser.text("#step .sum"))
        if len(rows) == 2:
            break
    (first, partial, said), (again, second, total, said_then) = rows
    assert np.allclose(first, hand["c<2> via keep<3>"].reshape(-1), rtol=1e-12)
    assert np.allclose(second, hand["c<2> via tanh_c<2>"].reshape(-1), rtol=1e-12)
    assert np.allclose(total, hand["c<2>"].reshape(-1), rtol=1e-12)
    assert first == partial == again
    assert "sum so far, 1 of 2" in said
    assert "to come: via tanh_c<2>" in said
    assert "= δc<2>" in said_then


def test_the_numbers_in_the_picture_wait_for_their_step(show):
    browser = show(lstm_loss(3, D=2, H=3))
    key = browser.run("values.find((v) => v.name === 'c<2>').nodes[0]")
    seen = (
        f"[...document.querySelectorAll('#{key} text')].filter((t) => "
        "getComputedStyle(t).visibility === 'visible').map((t) => t.textContent)"
    )
    states = {}
    while (n := browser.run("at")) < browser.run("last"):
        states.setdefault(tuple(browser.run(seen)), n)
        browser.press("ArrowRight")
    (named, with_value, partly, whole) = sorted(states, key=states.get)
    assert len(named) == 2
    assert len(with_value) == 3
    assert len(partly) == len(whole) == 4
    assert partly[-1] != whole[-1]
    assert whole[-1].startswith("∂ Σ ")


def test_the_ledger_fills_and_ends_at_the_gradients(show):
    loss = lstm_loss(9, D=2, H=3)
    g, browser = gradients(loss), show(loss)
    rows = (
        "[...document.querySelectorAll('#ledger tr')].map((r) => [...r.cells].map((c) => "
        "c.textContent))"
    )
    assert browser.run(rows)[0] == ["W_f", "(3, 5)", "", "0 of 5"]
    browser.press("End")
    totals = browser.run(
        "[...document.querySelectorAll('#ledger .share .array')].map((e) => "
        "JSON.parse(e.dataset.exact))"
    )
    names = [row[0] for row in browser.run(rows)]
    assert names == [x.name for x in loss.tape.leaves if len(loss.tape.readers.get(id(x), ())) > 1]
    assert [exactly(g[name]) for name in names] == totals
    assert all(
        row[3] == "5 of 5" for row in browser.run(rows)
    )  # two blocks at each end, and those between as one
    browser.press("Home")
    assert browser.run(rows)[0][2] == ""


# What a reader does.

SNAPSHOT = """[
  ...['step', 'ledger'].map((id) => by(id).innerHTML.replaceAll(' class=""', '')),
  by('count').textContent, by('at').value,
  all.map((piece) => [...piece.marks].sort().join(' ')),
  [...svg.querySelectorAll('text')].map((e) => e.textContent)]"""


def test_scrubbing_shows_what_stepping_shows(show):
    browser = show(lstm_loss(3), at="#40")
    assert browser.text("#count") == f"step 40 of {browser.run('last')}"
    stepped = {}
    browser.press("Home")
    for n in range(browser.run("last") + 1):
        stepped[n] = browser.run(SNAPSHOT)
        browser.press("ArrowRight")
    for n in np.random.default_rng(0).permutation(len(stepped)).tolist():
        browser.run(f"by('at').value = {n}; by('at').dispatchEvent(new Event('input'))")
        assert browser.run(SNAPSHOT) == stepped[n]
    browser.click("#at")  # the middle of the slider
    assert abs(browser.run("at") - browser.run("last") / 2) <= 1


def test_all_of_it_by_keyboard(show):
    browser = show(lstm_loss(3))
    last, start = browser.run("last"), browser.run("backwardFrom")
    for keys, at in [
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("ArrowLeft", 1),
        ("ArrowLeft", 0),
        ("ArrowLeft", 0),
        ("End", last),
        ("ArrowRight", last),
        ("Home", 0),
        ("b", start),
        ("p", 0),
    ]:
        browser.press(keys)
        assert browser.run("at") == at, keys
    browser.press("n")
    assert "branches of the fork have arrived" in browser.text("#said")
    browser.press("Enter")
    assert browser.text("#chosen h2").startswith(browser.run("values[steps[at].value].name"))
    browser.press("Escape")
    assert browser.run("by('chosen').hidden")
    before = browser.run("scale")
    browser.press("+")
    assert browser.run("scale") > before
    browser.press("0")
    assert browser.run("scale") == pytest.approx(before)


def test_every_control_is_reached_with_tab_and_says_where_it_is(show):
    browser = show(square())
    reached = set()
    for _ in range(40):
        browser.press("Tab")
        reached.add(browser.run("document.activeElement.id"))
        if browser.run("document.activeElement !== document.body"):
            assert browser.run("getComputedStyle(document.activeElement).outlineStyle") != "none"
    wanted = "out in fit follow query first back play next last at speed chapter fork block guess"
    assert set(wanted.split()) <= reached
    nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
    roles = (
        "button",
        "slider",
        "searchbox",
        "combobox",
        "checkbox",
        "image",
        "region",
        "complementary",
    )
    named = {
        role: [
            n.get("name", {}).get("value")
            for n in nodes
            if n["role"]["value"] == role and not n["ignored"]
        ]
        for role in roles
    }
    assert all(all(names) for names in named.values()), named
    assert len(named["button"]) == 11 + 3  # the values are buttons too
    assert named["slider"] == ["Step"]
    [live] = [n for n in nodes if n["role"]["value"] == "status"]
    assert {"name": "live", "value": {"type": "token", "value": "polite"}} in live["properties"]


def wait_for(browser, condition):
    look = (
        f"const look = () => ({condition}) || Date.now() > end ? done({condition}) : "
        "setTimeout(look, 10);"
    )
    assert browser.run(
        f"new Promise((done) => {{ const end = Date.now() + 20000; {look} look(); }})"
    )


def test_play_and_pause(show):
    browser = show(square())
    browser.run("by('speed').value = '30'")
    browser.press(" ")
    assert browser.text("#play") == "Pause"
    assert browser.run("by('said').getAttribute('aria-live')") == "off"
    wait_for(browser, "at === last && !isPlaying()")  # it ends by itself
    assert browser.text("#play") == "Play"
    browser.run("by('speed').value = '0.5'")
    browser.click("#play")  # from the start again
    assert browser.run("at") == 0
    browser.press("ArrowRight")  # who steps by hand has paused
    assert browser.text("#play") == "Play"
    assert browser.run("at") == 1


def test_a_click_shows_the_value_and_its_ways(show):
    loss = diamond()
    g, browser = gradients(loss), show(loss)
    key = {v["name"]: v["nodes"][0] for v in browser.run("values")}
    browser.click(f"#{key['right']}")
    assert browser.text("#chosen h2").startswith("right")
    exact = (
        "[...document.querySelectorAll('#chosen .array')].map((e) => JSON.parse(e.dataset.exact))"
    )
    assert browser.run(exact) == [exactly(loss.tape.find("right").numpy()), exactly(g["right"])]
    way = "[...svg.querySelectorAll('.node.way')].map((e) => e.id).sort()"
    assert browser.run(way) == sorted(key[name] for name in ("right", "y", "loss"))
    assert browser.run("[...svg.querySelectorAll('.edge.way')].map((e) => e.id).sort()") == sorted(
        [f"{key['right']}-{key['y']}-1", f"{key['y']}-{key['loss']}-0"]
    )
    assert float(browser.run(f"getComputedStyle(by('{key['left']}')).opacity")) < 0.5
    browser.click(f"#{key['x']}")
    assert "2 ways from loss" in browser.text("#chosen")
    assert browser.run(exact)[2:] == [exactly(b.gradient) for b in reversed(g.branches("x"))]
    assert len(browser.run(way)) == 5
    browser.click("#chosen .row button:nth-child(2)")
    assert "All 2 branches of the fork have arrived" in browser.text("#said")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("gamma_f<2>", "Γ_f<2>"),
        ("Γ_f<2>", "Γ_f<2>"),
        ("c̃<1>", "c~<1>"),
        ("c<2>", "c<2>"),
        ("w_U", "W_u"),
        ("tanh", "tanh_c<1>"),
        (" Error ", "Error"),
    ],
)
def test_search(show, query, found):
    browser = show(lstm_loss(2))
    browser.press("/")
    browser.write(query)
    browser.press("Enter")
    assert browser.run("values[chosen].name") == found
    assert browser.text("#chosen h2").startswith(found)
    assert browser.run("document.activeElement.id") == "chosen"
    browser.press("ArrowRight")  # the keys play again
    assert browser.run("at") == 1


def test_a_search_for_nothing(show):
    browser = show(lstm_loss(2))
    browser.press("/")
    browser.write("<b>")
    assert browser.text("#found") == "No value that is drawn is called <b>."
    browser.press("Enter", " ")
    assert browser.run("chosen") is None
    assert browser.run("by('query').value") == "<b> "
    browser.press("Escape")
    assert browser.run("by('query').value") == ""


# Where it is read.


@pytest.mark.parametrize(
    "make", [lambda: lstm_loss(20, D=3, H=4), square, lambda: hostile(HOSTILE[-3] + "y" * 300)]
)
def test_on_a_phone(show, make):
    browser = show(make(), width=360, height=640, mobile=True)
    for keys in (), ("b", "n"), ("Enter",), ("End",):
        browser.press(*keys)
        assert browser.run("document.documentElement.scrollWidth") <= 360
        assert browser.run("document.documentElement.scrollHeight") <= 640
        for control in "first back play next last at speed query fit in out".split():
            left, top, right, bottom = browser.run(
                "(b => [b.left, b.top, b.right, "
                f"b.bottom])(by('{control}').getBoundingClientRect())"
            )
            assert left >= 0, control
            assert top >= 0, control
            assert right <= 360, control
            assert bottom <= 640, control
        assert browser.run("picture.clientHeight") > 120
        assert browser.run("document.querySelector('aside').clientHeight") > 120


@pytest.mark.parametrize(("wanted", "animation"), [("reduce", "none"), ("no-preference", "flow")])
def test_motion(show, wanted, animation):
    browser = show(square(), at="#2", media={"prefers_reduced_motion": wanted})
    assert (
        browser.run("getComputedStyle(document.querySelector('.edge.lit path')).animationName")
        == animation
    )


@pytest.mark.parametrize(
    ("scheme", "theme", "is_dark"),
    [("light", "light", False), ("dark", "light", True), ("light", "dark", True)],
)
def test_light_and_dark(show, scheme, theme, is_dark):
    browser = show(lstm_loss(2), theme=theme, media={"prefers_color_scheme": scheme})
    ink = "getComputedStyle(document.querySelector('.node text')).fill"
    back = "getComputedStyle(document.documentElement).backgroundColor"
    bright = {
        name: sum(map(int, re.findall(r"\d+", browser.run(found))[:3])) > 380
        for name, found in (("ink", ink), ("back", back))
    }
    assert bright == {"ink": is_dark, "back": not is_dark}


def test_what_is_lit_is_in_sight(show):
    browser = show(lstm_loss(5, D=2, H=3), blocks=None, media={"prefers_reduced_motion": "reduce"})
    inside = """(() => {
      const v = by('sight').getBoundingClientRect();
      const within = (piece) => {
        const b = piece.element.getBoundingClientRect();
        return b.left >= v.left && b.right <= v.right && b.top >= v.top && b.bottom <= v.bottom;
      };
      const named = [...document.querySelectorAll('.beyond')].map((b) => b.textContent.slice(2));
      const isNamed = (piece) => named.includes(values[piece.value].name);
      return within(mainNode()) && litNodes().every((piece) => within(piece) || isNamed(piece));
    })()"""
    for n in (1, 20, 60, 90, 120, 180):
        browser.run(f"go({n})")
        assert browser.run(inside), n
    browser.run("by('follow').checked = false; picture.scrollTo(0, 0); go(5); go(70)")
    assert browser.run("picture.scrollLeft") == 0


# Whatever is drawn.


def hostile(name):
    x = Tensor([1.0, 2.0], True, name)
    return ((x * x).named(name + "!") - x).sum().named("loss " + name)


@pytest.mark.parametrize(
    "name",
    [
        *HOSTILE,
        "</script><img src=x onerror=alert(1)>",
        "</script ",
        "<!--<script ",
        "{{data}} {{script}}",
        "\u2028\u2029",
        "\ua66e0\ua66e",
        "δ",
        "1",
    ],
)
def test_hostile_names(show, name):
    browser = show(hostile(name))
    assert browser.run("values.map((v) => v.name)") == [
        printable(n) for n in (name, name + "!", *browser_names(hostile(name)), "loss " + name)
    ]
    assert (
        browser.run("document.querySelectorAll('img, script, b, form').length") == 6
    )  # two scripts, the search, and the word START
    browser.press("End", "Enter")
    assert browser.run("document.querySelector('#chosen h2').firstChild.textContent") == printable(
        name
    )
    assert browser.run("[...document.querySelectorAll('.node.complete')].length") == 4
    assert browser.run("document.documentElement.scrollWidth") <= 1400
    assert printable("loss " + name)[:40].rstrip() in browser.run("document.title")


def browser_names(loss):
    return [s.name for s in loss.tape.stages if s.output.name is None]


def with_hook():
    x = Tensor([2.0], True, "x")
    y = (x * 3.0).named("y")
    y.register_hook(lambda g: g * 10)
    return (y + y).sum().named("z")


def of_blocks_in_any_order():
    x = Tensor(2.0, True, "x")
    for number in (7, 3, 7):
        with block(number):
            x = x * 2.0
    return x


ANY = {
    "rnn": lambda: (rnn_loss(3), {}),
    "rnn, left out": lambda: (rnn_loss(9), {}),
    "folded": lambda: (lstm_loss(4), {"level": "blocks"}),
    "one block": lambda: (lstm_loss(9), {"level": "block"}),
    "expanded": lambda: (lstm_loss(9), {"level": "blocks", "expand": 4}),
    "wired": lambda: (lstm_loss(3), {"parameters": "block"}),
    "path": lambda: (lstm_loss(3), {"path": "W_f"}),
    "last": lambda: (lstm_loss(9, every=False), {}),
    "trained state": lambda: (lstm_loss(3, H=2, N=3, state=(2,)), {}),
    "input gradient": lambda: (lstm_loss(3, x_gradient=True), {}),
    "hook": lambda: (with_hook(), {}),
    "not a number": lambda: (
        where(np.array([True, False]), Tensor([np.inf, np.nan], True, "x") * 0.0, 1.0).sum(),
        {},
    ),
    "complex": lambda: (abs(Tensor([1 + 2j, 3j], True, "x") * (2 - 1j)).sum(), {}),
    "float32": lambda: ((Tensor(np.float32(0.1), True, "x") ** 2).named("y"), {}),
    "several entries": lambda: ((Tensor([1.0, 2.0], True, "x") ** 2).named("y"), {}),
    "empty": lambda: ((Tensor(np.zeros((0, 2)), True, "x") * 2).sum(), {}),
    "large": lambda: ((Tensor(np.ones((30, 40)), True, "x") @ np.ones((40, 30))).sum(), {}),
    "many of one name": lambda: (add_n(*(Tensor(float(i), True, "x") * 2.0 for i in range(4))), {}),
    "blocks in any order": lambda: (of_blocks_in_any_order(), {}),
    "titled": lambda: (square(), {"title": 'A "title" & <b>more</b>'}),
}


@pytest.mark.parametrize("name", ANY)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_every_graph_plays_to_its_end_and_back(show, name):
    loss, options = ANY[name]()
    browser = show(loss, **options)
    start = browser.run(SNAPSHOT)
    for _ in range(browser.run("last")):
        browser.run("by('next').click()")
    assert browser.run("[...svg.querySelectorAll('.node.played:not(.known)')].length") == 0
    unfinished = (
        "values.filter((v, i) => v.gradient && v.nodes.length === 1 && "
        "!by(v.nodes[0]).classList.contains('complete')).map((v) => v.name)"
    )
    assert browser.run(unfinished) == []
    assert browser.run(
        "[...svg.querySelectorAll('.gradient-text')].every((t) => t.textContent === "
        "t.dataset.final)"
    )
    assert not re.search(r"undefined|NaN|\[object", browser.text("main"))
    browser.run("while (at > 0) by('back').click()")
    assert browser.run(SNAPSHOT) == start
    if "path" in options:
        assert browser.run("values[chosen].name") == "W_f"
    if "title" in options:
        assert browser.text("h1") == browser.run("document.title") == options["title"]


def test_where_backward_starts_and_hooks_are_said(show):
    browser = show(ANY["several entries"]()[0])
    browser.press("b")
    assert "a one for each entry" in browser.text("#step")
    loss = square()
    browser = show(loss, gradients=gradients(loss, 2.0))
    browser.press("b")
    assert "the gradient that was given for it. δz = +2.0000" in browser.text("#said")
    browser.press("ArrowRight")
    assert browser.text("#step .rule") == "δy = δz + δz"
    browser = show(with_hook())
    browser.press("n")
    assert "A hook of the value changes the sum: δy = +20.0000" in browser.text("#step")


def test_a_comparison_is_played_too(show):
    rng = np.random.default_rng(0)
    x, targets = rng.normal(size=(3, 1, 2)), rng.normal(size=(3, 1, 3))
    lstm = LSTM(2, 3, rng=0)
    loss = lstm.error(x, targets)
    report = compare(gradients(loss), by_hand.lstm(lstm, x, targets, as_printed=True))
    browser = show(loss, comparison=report)
    assert "first wrong" in browser.text("#picture")
    assert "first wrong" in browser.text("#legend")


# What a large graph asks for.


def test_numbers_are_kept_once_and_decoded_when_shown(show):
    loss = lstm_loss(3, D=2, H=3)
    g, browser = gradients(loss), show(loss)
    assert browser.run("data.numbers.length") < 8 * browser.run("JSON.stringify(values).length")
    for name in ("W_f", "c<2>", "Error"):
        found = browser.run(f"values.find((v) => v.name === '{name}').gradient.entries")
        assert found == g[name].reshape(-1).tolist()


def test_tooltips_have_the_exact_numbers(show):
    loss = lstm_loss(2, D=2, H=3)
    g, browser = gradients(loss), show(loss)
    for name in ("c<1>", "Error"):
        title = f"pieces.get(values.find((v) => v.name === '{name}').nodes[0])"
        lines = browser.run(f"{title}.element.querySelector('title').textContent").split("\n")
        said = dict(line.split(" ", 1) for line in lines)
        assert json.loads(said["value"]) == loss.tape.find(name).numpy().tolist()
        assert json.loads(said["gradient"]) == g[name].tolist()


def test_blocks_that_are_alike_are_written_once():
    few, more = (draw(lstm_loss(T, D=2, H=3), blocks=None).page.html for T in (4, 8))
    assert len(more) - len(few) < 4 * 8_000  # characters; every block has about 26 pieces
    looks = [look for look in decoded(more)["looks"] if look[0] == "node"]
    assert len(looks) < 60


def test_nodes_out_of_sight_are_not_in_the_document(show):
    browser = show(lstm_loss(40), blocks=None, media={"prefers_reduced_motion": "reduce"})
    total = browser.run("nodes.length")
    browser.press("ArrowRight")
    near = browser.run("document.querySelectorAll('.node').length")
    assert 0 < near < total / 5
    browser.press("End")  # what comes into sight has the marks of its step
    assert browser.run(
        "[...document.querySelectorAll('.node.played')].every((e) => e.classList.contains('known'))"
    )
    browser.run("choose(values.findIndex((v) => v.name === 'c<20>'))")
    assert browser.run("pieces.get(values[chosen].nodes[0]).element.classList.contains('chosen')")


def test_it_opens_on_the_whole_graph_and_goes_near_to_step(show):
    browser = show(lstm_loss(4), media={"prefers_reduced_motion": "reduce"})
    whole = "svg.getBoundingClientRect().width <= picture.clientWidth"
    assert browser.run(whole)
    browser.press("ArrowRight")
    assert not browser.run(whole)
    browser.press("0")
    assert browser.run(whole)
    browser.press("ArrowRight", "n")
    before = browser.run("picture.scrollLeft")
    browser.click("#strip")
    assert browser.run("picture.scrollLeft") != before


def test_chapters(show):
    browser = show(lstm_loss(9))
    titles = browser.run("[...by('chapter').options].map((o) => o.text)")
    assert titles[:4] == [
        "Start",
        "Forward of block 1",
        "Forward of block 2",
        "Forward of blocks 3 to 7",
    ]
    assert titles[5:8] == ["Forward of block 9", "Error", "Backward starts"]
    assert "First fork: a<9>" in titles or "First fork: z<9>" in titles
    assert titles[-1] == "Back through block 1"
    for k, title in enumerate(titles):
        browser.run(f"by('chapter').value = {k}; by('chapter').dispatchEvent(new Event('change'))")
        assert browser.run("by('chapter').selectedOptions[0].text") == title
        assert browser.run(f"at === chapters[{k}][1]")
    browser.press("Home")
    seen = []
    for _ in range(4):
        browser.click("#block")
        seen.append(browser.run("by('chapter').selectedOptions[0].text"))
    assert seen == titles[1:5]
    browser.click("#backward")
    assert browser.run("at === backwardFrom")
    browser.click("#fork")
    assert "branches of the fork have arrived" in browser.text("#said")


def test_guess_first(show):
    loss = square()
    browser = show(loss, at="#1")
    number = f"{loss.tape.find('y').item():+.4f}"
    browser.press("g")
    for place in ("#step", "#said"):
        assert number not in browser.text(place)
    seen = (
        "[...document.querySelectorAll('.node.lit .value-text')]"
        ".map((e) => getComputedStyle(e).visibility)"
    )
    assert browser.run(seen) == ["hidden"]
    browser.press("s")
    assert number in browser.text("#step")
    assert browser.run(seen) == ["visible"]
    browser.press("b")  # the next step waits again
    assert browser.text("#step .unknown") == "?"
    browser.click("#step .ask")
    assert "+1.0000" in browser.text("#step")


def test_norms_along_the_blocks(show):
    loss = lstm_loss(9, D=2, H=3)
    g, browser = gradients(loss), show(loss)
    lanes = {lane["name"]: lane["points"] for lane in browser.run("data.norms")}
    assert set(lanes) == {"a", "c"}
    for name, points in lanes.items():
        assert [t for t, *_ in points] == list(range(10))
        for t, norm, _ in points:
            assert norm == pytest.approx(np.linalg.norm(g[f"{name}<{t}>"]), rel=1e-12)
    assert browser.run("by('norms').hidden")
    browser.press("End")
    browser.run("new Promise(requestAnimationFrame)")
    drawn = "[...by('norms').querySelectorAll('polyline')].map((l) => l.points.length)"
    assert browser.run(drawn) == [10, 10]
    browser.press("b")
    browser.run("new Promise(requestAnimationFrame)")
    assert browser.run(drawn) == [0, 0]


# Leaves that are moved.


def leaf(name, value):
    return Tensor(value, True, name)


def scalar_lstm(given):
    rng = np.random.default_rng(1)
    x, targets = rng.normal(size=(2, 3, 1, 1))
    return LSTM.from_arrays(given).error(x, targets)


def functions(given):
    x, y, w = (leaf(name, given[name]) for name in "xyw")
    first = tanh(x * y).named("t") + sigmoid(x) ** 2 - exp(-y) / (1 + x**2)
    both = concatenate([w[:1] * 2, relu(w[1:])]).named("both")
    return (first * both.sum() + sin(y) * sqrt(x**2 + 1) + log1p(y**2) + (w @ w).mean()).named("z")


def choices(given):
    x, y, w = (leaf(name, given[name]) for name in "xyw")
    one = maximum(w, x).named("m") * softmax(w[::-1]) + leaky_relu(w, 0.1) - elu(x * w)
    two = clip(w, -0.5, 0.5).sum() + w.max() * logsumexp(stack([x, y, x * y]))
    return (one.sum() + two * abs(y) + (log_softmax(w) * w).mean() + w[2:0:-1].min()).named("z")


ONE = {"W": (1, 2), "b": (1,)}
MOVED = {
    "lstm": (scalar_lstm, {f"{kind}_{gate}": ONE[kind] for kind in "Wb" for gate in "fuco"}),
    "functions": (functions, {"x": (), "y": (), "w": (2,)}),
    "choices": (choices, {"x": (), "y": (), "w": (3,)}),
}


@pytest.mark.parametrize("name", MOVED)
def test_moved_leaves_have_the_gradients_of_the_engine(show, name):
    make, shapes = MOVED[name]
    rng = np.random.default_rng(0)
    first, moved = (
        {key: rng.normal(size=shape) for key, shape in shapes.items()} for _ in range(2)
    )
    browser = show(make(first), at="#5")
    assert not browser.run("by('whatif').hidden")
    for key, array in moved.items():
        for n, entry in enumerate(array.reshape(-1).tolist()):
            browser.run(f"change(values.findIndex((v) => v.name === '{key}'), {n}, {entry!r})")
    loss = make(moved)
    g = gradients(loss)
    computed = {loss.tape.label(x): x.numpy() for x in loss.tape.values}
    found = browser.run("values.map((v) => [v.name, v.value.entries, v.gradient?.entries])")
    for key, value, gradient in found:
        assert np.allclose(value, computed[key].reshape(-1), rtol=1e-12, atol=1e-14), key
        if gradient is not None:
            assert np.allclose(gradient, g[key].reshape(-1), rtol=1e-12, atol=1e-14), key
    for key in moved:
        sent = browser.run(
            f"values.find((v) => v.name === '{key}').branches.map((b) => b.gradient.entries)"
        )
        expected = [b.gradient.reshape(-1) for b in reversed(g.branches(key))]
        assert np.allclose(sent, expected, rtol=1e-12, atol=1e-14)


def test_a_slider_changes_what_is_shown_and_back(show):
    browser = show(square())
    browser.press("End")
    before = browser.run(SNAPSHOT)
    slider = "by('whatif').querySelector('input')"
    name = browser.run(f"{slider}.getAttribute('aria-label')")
    browser.run(f"{slider}.value = 1.5; {slider}.dispatchEvent(new Event('input'))")
    key = browser.run(f"values.find((v) => v.name === '{name}').nodes[0]")
    assert "+1.5000" in browser.text(f"#{key}")
    assert "+6.0000" in browser.text(f"#{key}")  # y = x * x, z = y + y: 4 x
    browser.run("by('whatif').querySelector('button').click()")
    assert browser.run(SNAPSHOT) == before


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: sort(leaf("x", [2.0, 1.0])).sum(), "sorting"),
        (lambda: (leaf("x", np.float32(1.5)) * 2).sum(), "float32"),
        (lambda: lstm_loss(9), "blocks are not drawn"),
        (lambda: lstm_loss(1, D=3, H=4), "up to 40 have a slider"),
        (with_hook, "hooks"),
        (diamond, ""),
    ],
)
def test_without_all_formulas_nothing_is_moved_and_the_page_says_why(show, make, why):
    browser = show(make())
    assert why in browser.text("#whatif")
    assert browser.run("by('whatif').querySelectorAll('input').length > 0") == (why == "")


# Who reads it otherwise.


def test_every_value_is_reached_by_keyboard_with_name_and_role(show):
    browser = show(lstm_loss(2))
    browser.run("stop.element.focus()")
    reached = []
    for _ in range(browser.run("nodes.length")):
        reached.append(browser.run("document.activeElement.getAttribute('aria-label')"))
        assert browser.run("document.activeElement.getAttribute('role')") == "button"
        browser.press("ArrowDown")
    names = browser.run("nodes.map((piece) => values[piece.value].name)")
    assert [name.split(", ")[0] for name in reached] == names
    browser.press("ArrowUp", "Enter")
    assert browser.run("values[chosen].name") == names[-2]
    browser.run("by('list').open = true")
    browser.run("[...by('list').querySelectorAll('details')].forEach((d) => (d.open = true))")
    wait_for(browser, "by('list').querySelectorAll('tbody tr').length === values.length")


def axe():
    """The script of axe-core, or None where it is not installed."""
    spec = find_spec("axe_core_python")
    return spec and Path(spec.submodule_search_locations[0], "axe.min.js").read_text("utf-8")


def lanes():
    x = np.random.default_rng(0).normal(size=(1, 2, 2))
    return nn.LSTM(2, 8, bidirectional=True, rng=0)(x)[0].sum()


@pytest.mark.parametrize(
    ("make", "width", "scheme"),
    [
        (lambda: lstm_loss(2), 360, "light"),
        (lambda: lstm_loss(2), 1280, "dark"),
        (lanes, 360, "dark"),
        (lanes, 1280, "light"),
    ],
)
def test_axe_finds_nothing(show, make, width, scheme):
    if axe() is None:
        pytest.skip("axe-core is not installed")
    browser = show(make(), width, mobile=width < 400, media={"prefers_color_scheme": scheme})
    browser.run(f"{axe()};1")
    size = "(i) => values[i].value.entries?.length ?? 0"
    widest = f"[...values.keys()].reduce((i, j) => (({size})(j) > ({size})(i) ? j : i))"
    browser.run(f"go(backwardFrom + 9); choose({widest})")
    browser.run("by('help').open = true; by('whatif').open = true")
    check = "axe.run(document).then((r) => r.violations.map((v) => [v.id, v.nodes[0].html]))"
    assert browser.run(check) == []


def test_on_paper_the_graph_and_the_parameters_are_one_page(show):
    browser = show(lstm_loss(3), at="#40")
    printed = browser.call("Page.printToPDF", preferCSSPageSize=True)
    assert len(re.findall(rb"/Type /Page\b", base64.b64decode(printed["data"]))) == 1
    assert browser.run("at") == 40


def test_characters_that_turn_the_direction_are_seen(show):
    browser = show(hostile("a\u202eb\u2066c"))
    browser.press("End", "Enter")
    assert browser.text("#chosen bdi") == "a⟨U+202E⟩b⟨U+2066⟩c"
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", browser.text("body"))
