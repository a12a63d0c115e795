"""A verdict's text and document: groups, what to do about failures, whose word it rests on."""

import re
import shlex
from datetime import UTC, datetime

import pytest
from rich.console import Console

import checks_page
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.check import Check
from ccgpu.views.check_groups import GROUPS, group_checks, group_of
from ccgpu.views.remedies import REMEDIES, remedy
from ccgpu.views.verdict import AppraisedEvidence, as_json, as_text

AT = datetime(2026, 11, 22, 12, tzinfo=UTC)
RULES = sorted({rule.id for _, rule in checks_page.rules()})
GOOD = Check("snp.signature", "it is signed", True, "a key", "a key", "a document")
STALE = Check("ocsp.stale", "the answer holds", False, "until then", "a" * 96, "RFC 6960")


def render(judged, **how):
    console = Console(width=200, record=True, file=None, color_system=None, quiet=False)
    with console.capture() as found:
        console.print(as_text(judged, **how))
    return "\n".join(line.rstrip() for line in found.get().splitlines())


def make_appraisal(*checks, verdict="rejected", source="evidence.json", **more):
    return AppraisedEvidence(Appraisal(verdict, checks, "default", AT, **more), source, "bundle")


def test_every_check_belongs_to_a_named_group():
    assert [id_ for id_ in RULES if group_of(id_) not in GROUPS.values()] == []


def test_every_reason_code_has_advice():
    assert [id_ for id_ in RULES if id_.partition(".")[0] not in REMEDIES] == []
    empty = re.compile(r"[{}]|^.{0,14}$")
    assert [id_ for id_ in RULES if empty.search(remedy(id_, "evidence.json"))] == []


def test_an_unknown_group_is_shown_last_by_its_prefix():
    new = GOOD._replace(id="brandnew.thing")

    assert list(group_checks([new, GOOD])) == ["SNP report", "brandnew"]


def test_the_longest_matching_code_gives_the_advice():
    assert remedy("snp.crl.window", "e") != remedy("snp.crl", "e") != remedy("snp", "e")
    assert remedy("snp.crl.something-new", "e") == remedy("snp.crl", "e")


@pytest.mark.parametrize("source", ["evidence.json", "my evidence.json", "a'b; rm -rf x"])
def test_advice_for_stale_collateral_is_a_complete_command(source):
    command = re.findall(
        r"`(ccgpu collateral fetch .*?) --out collateral`", remedy(STALE.id, source)
    )

    assert shlex.split(command[0]) == ["ccgpu", "collateral", "fetch", source]


def test_advice_for_an_unknown_nonce_names_the_option():
    assert "`--nonce HEX`" in remedy("freshness.nonce.absent", "e")
    assert "`--nonce HEX`" in remedy("vtpm.nonce.unasked", "e")


def test_the_verdict_comes_first_then_groups_then_failures_in_full():
    lines = render(make_appraisal(GOOD, GOOD, STALE)).splitlines()

    assert lines[0] == "REJECTED by policy default at 2026-11-22T12:00:00Z"
    assert lines[2].split() == ["ok", "SNP", "report", "2", "checks", "ok"]
    assert lines[3] == "NO  NVIDIA's revocation (OCSP)  1 of 1 check failed"
    assert lines[5] == "NO  ocsp.stale  the answer holds"
    assert lines[6] == "    expected    until then"
    assert lines[7] == f"    found       {'a' * 96}"
    assert lines[8].startswith("    what to do  fetch new answers")
    assert "snp.signature" not in "\n".join(lines)


def test_a_check_that_failed_twice_has_both_details_and_one_advice():
    text = render(make_appraisal(STALE, STALE._replace(actual="another")))

    assert text.count("expected  ") == 2
    assert "another" in text
    assert text.count("what to do") == 1


def test_verbose_lists_every_check():
    text = render(make_appraisal(GOOD, STALE), verbose=True)

    assert re.search(r"^ok  snp.signature +it is signed: a key$", text, re.MULTILINE)
    assert re.search(r"^NO  ocsp.stale +the answer holds: expected until then", text, re.MULTILINE)


def test_advised_commands_are_completed_by_the_caller():
    assert "COMPLETE" in render(make_appraisal(STALE), complete=lambda _: "COMPLETE")
    assert as_json(make_appraisal(STALE), lambda _: "COMPLETE")["to_do"] == {
        "ocsp.stale": "COMPLETE"
    }


def test_the_trust_basis_is_a_table_in_text_and_a_list_in_json():
    found = make_appraisal(
        GOOD, verdict="accepted", rests_on=(("time", "caller"), ("nonce", "maker"))
    )

    assert "  time   yours\n  nonce  the evidence's maker's" in render(found)
    assert as_json(found)["rests_on"] == [
        {"what": "time", "whose": "caller"},
        {"what": "nonce", "whose": "maker"},
    ]


def test_control_characters_from_evidence_are_escaped():
    bad = "\x1b[2J"
    found = make_appraisal(STALE._replace(actual=bad, expected=bad), facts={bad: bad}, source=bad)

    assert "\x1b" not in render(found, verbose=True)
