"""The report for auditors: complete, harmless whatever the evidence says, and never too good."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from ccgpu.attest.appraise import AT_BUNDLE
from ccgpu.attest.attestation import Attestation, StepTimes
from ccgpu.attest.check import Check
from ccgpu.attest.trust_chain import judge_chain
from ccgpu.attest.workload_log import WorkloadEvent, WorkloadModel
from ccgpu.domain.challenge import ChallengeRecord
from ccgpu.domain.policy_comparison import PolicyOrigin
from ccgpu.errors import GuestNotReady
from ccgpu.views.check_groups import group_checks
from ccgpu.views.repeated_verify import RepeatedVerify
from ccgpu.views.report import as_html
from support.reports import (
    Page,
    accepted,
    evidence,
    failing,
    page,
    real,
    subject,
    without,
)
from support.slow import mostly_slow
from support.vms import AT, HOST_KEY, NONCE, newest_vm

# What gets out of text, attributes and scripts, and what hides or reverses letters.
HOSTILE = (
    "<script>alert(1)</script>'\"><img src=http://x.test/a onerror=alert(1)>{{7*7}}{% raw %}"
    "</style></desc></svg>&amp;\x00\x1b[2J\x07\r\n\u202e\u2066\u200b\ufeff\ud800"
)
_ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "header", "main", "footer", "nav", "aside"),
    *("section", "div", "p", "h1", "h2", "h3", "span", "strong", "code", "pre", "br", "a"),
    *("ul", "ol", "li", "dl", "dt", "dd", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("figure", "figcaption", "svg", "desc", "g", "rect", "path", "text"),
}


def _attested(problem=None):
    challenge = ChallengeRecord(NONCE, "a-vm", HOST_KEY, AT)
    return Attestation(
        "demo",
        challenge,
        "boot",
        evidence(),
        accepted(),
        StepTimes(1.5, 2.25, 0.0125),
        gpu_ready=True,
        problem=problem,
    )


def _hostile_evidence():
    """Evidence whose GPU has a certificate with such a name."""
    key = ec.generate_private_key(ec.SECP384R1())
    text = HOSTILE.replace("\ud800", "").replace("\x00", "")
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, text[:64]),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, text[-64:]),
        ]
    )
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, AT, AT + timedelta(days=1))
    made = builder.sign(key, hashes.SHA384())
    (one,) = evidence().gpus
    return replace(evidence(), gpus=(replace(one, chain=made.public_bytes(Encoding.PEM)),))


def _hostile_page():
    bad = HOSTILE
    check = Check("snp.signature", bad, False, bad, bad, bad)
    model = WorkloadModel(bad, bad, bad)
    appraisal = replace(
        accepted(),
        verdict="rejected",
        checks=(*accepted().checks, check, check._replace(id=f"snp.{bad}"), check._replace(id=bad)),
        policy=bad,
        not_proven=(bad,),
        unsafe=(bad,),
        facts={bad: bad},
        origin=PolicyOrigin(bad, bad, reserved_name=False, loosened={bad: bad}),
        rests_on=((bad, "maker"),),
        workloads=(WorkloadEvent(bad, bad, bad, (bad,), (bad,), model, (bad,), b"", True),),
    )
    attested = replace(_attested(GuestNotReady(bad)), name=bad)
    about = subject(appraisal, _hostile_evidence(), bad, (bad,), attested=attested)
    again = RepeatedVerify(bad, bad, bad, bad, bad, (bad,))
    return Page.read(as_html(replace(about, policy_sha256=bad, again=again), lambda _: bad))


def test_the_page_has_one_heading_of_the_first_level_and_skips_none():
    levels = [
        int(each.tag[1])
        for each in page(failing("snp.vmpl")).elements
        if re.fullmatch("h[1-6]", each.tag)
    ]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


@pytest.mark.parametrize("appraisal", [accepted(), failing("snp.vmpl"), without("snp.vmpl")])
def test_ids_are_unique_and_every_link_and_label_leads_to_one(appraisal):
    found = page(appraisal, attested=_attested())
    ids = [each.attributes["id"] for each in found.elements if "id" in each.attributes]
    assert len(ids) == len(set(ids))
    targets = [each.attributes["href"] for each in found.of("a")]
    assert {*targets} <= {f"#{id_}" for id_ in ids}
    labels = [str(each.attributes.get("aria-labelledby", "")).split() for each in found.elements]
    assert {label for each in labels for label in each} <= {*ids}


def test_the_page_can_be_read_without_eyes_and_mouse():
    found = page(accepted())
    (root,) = found.of("html")
    assert root.attributes["lang"] == "en"
    assert found.elements.index(found.with_class("skip")[0]) < found.elements.index(
        found.of("header")[0]
    )
    assert {each.attributes.get("scope") for each in found.of("th")} == {"col", "row"}
    for drawing in found.of("svg"):
        assert (
            drawing.attributes.get("role") == "img" or drawing.attributes["aria-hidden"] == "true"
        )
    assert "AMD root key (ARK): holds, simulated" in found.text
    assert len(found.of("title")) == 1


def test_every_check_is_there_with_both_sides_and_its_source():
    appraisal = failing("snp.vmpl", "brandnew.thing")
    found = page(appraisal)
    text = found.text
    rows = [
        each.tag for each in found.elements if str(each.attributes.get("id")).startswith("check-")
    ]
    assert rows == ["tr"] * len(appraisal.checks)
    for check in appraisal.checks:
        for word in (check.id, check.what, check.expected, check.actual, check.source):
            assert " ".join(word.split()) in text
    groups = re.findall(r"<summary>([^<]*) <span", found.source)
    assert [html.unescape(each) for each in groups] == [*group_checks(appraisal.checks)]
    opened = [each for each in found.of("details") if "open" in each.attributes]
    assert len(opened) == 2, "the groups with a failed check"


@pytest.mark.parametrize(
    "id_",
    mostly_slow(
        ["snp.signature", "ocsp.revoked", "golden.match", "identity.vm-id.other", "brandnew.x"], 4
    ),
)
@pytest.mark.parametrize("simulated", [True, False])
def test_no_part_is_drawn_better_than_it_was_judged(id_, simulated):
    appraisal = replace(failing(id_), simulated=simulated)
    drawn = page(appraisal).parts
    good = "simulated" if simulated else "holds"
    judged = {each.part.key: each.state for each in judge_chain(appraisal, 1)}
    assert "failed" in drawn.values()
    assert drawn == {key: good if judged[key] == "holds" else judged[key] for key in drawn}
    assert {*judged} - {*drawn} <= {"nras", "maa"}
    assert all(judged[key] == "open" for key in {*judged} - {*drawn})


@pytest.mark.slow
def test_a_token_is_drawn_if_a_check_of_it_failed():
    assert page(failing("nras.overall")).parts["nras"] == "failed"
    assert "nras" not in page(accepted()).parts


def test_simulated_evidence_says_so_in_title_banner_print_and_heading():
    found = page(accepted())
    assert found.source.index("<title>SIMULATED: ACCEPTED") < found.source.index("</title>")
    assert len(found.with_class("banner")) == len(found.with_class("watermark")) == 1
    assert "ACCEPTED (simulated)" in found.text
    assert (
        found.with_class("holds")
        == found.with_class("holds-word")
        == found.with_class("verified")
        == []
    )
    assert "this proves nothing of any hardware" in found.text


def test_real_evidence_says_nothing_of_it():
    found = page(real(accepted()))
    assert (
        found.with_class("banner")
        == found.with_class("watermark")
        == found.with_class("simulated")
        == []
    )
    assert "simulated" not in found.text.lower().replace("--backend fake", "")
    assert found.with_class("verified")
    assert {*found.parts.values()} == {"holds"}


def test_a_rejected_page_has_no_word_of_acceptance():
    found = page(failing("snp.vmpl"))
    assert "ACCEPTED" not in found.source
    assert "REJECTED" in found.text
    assert "Not to be relied on" in found.text
    assert "what to do" in found.text


def test_without_a_verdict_nothing_is_called_accepted_or_rejected():
    found = page(replace(failing("rim.present"), verdict="no_verdict"))
    assert "NO VERDICT" in found.text
    assert "Treat it as rejected" in found.text


@pytest.mark.slow
def test_a_certificate_is_verified_only_if_its_part_holds():
    good = page(real(accepted())).with_class("verified")
    fewer = page(real(failing("snp.vek.signature"))).with_class("verified")
    assert len(good) - len(fewer) == 1, "the chip's"
    assert page(real(failing("brandnew.thing"))).with_class("verified") == []


@pytest.mark.slow
def test_one_of_two_pieces_of_a_kind_is_not_called_verified():
    cpu = evidence().cpu
    assert cpu is not None
    another = newest_vm().amd.crl().signed_by(newest_vm().amd.ark_key)
    found = replace(evidence(), cpu=replace(cpu, crls=(another,)))
    good, fewer = (
        len(page(real(accepted()), each).with_class("verified")) for each in (None, found)
    )
    assert good - fewer == 1


@pytest.mark.slow
def test_what_is_not_valid_at_the_time_of_the_verdict_is_marked():
    late = page(replace(real(accepted()), at=datetime(2100, 1, 1, tzinfo=UTC)))
    assert late.with_class("wrong")
    assert "expired at the time" in late.text
    early = page(replace(real(accepted()), at=datetime(2000, 1, 1, tzinfo=UTC)))
    assert "not valid yet at the time" in early.text
    assert not page(real(accepted())).with_class("wrong")


@pytest.mark.slow
def test_bars_stay_within_their_width():
    for at in (AT, datetime(2100, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)):
        for each in page(replace(accepted(), at=at)).with_class("span"):
            x, width = (float(str(each.attributes[name])) for name in ("x", "width"))
            assert 0 <= x <= x + width <= 240


def test_nothing_that_the_evidence_says_becomes_markup():
    found = _hostile_page()
    assert {each.tag for each in found.elements} <= _ELEMENTS
    for each in found.elements:
        assert not [
            name
            for name in each.attributes
            if name.startswith("on") or name in ("src", "style", "action")
        ]
        href = each.attributes.get("href")
        assert href is None or re.fullmatch(r"#[a-z]+(-[0-9]+)?", href)
    assert "&lt;script&gt;" in found.source
    assert "{{7*7}}" in found.text
    assert "49" not in re.findall(r"onerror=alert\(1\)>(.{2})", found.text)


def test_characters_that_hide_or_reverse_text_are_escaped():
    source = _hostile_page().source
    allowed = {"\n", "✓", "✗", "§"}
    assert {each for each in source if not (" " <= each <= "~") and each not in allowed} == set()
    assert "\\u202e" in source
    assert "\\x1b[2J" in source


def test_the_page_refers_to_nothing_outside_and_forbids_it():
    found = page(failing("snp.vmpl"))
    (policy,) = [
        each.attributes["content"] for each in found.of("meta") if "http-equiv" in each.attributes
    ]
    style = found.source.split("<style>")[1].split("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert (
        policy
        == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert not re.search(r"url\(|@import|@font-face|expression", style)
    assert found.of("script") == found.of("link") == found.of("img") == []


@pytest.mark.slow
def test_the_same_verdict_gives_the_same_bytes():
    first, second = (as_html(subject(failing("snp.vmpl"), attested=_attested())) for _ in range(2))
    assert first == second


def test_what_is_not_proven_whose_word_and_what_was_loosened_are_listed():
    origin = PolicyOrigin(
        "mine.yaml", "ab" * 32, reserved_name=False, loosened={"cpu.x": "1 instead of 2"}
    )
    found = page(
        replace(accepted(), unsafe=("unsafe_skip_ocsp",), origin=origin), policy_sha256="ab" * 32
    )
    for each in accepted().not_proven:
        assert each in found.text
    for what, _ in accepted().rests_on:
        assert what in found.text
    for word in ("unsafe_skip_ocsp", "cpu.x: 1 instead of 2", "mine.yaml", "ab" * 32):
        assert word in found.text


@pytest.mark.slow
def test_an_attestation_has_its_steps_and_a_vm_that_is_not_usable_says_so():
    found = page(accepted(), attested=_attested(GuestNotReady("the GPU is not ready")))
    for word in (
        "demo",
        "in 1.500 s",
        "in 2.250 s",
        "in 0.013 s",
        "The VM is not usable.",
        "the GPU is not ready",
    ):
        assert word in found.text
    assert "The VM is not usable." not in page(accepted(), attested=_attested()).text
    assert "challenge sent" not in page(accepted()).text


def test_the_command_that_verifies_again_is_whole_and_quoted():
    again = RepeatedVerify(
        "my bundle.json", "default", "5f", "an-id", "SHA256:x", ("--pins 'a b'",)
    )
    lines = again.lines("2026-01-01T00:00:00Z")
    expected = "ccgpu verify 'my bundle.json' --policy default --at 2026-01-01T00:00:00Z --nonce 5f"
    expected += " --vm-id an-id --host-key SHA256:x --pins 'a b'"
    assert " ".join(lines) == expected
    shown = page(accepted()).source.split("<pre><code>")[1].split("</code>")[0]
    assert shown.count(" \\\n") == shown.strip().count("\n") == 6


def test_a_verdict_at_the_makers_time_is_repeated_so():
    found = page(replace(accepted(), unsafe=(AT_BUNDLE,)))
    assert "--at bundle" in found.text
    assert "--at 2026" not in found.text


def test_evidence_that_was_not_kept_is_called_so():
    about = subject(accepted())
    found = Page.read(as_html(replace(about, again=replace(about.again, source=None))))
    assert "not kept" in found.text
    assert "ccgpu verify BUNDLE" in found.text
