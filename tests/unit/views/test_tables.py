"""On a terminal of any width, tables keep every word of the names and ids that people copy."""

import io
import re
from datetime import UTC, datetime

import pytest
from rich.console import Console
from rich.text import Text

from ccgpu.domain.deployment import Deployment
from ccgpu.domain.status import State
from ccgpu.store import driver_table, model_table
from ccgpu.views import deployment, drivers, models
from ccgpu.views.tables import Grid, RowTable, whole_word_widths
from support.repository import SRC


def _shown(what, width):
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, markup=False).print(what)
    return out.getvalue()


def _words(text):
    return set(text.split())


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_no_table_breaks_a_word(width):
    vm = Deployment(
        name="demo",
        state=State.READY,
        resource_group="ccgpu-demo",
        region="westeurope",
        size="Standard_NCC40ads_H100_v5",
        expires="2026-01-01T08:00:00Z",
    )
    shown = _words(_shown(deployment.list_as_text([vm]), width))
    assert {"demo", "westeurope", "NCC40ads_H100_v5", "2026-01-01", "08:00:00Z"} <= shown
    assert "GROUP" not in shown


def test_groups_are_listed_if_one_has_another_name():
    own, other = (
        Deployment(name="demo", state=State.READY, resource_group=group, expires="at Tea Time")
        for group in ("CCGPU-demo", "team")
    )
    shown = _shown(deployment.list_as_text([own, other]), 120).splitlines()
    assert [line.split()[-1] for line in shown] == ["GROUP", "CCGPU-demo", "team"]
    assert "at Tea Time" in shown[1]


@pytest.mark.parametrize("width", [80, 100])
def test_models_and_drivers_are_shown_with_their_whole_names(width):
    at = datetime(2026, 11, 30, tzinfo=UTC)
    shown = _shown(models.as_text(model_table.shipped(), ()), width)
    assert {model.repository for model in model_table.shipped().models} <= _words(shown)
    rows = _shown(drivers.as_text(driver_table.shipped(), at), width)
    expiries = {each.signer_expires for each in driver_table.shipped().drivers} - {None}
    assert set(map(str, expiries)) <= _words(rows)
    assert "…" not in shown + rows


def test_a_grid_continues_a_long_word_in_the_next_line():
    grid = Grid()
    grid.add_row(Text("id"), Text("x" * 30))
    assert _shown(grid, 20).count("x") == 30


def test_a_row_table_becomes_blocks_only_where_its_words_do_not_fit():
    table = RowTable("", "NAME", "WHY")
    table.add_row("+", "a" * 8, "one two")
    words = {
        width: [line.split() for line in _shown(table, width).splitlines()]
        for width in (20, 19, 16, 15)
    }
    row = ["+", "a" * 8, "one"]
    assert words[20] == [["NAME", "WHY"], [*row, "two"]]
    assert words[19] == words[16] == [["NAME", "WHY"], row, ["two"]]
    assert words[15][0][:2] == ["+", "NAME"]


def test_the_widest_column_is_narrowed_first():
    columns = [["a b c d e f"], ["one two"]]
    assert whole_word_widths(columns, 18) == [11, 7]
    assert whole_word_widths(columns, 12) == [6, 6]
    assert whole_word_widths(columns, 3) is None


def test_no_view_uses_richs_own_tables_which_cut_words():
    views = (SRC / "ccgpu").rglob("*.py")
    own = re.compile(r"\bTable(\.grid)?\(")
    found = [path.name for path in views if own.search(path.read_text("utf-8"))]
    assert found == ["tables.py"]


def test_numbers_stand_at_the_right_and_keep_their_colours():
    table = RowTable("REGION", "HOUR", right=True)
    table.add_row("eastus2", Text("7", style="red"))
    assert _shown(table, 20).splitlines() == ["REGION   HOUR", "eastus2     7"]
    coloured = Console(file=io.StringIO(), width=20, force_terminal=True, color_system="standard")
    with coloured.capture() as shown:
        coloured.print(table)
    assert "\x1b[31m   7\x1b[0m" in shown.get()


def test_no_column_of_a_view_cuts_words():
    views = (SRC / "ccgpu" / "views").glob("*.py")
    texts = [path.read_text("utf-8") for path in views]
    columns = [call for text in texts for call in re.findall(r"add_column\((.*)\)", text)]
    assert [call for call in columns if "overflow" not in call and "no_wrap" not in call] == []
    assert len(columns) > 10
