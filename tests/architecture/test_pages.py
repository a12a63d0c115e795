"""Pages for people: every console block is run or listed, and every link and anchor leads on."""

import re
from urllib.parse import unquote, urlsplit

import pytest

import console_blocks
import examples
from console_blocks import ConsoleCommand, Fence, commands_of, fits
from support.repository import ROOT

_RULES = console_blocks.rules()
_TEXTS = {page: (ROOT / page).read_text("utf-8") for page in console_blocks.pages()}
_FENCES = [fence for page, text in _TEXTS.items() for fence in console_blocks.fences(page, text)]
_COMMAND_LINE = re.compile(r"^(?:\$ |\S*\bccgpu )", re.MULTILINE)
_TO_RUN = {
    page: blocks
    for page, text in _TEXTS.items()
    if (blocks := examples.blocks_to_run(page, text, _RULES))
}
# Pages that code makes have links, too.
_LINKED = {
    str(file.relative_to(ROOT)): file.read_text("utf-8")
    for pattern in (
        "*.md",
        "docs/**/*.md",
        "examples/*/*.md",
        "action/**/*.md",
        "pipelines/**/*.md",
    )
    for file in sorted(ROOT.glob(pattern))
}


def needs_a_reason(fence: Fence) -> bool:
    """Whether a block that is not run has command lines, so that its reason has to be listed."""
    return fence.language != "console" and _COMMAND_LINE.search(fence.text) is not None


def test_every_console_block_is_run_or_listed_with_a_reason():
    opened = sum(len(re.findall(r"^ *```console$", text, re.MULTILINE)) for text in _TEXTS.values())
    run = sum(map(len, _TO_RUN.values()))
    listed = [f for f in _FENCES if f.language == "console" and _RULES.reason(f)]
    assert run + len(listed) == opened
    assert run >= 35


def test_other_blocks_with_commands_are_listed_with_a_reason():
    unlisted = [f"{f.page}:{f.line}" for f in _FENCES if needs_a_reason(f) and not _RULES.reason(f)]
    assert unlisted == []


def test_every_block_names_its_language():
    assert [f"{fence.page}:{fence.line}" for fence in _FENCES if not fence.language] == []


def test_every_rule_is_about_one_block_and_has_a_reason():
    rules = [*_RULES.before, *_RULES.not_run]
    assert [rule for rule in rules if sum(fits(rule, fence) for fence in _FENCES) != 1] == []
    assert [rule for rule in rules if not rule[2].strip()] == []
    texts = [
        each.text for blocks in _TO_RUN.values() for f in blocks for each in commands_of(f.text)
    ]
    for start in _RULES.left_running:
        assert sum(text.startswith(start) for text in texts) == 1


def test_what_is_listed_as_not_run_needs_it():
    """ccgpu alone can be run here: a listed block has other programs, or says what it lacks."""
    reasons = [rule[2] for rule in _RULES.not_run]
    assert [reason for reason in reasons if len(reason.split()) < 3] == []
    assert len(reasons) <= 16


@pytest.mark.parametrize("page", _TO_RUN)
def test_the_transcript_of_a_page_has_its_commands(page):
    """`dev.py examples` compares the outputs; this says at once that a page was edited."""
    transcript = examples.transcript_of(page).read_text("utf-8")
    at = 0
    for fence in _TO_RUN[page]:
        for command in commands_of(fence.text):
            at = transcript.find(f"$ {command.text}\n", at)
            assert at >= 0, (
                f"`{command.text}`: run `python3 scripts/dev.py examples --update {page}`"
            )
            at += 1


def test_no_transcript_is_left_over():
    files = {examples.transcript_of(page).name for page in _TO_RUN}
    assert {file.name for file in (ROOT / "tests" / "golden" / "pages").iterdir()} == files


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ([], "anything\n", True),
        (["a"], "a\n", True),
        (["a"], "a\n\n", True),
        (["a"], "a\nb\n", False),
        (["a"], "ab\n", False),
        (["a", "…"], "a\nb\nc\n", True),
        (["a", "…", "c"], "a\nc\n", True),
        (["a", "…", "d"], "a\nb\nc\n", False),
        (["at … by 1.0"], "at noon by 1.0\n", True),
        (["at … by 1.0"], "at noon by 100\n", False),
        (["at … by"], "at\nby\n", False),
    ],
)
def test_output_is_compared(shown, output, same):
    assert ConsoleCommand("x", tuple(shown)).is_as_shown(output) is same


