"""The site, built as CI builds it: no warning, every link and anchor within it leads somewhere, it
fetches nothing from a network, and it is readable on a phone."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import Browser, program

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for needed in ("sphinx", "numpydoc", "myst_nb", "furo", "latex2mathml", "matplotlib"):
        pytest.importorskip(needed)
    folder = tmp_path_factory.mktemp("site")
    run = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", ROOT / "docs", folder],
        capture_output=True,
        encoding="utf-8",
        timeout=900,
    )
    assert run.returncode == 0, run.stderr
    return folder


class Page(HTMLParser):
    """The anchors of a page, where its links lead, and what it loads."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loads = set(), set(), set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.anchors.add(given.get("id"))
        if tag == "a" and given.get("href"):
            self.links.add(given["href"])
        if tag in ("img", "script", "link", "iframe", "source", "object"):
            self.loads |= {given.get(name) for name in ("src", "href", "data")} - {None}


def test_links_and_anchors_lead_somewhere(site):
    pages = {path: Page(path) for path in site.rglob("*.html") if "_static" not in path.parts}
    broken = []
    for path, page in pages.items():
        for link in page.links | page.loads:
            scheme, _, target, _, anchor = urlsplit(link)
            if scheme in ("http", "https", "mailto", "data"):
                continue
            goal = (path.parent / unquote(target)).resolve() if target else path
            there = goal.exists() and (
                not anchor or goal not in pages or unquote(anchor) in pages[goal].anchors
            )
            if not there:
                broken.append(f"{path.relative_to(site)}: {link}")
    assert len(pages) > 30
    assert broken == []


def test_nothing_is_loaded_from_a_network(site):
    loads = {
        (path.name, load)
        for path in site.rglob("*.html")
        for load in Page(path).loads
        if urlsplit(load).scheme in ("http", "https") or load.startswith("//")
    }
    assert loads == set()
    styles = "".join(path.read_text(encoding="utf-8") for path in site.rglob("*.css"))
    assert re.findall(r"url\([\"']?(?:https?:)?//[^)]*\)", styles) == []


@pytest.fixture(scope="module")
def browser():
    if not program():
        pytest.skip("there is no Chromium on this machine")
    window = Browser()
    yield window
    window.close()


OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BACKGROUND = "getComputedStyle(document.body).backgroundColor"


@pytest.mark.parametrize(
    "page",
    [
        *("index", "play", "gallery", "tutorials/fork", "tutorials/series", "explanation/plan"),
        *("reference/errata", "reference/api/tensors", "reference/api/elementwise"),
        *("wild/index", "wild/parenthesis"),
    ],
)
def test_a_page_is_readable_on_a_phone_in_light_and_dark(site, browser, page):
    seen = set()
    for scheme in ("light", "dark"):
        browser.said, browser.fetched = [], []
        browser.open(
            site / f"{page}.html", width=390, height=800, mobile=True, prefers_color_scheme=scheme
        )
        assert browser.run(OVERFLOW) <= 0
        assert browser.said == []
        assert {urlsplit(url).scheme for url in browser.fetched} <= {"file", "data", "about"}
        seen.add(browser.run(BACKGROUND))
    assert len(seen) == 2


@pytest.mark.parametrize("name", ["unit", "lstm", "gru", "attention"])
def test_the_page_plays_in_the_site(site, browser, name):
    assert f"_static/players/{name}.html" in Page(site / "play.html").loads
    browser.said, browser.fetched = [], []
    browser.open(site / "_static" / "players" / f"{name}.html")
    before = browser.text("#count")
    browser.press("ArrowRight", "ArrowRight")
    assert browser.text("#count") != before
    assert browser.said == []
