"""The benchmarks of a verdict find what they measure."""

import pytest

import bench_attest
import bench_verify
from bench_rows import Row, read_rows, tell
from ccgpu.workflows import attest


def test_the_signature_checks_that_are_measured_exist():
    assert [
        name for module, name in bench_verify.SIGNATURE_CHECKS if not hasattr(module, name)
    ] == []


def test_the_verdict_that_is_measured_is_made_where_the_command_makes_it():
    assert hasattr(attest, bench_attest.VERDICT)


@pytest.mark.parametrize(
    ("figure", "least", "kept"),
    [
        (1.0, False, True),
        (2.0, False, True),
        (2.01, False, False),
        (float("nan"), False, False),
        (1.99, True, False),
        (2.0, True, True),
    ],
)
def test_a_figure_is_kept_up_to_its_limit(figure, least, kept):
    row = Row("x", figure, 2.0, least=least)
    assert row.is_kept is kept
    assert ("PAST ITS LIMIT" in str(row)) is not kept


def test_rows_come_out_of_another_process_as_they_are(capsys):
    rows = [Row("a ÷ b", 1.5, 2), Row("c", 3, 2.5, least=True)]
    tell(rows)
    assert read_rows(capsys.readouterr().out) == rows