def test_commands_and_outputs_are_told_apart():
    text = "$ a \\\n    b\n$ c 'd\n  e' # it's\nout\n\n$ f\n^C\n"
    commands = commands_of(text)
    assert [(each.text, each.shown) for each in commands] == [
        ("a \\\n    b", ()),
        ("c 'd\n  e' # it's", ("out", "")),
        ("f", ("^C",)),
    ]
    assert [each.stops for each in commands] == [False, False, True]
    assert console_blocks.written(commands) == text
    with pytest.raises(ValueError, match="begins with a command"):
        commands_of("out\n$ a\n")


def test_a_command_in_another_block_would_be_noticed():
    for text in ("$ ls\n", "x\nccgpu list\n", ".venv/bin/ccgpu list\n"):
        assert needs_a_reason(Fence("page", 1, "sh", text, 0))
    assert not needs_a_reason(Fence("page", 1, "sh", "az vm show  # as ccgpu does\n", 0))


# Links -------------------------------------------------------------------------------------------

_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$", re.MULTILINE)
_CODE = re.compile(r"^( *)```.*?^\1```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)


def links(text: str) -> list[str]:
    """Where the links of a page lead, without those in code."""
    return [one or other for one, other in _LINK.findall(_CODE.sub("`code`", text))]


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub, GitLab and the site make them."""
    plain = re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL)
    found: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", plain, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        slug = re.sub(r"[^\w\- ]", "", words.lower().strip()).replace(" ", "-")
        found.append(f"{slug}-{found.count(slug)}" if slug in found else slug)
    return set(found)


def broken_links(page: str, texts: dict[str, str]) -> list[str]:
    """The links of a page that lead nowhere in the repository."""
    broken = []
    for link in links(texts[page]):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = page
        if parts.path:
            file = ((ROOT / page).parent / unquote(parts.path)).resolve()
            target = str(file.relative_to(ROOT)) if file.is_relative_to(ROOT) else ""
            if not target or not file.exists():
                broken.append(link)
                continue
        if parts.fragment and parts.fragment not in anchors(texts.get(target, "")):
            broken.append(link)
    return broken


def test_every_link_and_anchor_leads_on():
    assert {page: bad for page in _LINKED if (bad := broken_links(page, _LINKED))} == {}
    assert sum(len(links(text)) for text in _LINKED.values()) > 200


def test_a_broken_link_would_be_noticed():
    texts = {
        "docs/x.md": "# A b, `c`\n[a](#a-b-c) [b](#gone) [c](gone.md) [d](cli.md#gone)"
        " [e](../README.md) [f](../../README.md) [g](https://example.org/x)\n```\n[h](i)\n```\n",
        "docs/cli.md": "# Commands\n",
    }
    assert broken_links("docs/x.md", texts) == [
        "#gone",
        "gone.md",
        "cli.md#gone",
        "../../README.md",
    ]


# Tables ------------------------------------------------------------------------------------------


def uneven_rows(text: str) -> list[str]:
    """The rows of tables with more or fewer cells than their heading: a page shows only as many.

    A `|` ends a cell also in code, unless a backslash is before it (GFM 4.10).
    """
    uneven, cells = [], 0
    for line in re.sub(
        r"^( *)```.*?^\1```$", "", text, flags=re.MULTILINE | re.DOTALL
    ).splitlines():
        found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if cells and found and found != cells:
            uneven.append(line)
        cells = found and (cells or found)
    return uneven


def test_every_row_of_a_table_has_the_cells_of_its_heading():
    assert {page: bad for page, text in _LINKED.items() if (bad := uneven_rows(text))} == {}


def test_a_row_with_a_cell_too_many_would_be_noticed():
    table = "| a | b |\n|---|---|\n| `c|d` | e |\n| `f\\|g` | h |\n\n| one |\n|---|\n"
    assert uneven_rows(table) == ["| `c|d` | e |"]
