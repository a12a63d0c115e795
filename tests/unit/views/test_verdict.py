"""A verdict's text and document: groups, what to do about failures, whose word it rests on."""

import importlib
import pkgutil
import re
import shlex
from datetime import UTC, datetime

import pytest
from rich.console import Console

import ccgpu.attest
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check, Rule
from ccgpu.views.check_groups import GROUPS, group_checks, group_of
from ccgpu.views.remedies import REMEDIES, remedy
from ccgpu.views.verdict import AppraisedEvidence, as_json, as_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
GOOD = Check("snp.signature", "it is signed", True, "a key", "a key", "a document")
STALE = Check("ocsp.stale", "the answer holds", False, "until then", "a" * 96, "RFC 6960")


def rules():
    """The reason codes of all rules of the verifier."""
    for info in pkgutil.walk_packages(ccgpu.attest.__path__, "ccgpu.attest."):
        for value in vars(importlib.import_module(info.name)).values():
            if isinstance(value, Rule) and value.id:
                yield value.id


RULES = sorted(set(rules()))


def said(judged, **how):
    console = Console(width=200, record=True, file=None, color_system=None, quiet=False)
    with console.capture() as found:
        console.print(as_text(judged, **how))
    return "\n".join(line.rstrip() for line in found.get().splitlines())


def judged(*checks, verdict="rejected", source="evidence.json", **more):
    return AppraisedEvidence(Appraisal(verdict, checks, "default", AT, **more), source, "bundle")


def test_every_check_is_in_a_group_with_a_name():
    assert [id_ for id_ in RULES if group_of(id_) not in GROUPS.values()] == []


def test_every_check_that_fails_says_what_to_do():
    assert [id_ for id_ in RULES if id_.partition(".")[0] not in REMEDIES] == []
    empty = re.compile(r"[{}]|^.{0,14}$")
    assert [id_ for id_ in RULES if empty.search(remedy(id_, "evidence.json"))] == []


def test_a_group_that_is_new_is_shown_by_its_first_word_and_last():
    new = GOOD._replace(id="brandnew.thing")

    assert list(group_checks([new, GOOD])) == ["SNP report", "brandnew"]


def test_the_longest_code_that_fits_says_what_to_do():
    assert remedy("snp.crl.window", "e") != remedy("snp.crl", "e") != remedy("snp", "e")
    assert remedy("snp.crl.something-new", "e") == remedy("snp.crl", "e")


@pytest.mark.parametrize("source", ["evidence.json", "my evidence.json", "a'b; rm -rf x"])
def test_a_stale_answer_is_fetched_anew_by_the_literal_command(source):
    command = re.findall(
        r"`(ccgpu collateral fetch .*?) --out collateral`", remedy(STALE.id, source)
    )

    assert shlex.split(command[0]) == ["ccgpu", "collateral", "fetch", source]


def test_an_unknown_nonce_is_answered_by_the_option():
    assert "`--nonce HEX`" in remedy("freshness.nonce.absent", "e")
    assert "`--nonce HEX`" in remedy("vtpm.nonce.unasked", "e")


def test_the_verdict_comes_first_then_groups_then_failures_in_full():
    lines = said(judged(GOOD, GOOD, STALE)).splitlines()

    assert lines[0] == "REJECTED by policy default at 2026-11-22T12:00:00Z"
    assert lines[2].split() == ["ok", "SNP", "report", "2", "checks", "ok"]
    assert lines[3] == "NO  NVIDIA's revocation (OCSP)  1 of 1 check failed"
    assert lines[5] == "NO  ocsp.stale  the answer holds"
    assert lines[6] == "    expected    until then"
    assert lines[7] == f"    found       {'a' * 96}"
    assert lines[8].startswith("    what to do  fetch new answers")
    assert "snp.signature" not in "\n".join(lines)


def test_a_check_that_failed_twice_shows_both_and_says_once_what_to_do():
    text = said(judged(STALE, STALE._replace(actual="another")))

    assert text.count("expected  ") == 2
    assert "another" in text
    assert text.count("what to do") == 1


def test_verbose_lists_every_check():
    text = said(judged(GOOD, STALE), verbose=True)

    assert re.search(r"^ok  snp.signature +it is signed: a key$", text, re.MULTILINE)
    assert re.search(r"^NO  ocsp.stale +the answer holds: expected until then", text, re.MULTILINE)


def test_commands_are_completed_where_the_caller_can():
    assert "COMPLETE" in said(judged(STALE), complete=lambda _: "COMPLETE")
    assert as_json(judged(STALE), lambda _: "COMPLETE")["to_do"] == {"ocsp.stale": "COMPLETE"}


def test_whose_word_is_a_table_in_text_and_a_list_in_json():
    found = judged(GOOD, verdict="accepted", rests_on=(("time", "caller"), ("nonce", "maker")))

    assert "  time   yours\n  nonce  the evidence's maker's" in said(found)
    assert as_json(found)["rests_on"] == [
        {"what": "time", "whose": "caller"},
        {"what": "nonce", "whose": "maker"},
    ]


def test_what_comes_from_evidence_cannot_steer_the_terminal():
    bad = "\x1b[2J"
    found = judged(STALE._replace(actual=bad, expected=bad), facts={bad: bad}, source=bad)

    assert "\x1b" not in said(found, verbose=True)
