"""The report in a real browser: quiet, legible at every width and in print, and unmistakable."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check
from ccgpu.views.report import as_html
from support.axe import barriers
from support.chromium import Chromium, Tab, running_chromium
from support.reports import accepted, failing, real, subject

pytestmark = pytest.mark.slow  # a browser takes seconds to start

_WIDTHS = [1280, 390]
_ELSEWHERE = "http://elsewhere.test/a.png"
_LONG = "a-very-long-value-without-any-space-" * 40
_BANNER = {"light": "#a84300", "dark": "#f2a24a"}  # --banner of report.css

# Text whose contrast is below WCAG 2.2, 1.4.3 (AA): 4.5, for any size. The background is that of
# the nearest element that has one; in a drawing, that of the box beside the text.
_FAINT = """
(() => {
  const rgb = (text) => (text.match(/[0-9.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b]
    .map((c) => c / 255).map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    const box = element.closest("g") && element.closest("g").querySelector(".box");
    if (box && !element.classList.contains("link")) return rgb(getComputedStyle(box).fill);
    for (let at = element; at; at = at.parentElement) {
      const found = rgb(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const faint = [];
  let seen = 0;
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || element.closest("desc, [aria-hidden=true]")) continue;
    const style = getComputedStyle(element);
    const ink = rgb(element instanceof SVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(behind(element))].sort((x, y) => y - x);
    seen += 1;
    if ((a + 0.05) / (b + 0.05) < 4.5) faint.push([element.tagName, element.className, ink]);
  }
  return [seen, faint];
})()
"""
_TOO_WIDE = """
(() => {
  const root = document.documentElement;
  const out = [...document.querySelectorAll("body *:not(.skip)")]
    .filter((e) => e.getBoundingClientRect().right > root.clientWidth + 0.5)
    .map((e) => e.outerHTML.slice(0, 80));
  return root.scrollWidth > root.clientWidth ? ["the page scrolls", ...out] : out;
})()
"""
# Text of drawings that leaves its drawing or its box.
_OUTSIDE = """
[...document.querySelectorAll("svg[role=img] text")].filter((t) => {
  const own = t.getBBox(), box = t.closest("g").querySelector(".box").getBBox();
  return own.x + own.width > box.x + box.width;
}).map((t) => t.textContent)
"""


# Rows of tables that are not shown.
_HIDDEN = """[...document.querySelectorAll("tr")].filter((row) =>
  !row.checkVisibility({contentVisibilityAuto: true}) || row.getBoundingClientRect().height < 5
).length"""
# Whether something becomes true; what is folded is drawn some frames after it is unfolded.
_SETTLED = """
async (ready) => {
  const pause = () => new Promise((done) => setTimeout(done, 20));
  for (let tries = 0; tries < 100 && !ready(); tries += 1) await pause();
  return ready();
}
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests."""
    with running_chromium(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def show(browser: Chromium, tmp_path: Path) -> Iterator[Callable[..., Tab]]:
    """Shows a page, given as text or as the verdict that it is on."""
    tab = browser.tab()

    def load(page: str | Appraisal, **how: int) -> Tab:
        file = tmp_path / "report.html"
        text = page if isinstance(page, str) else as_html(subject(page))
        file.write_text(text, encoding="utf-8")
        return tab.open(file.as_uri(), **how)

    yield load
    browser.close(tab)


def _long() -> Appraisal:
    """A verdict with values that nothing breaks."""
    bad = failing("snp.vmpl", "gpu.signature")
    checks = [_lengthen(each) for each in bad.checks]
    return replace(bad, checks=checks, not_proven=(_LONG,), facts={_LONG: _LONG}, policy=_LONG)


def _lengthen(check: Check) -> Check:
    """The check with long values."""
    return check._replace(what=_LONG, expected=_LONG, actual=_LONG + "!", source=_LONG)


_PAGES: dict[str, Callable[[], Appraisal]] = {
    "simulated": accepted,
    "real": lambda: real(accepted()),
    "rejected": lambda: failing("snp.vmpl", "gpu.signature", "rim.signature", "maa.tee"),
    "no-verdict": lambda: replace(real(failing("rim.present")), verdict="no_verdict"),
    "long": _long,
}


@pytest.mark.parametrize("name", _PAGES)
@pytest.mark.parametrize("width", _WIDTHS)
def test_the_page_is_quiet_and_fits(show, name, width):
    tab = show(_PAGES[name](), width=width)
    assert tab.messages == []
    assert len(tab.requests) == 1, tab.requests
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert tab.run(_TOO_WIDE) == []
    assert tab.run(_OUTSIDE) == []


def test_a_page_that_is_not_quiet_or_does_not_fit_would_be_noticed(show):
    """What the tests above look at does see trouble; and the page's policy keeps it harmless."""
    bad = '<script>document.title = "run"</script>'
    bad += f'<img src="{_ELSEWHERE}">'
    bad += '<p style="color: red">styled</p><pre>' + "x" * 4000 + "</pre>"
    source = as_html(subject(accepted())).replace("<main", bad + "<main")
    wide = source.replace("white-space: pre-wrap", "white-space: nowrap; overflow-wrap: normal")
    assert wide != source

    tab = show(source)
    assert len(tab.messages) == 3
    assert all("Content Security Policy" in each for each in tab.messages)
    assert tab.refused == [_ELSEWHERE]
    assert tab.run("document.title").startswith("SIMULATED")
    assert tab.run("getComputedStyle(document.querySelector('main')).maxWidth") == "1120px"

    unprotected = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", wide)
    free = show(unprotected)
    assert free.run("document.title") == "run"
    assert _ELSEWHERE in free.requests.values()
    assert tab.refused == [_ELSEWHERE], "this time, it was asked for"
    assert free.run(_TOO_WIDE)[0] == "the page scrolls"


@pytest.mark.parametrize("width", _WIDTHS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_simulated_is_seen_at_first_sight_and_only_then(show, width, scheme):
    share = {}
    for name in ("simulated", "real", "rejected"):
        tab = show(_PAGES[name](), width=width)
        tab.media(scheme=scheme)
        colours = tab.colours(width, 600)
        assert len(colours) > 20, "the page is blank"
        share[name] = colours.get(_BANNER[scheme], 0) / sum(colours.values())
    assert share["real"] < 0.001
    assert share["simulated"] > 0.05
    assert share["rejected"] > 0.05, "it is simulated, too"


def test_good_is_never_painted_in_the_colour_of_good_if_it_is_simulated(show):
    green = {"#17663b", "#eef6f0"}  # --good and --good-panel of report.css
    assert green <= show(_PAGES["real"]()).colours(1280, 1400).keys()
    assert green.isdisjoint(show(_PAGES["simulated"]()).colours(1280, 1400))


@pytest.mark.parametrize("width", _WIDTHS)
def test_dark_is_dark_and_print_is_always_light(show, width):
    tab = show(accepted(), width=width)

    def usual(media: str, scheme: str) -> str:
        tab.media(media, scheme)
        colours = tab.colours(width, 2000)
        return str(max(colours, key=lambda each: colours[each]))

    assert usual("screen", "light") == "#ffffff"
    assert usual("screen", "dark") == "#14171a"
    assert usual("print", "dark") == usual("print", "light") == "#ffffff"


@pytest.mark.parametrize("name", ["simulated", "real", "rejected"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_enough_contrast(show, name, scheme):
    tab = show(_PAGES[name]())
    tab.media(scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    seen, faint = tab.run(_FAINT)
    assert seen > 1000
    assert faint == []


@pytest.mark.parametrize("name", ["simulated", "real", "rejected"])
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light")])
def test_axe_finds_no_barrier(show, name, width, scheme):
    tab = show(_PAGES[name](), width=width)
    tab.media(scheme=scheme)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true })")
    assert barriers(tab) == []


def test_a_barrier_would_be_noticed(show):
    source = as_html(subject(accepted())).replace("</main>", '<input type="text"></main>')
    assert [rule for rule, _ in barriers(show(source))] == ["label"]


def test_faint_text_would_be_noticed(show):
    source = as_html(subject(accepted())).replace("--soft: #565d66", "--soft: #9a9fa6")
    source = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", source)
    assert show(source).run(_FAINT)[1]


def test_print_shows_every_check_and_marks_each_page_that_is_simulated(show):
    mark = "getComputedStyle(document.querySelector('.watermark')).display"
    tab = show(accepted(), width=800)
    assert tab.run(_HIDDEN) > 100
    assert tab.run(mark) == "none"
    tab.media("print")
    assert tab.run(f"({_SETTLED})(() => {_HIDDEN} === 0)")
    assert tab.run(mark) == "block"
    assert show(real(accepted())).run("document.querySelector('.watermark')") is None


def test_paper_has_what_the_screen_has_folded(show):
    source = as_html(subject(accepted()))
    folded = source.replace("details::details-content", "details::nothing")
    folded = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", folded)
    whole, short = (
        show(each, width=800).pdf().count(b"/Type /Page\n") for each in (source, folded)
    )
    assert whole > 2 * short > 2


def test_everything_can_be_reached_by_keyboard_and_shows_the_focus(show):
    tab = show(accepted())
    many = tab.run("document.querySelectorAll('a, summary').length")
    assert many > 20
    seen = []
    for _ in range(many):
        tab.press("Tab")
        seen.append(
            tab.run(
                "(() => { const at = document.activeElement, style = getComputedStyle(at);"
                " const box = at.getBoundingClientRect();"
                " return [at.tagName, style.outlineStyle, box.left >= 0, at.textContent] })()"
            )
        )
    assert seen[0] == ["A", "solid", True, "Skip to the verdict's details"]
    assert {each[0] for each in seen} == {"A", "SUMMARY"}
    assert {(each[1], each[2]) for each in seen} == {("solid", True)}
    assert len({each[3] for each in seen}) == many
