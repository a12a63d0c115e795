"""The site of the documentation, in a real browser: light, dark and narrow, quiet and legible."""

import http.server
import os
import re
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import site_build
from support.axe import barriers
from support.chromium import Chromium, Tab, running_chromium
from support.quiet_server import QuietServer

pytestmark = pytest.mark.slow  # a site is built, and a browser started

_TOOL = site_build.zensical_environment(os.environ)  # of the user, and not of the empty home
_MODES = {"light": (1280, "light"), "dark": (1280, "dark"), "narrow": (390, "light")}
# One of each kind: prose, tables, code in many languages, help, long ids, a transcript.
_PAGES = [
    "index.html",
    "docs/quick-start.html",
    "docs/customer-managed-keys.html",
    "docs/ci.html",
    "docs/trust.html",
    "docs/errors.html",
    "docs/policies.html",
    "examples/serve-llama/index.html",
]
_TOO_WIDE = """
(() => {
  const root = document.documentElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  return [...document.querySelectorAll("article *")]
    .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 0.5)
    .map((e) => e.outerHTML.slice(0, 100)).slice(0, 5).concat(["the page scrolls"]);
})()
"""
# How light the background is behind the text, from 0 to 255.
_BACKGROUND = """
(() => {
  const colour = getComputedStyle(document.body).backgroundColor;
  const canvas = new OffscreenCanvas(1, 1).getContext("2d");
  canvas.fillStyle = colour;
  canvas.fillRect(0, 0, 1, 1);
  return canvas.getImageData(0, 0, 1, 1).data[1];
})()
"""


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files, and says nothing."""

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site made of the pages as they are."""
    if not _TOOL.is_ready():
        pytest.skip("needs zensical: python3 scripts/dev.py site")
    folder = tmp_path_factory.mktemp("site")
    assert site_build.build(_TOOL, folder) == ""
    return folder


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    """Where the site is served."""
    handler = partial(Quiet, directory=str(built / "html"))
    with QuietServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests."""
    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Tab]:
    """A page of the browser."""
    made = browser.tab()
    yield made
    browser.close(made)


def _all_pages(built: Path) -> list[str]:
    html = built / "html"
    return sorted(str(file.relative_to(html)) for file in html.rglob("*.html"))


def test_every_page_of_the_repository_is_in_the_site_and_in_its_navigation(built):
    pages = {str(p.relative_to(built / "pages")) for p in (built / "pages").rglob("*.md")}
    named = re.findall(r'"([\w/-]+\.md)"', (built / "zensical.toml").read_text())
    assert sorted(named) == sorted(pages)
    assert len(_all_pages(built)) == len(pages) + 1  # one is for addresses that do not exist


@pytest.mark.parametrize("mode", _MODES)
@pytest.mark.parametrize("page", _PAGES)
def test_axe_finds_no_barrier(tab, address, page, mode):
    width, scheme = _MODES[mode]
    tab.media(scheme=scheme)
    tab.open(address + page, width=width)
    light = tab.run(_BACKGROUND)
    assert light < 80 if scheme == "dark" else light > 200
    assert barriers(tab) == []


def test_every_page_is_quiet_has_a_title_fits_a_narrow_screen_and_asks_nobody_else(
    tab, built, address
):
    titles = []
    for page in _all_pages(built):
        tab.open(address + page, width=390)
        assert tab.run(_TOO_WIDE) == [], page
        titles.append(tab.run("document.title"))
        assert tab.run("document.querySelectorAll('h1').length") == 1, page
    assert tab.messages == []
    assert tab.refused == []
    assert len(tab.requests) > len(titles)
    assert [one for one in tab.requests.values() if not one.startswith((address, "data:"))] == []
    assert all("ccgpu" in title for title in titles)
    assert len(set(titles)) > 0.9 * len(titles)


def test_what_the_site_would_ask_of_others_is_refused_by_the_page(built, tab, address):
    page = built / "html" / "foreign.html"
    text = (built / "html" / "docs" / "quick-start.html").read_text()
    page.write_text(text.replace("</h1>", '</h1><img src="https://elsewhere.test/a.png">', 1))
    tab.open(address + page.name)
    page.unlink()
    assert tab.refused == ["https://elsewhere.test/a.png"]
    assert tab.messages


def test_a_broken_link_or_anchor_ends_the_build(tmp_path, built):
    for broken in ("[a](gone.md)", "[a](quick-start.md#gone)"):
        folder = tmp_path / re.sub(r"\W", "", broken)
        site_build.gather(folder / "pages")
        page = folder / "pages" / "docs" / "prices.md"
        page.write_text(f"{page.read_text()}\n{broken}\n")
        (folder / "zensical.toml").write_text((built / "zensical.toml").read_text())
        (folder / "overrides").mkdir()
        problems = site_build.build_gathered(_TOOL, folder)
        assert "prices.md" in problems
        assert "gone" in problems


def test_the_search_finds_a_page(tab, address):
    tab.open(address + "index.html")
    assert tab.run("fetch('search.json').then((answer) => answer.text())").count("keyvault") > 0
