"""Manifests: only what a signer of NVIDIA's signed is read, and each way to cheat is refused."""

import contextlib
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed, Verified
from ccgpu.attest.gpu import rim as rims
from ccgpu.attest.gpu import xmldsig
from ccgpu.attest.gpu.roots import NVIDIA_RIM
from ccgpu.fakeguest.evidence import nvidia_pki, pki, rim
from ccgpu.fakeguest.evidence.rim_pki import L2, L3, ROOT, SIGNER
from support.evidence_rim import AT, driver_rim, golden_value, pinned_root, vbios_rim, verify_rim
from support.slow import mostly_slow
from support.tampering import new_rim_chain

CHAIN = new_rim_chain()
ANCHOR = pinned_root(CHAIN)
GOOD = driver_rim().signed_by(CHAIN)
SIGNATURE = GOOD[GOOD.index(b"<ds:Signature ") : GOOD.index(b"</SoftwareIdentity>")]
THEN = datetime(2025, 9, 15, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def refused(xml: bytes | rim.RimTemplate, **how) -> set[str]:
    """The reasons why a manifest is refused; signed here if it is not yet."""
    signed = xml if isinstance(xml, bytes) else xml.signed_by(CHAIN)
    return verify_rim(signed, how.pop("root", ANCHOR), **how).refusals


def with_resource(index: int, **changes) -> rim.RimTemplate:
    """The driver's manifest with another resource at an index."""
    good = driver_rim()
    every = [replace(each, **changes) if each.index == index else each for each in good.resources]
    return replace(good, resources=every)


@pytest.mark.parametrize(("made", "kind"), [(driver_rim(), "driver"), (vbios_rim(), "vbios")])
def test_a_manifest_signed_by_nvidia_is_verified(made, kind):
    judged = verify_rim(made.signed_by(CHAIN), ANCHOR, kind=kind)
    assert judged.refusals == set()
    assert judged.manifest.kind == kind
    assert judged.manifest.version == made.version
    assert judged.manifest.product == "GH100"
    assert judged.manifest.manufacturer == "5703"


def test_the_golden_values_are_those_of_the_active_resources():
    values = verify_rim(GOOD, ANCHOR).manifest.golden
    assert values == {at: (golden_value(at), golden_value(at, 1)) for at in rim.DRIVER_INDICES}
    assert 8 not in values  # there, and not active


def test_ocsp_is_asked_about_all_but_the_root():
    manifest = verify_rim(GOOD, ANCHOR).manifest
    names = [(one.serial_number, other.serial_number) for one, other in manifest.issued]
    serials = [each.serial for each in CHAIN.certificates]
    assert names == list(pairwise(serials))


@pytest.mark.parametrize(
    "declaration", ['<?xml version="1.0"?>\n', '<?xml version="1.0" encoding="UTF-8"?>']
)
def test_a_manifest_may_declare_that_it_is_xml(declaration):
    assert refused(declaration.encode() + GOOD) == set()


# What the XML may be


def test_an_empty_manifest_and_one_that_is_no_xml_are_refused():
    for data in (b"", b"{}", GOOD[:-1], GOOD + b"<x/>", GOOD.decode().encode("utf-16")):
        assert refused(data) == {"rim.xml"}


@pytest.mark.parametrize(
    "prologue",
    [
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">',
        b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
        b"<!DOCTYPE SoftwareIdentity>",
    ],
)
def test_a_doctype_is_refused_before_parsing(prologue):
    assert refused(prologue + GOOD) == {"rim.xml.doctype"}
    assert refused(b'<?xml version="1.0"?>' + prologue + GOOD) == {"rim.xml.doctype"}


def test_a_declared_entity_is_refused_wherever_it_stands():
    assert refused(GOOD + b'<!ENTITY a "b">') == {"rim.xml.doctype"}


@pytest.mark.parametrize("what", [b"<!-- 1 -->", b"<![CDATA[1]]>", b"<?php 1 ?>", b"<?xml?>"])
def test_comments_cdata_and_instructions_are_refused(what):
    assert refused(GOOD.replace(b"<ns0:Payload>", b"<ns0:Payload>" + what)) == {"rim.xml.plain"}
    assert refused(GOOD + what) == {"rim.xml.plain"}


@pytest.mark.parametrize(
    "bomb",
    [
        b"<a>" + b" " * (256 * 1024) + b"</a>",
        b"<a>" + b"<a/>" * 1024 + b"</a>",
        b"<a " + b" ".join(b'a%d=""' % at for at in range(5000)) + b"/>",
        b"<a " + b" ".join(b'xmlns:a%d="u:b"' % at for at in range(33)) + b"/>",
    ],
)
def test_expensive_documents_are_refused_before_parsing(bomb):
    start = time.process_time()
    assert refused(bomb) == {"rim.xml.size"}
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("what", "limit", "filled"),
    [
        ("bytes", 256 * 1024, lambda count: b"<a>" + b" " * (count - 7) + b"</a>"),
        ("<", 1024, lambda count: b"<a>" + b"<a/>" * (count - 2) + b"</a>"),
        ("=", 4096, lambda count: b"<a b" + b"=" * count + b"/>"),
        ("xmlns", 32, lambda count: b"<a>" + b"xmlns" * count + b"</a>"),
    ],
)
def test_the_limits_are_inclusive(what, limit, filled):
    assert "rim.xml.size" not in refused(filled(limit))
    (failed,) = [check for check in verify_rim(filled(limit + 1), ANCHOR).checks if not check.ok]
    assert failed.id == "rim.xml.size"
    assert failed.actual == f"{limit + 1} {what}"


@pytest.mark.slow
def test_documents_at_the_limits_are_parsed_quickly():
    namespaces = b" ".join(b'xmlns:a%d="u:b"' % at for at in range(31))
    attributes = b" ".join(b'a%d=""' % at for at in range(4000))
    signed = SIGNATURE + b"</a>"
    wide, deep = b"<a " + namespaces + b">" + b"<a/>" * 450, b"<a " + attributes + b">"
    for data in (wide + signed, deep + signed):
        start = time.process_time()
        assert refused(data) == {"rim.root"}
        assert time.process_time() - start < 5


def test_a_document_without_a_canonical_form_is_refused():
    assert refused(GOOD.replace(b' corpus="', b' xmlns:a="relative" corpus="')) == {
        "rim.xml.canonical"
    }


def test_attributes_that_canonical_forms_differ_in_are_refused():
    marked = replace(driver_rim(), attributes=f'{driver_rim().attributes} xml:id="a"')
    assert refused(marked) == {"rim.xml.canonical"}


# What was signed


def test_a_manifest_that_is_not_signed_is_refused():
    assert refused(driver_rim().body.encode()) == {"rim.signature.absent"}


def test_a_changed_manifest_is_refused():
    value = golden_value(rim.DRIVER_INDICES[0]).hex().encode()
    assert refused(GOOD.replace(value, b"0" * 96)) == {"rim.signature.digest"}
    inactive = GOOD.replace(b'active="False"', b'active="True"', 1)
    assert refused(inactive) == {"rim.signature.digest"}


def test_text_that_moves_behind_the_signature_is_refused():
    assert refused(GOOD.replace(b"</ds:Signature>", b"</ds:Signature>\n")) == {
        "rim.signature.place"
    }


# Whose key it is


def test_a_manifest_under_an_unknown_root_is_refused():
    stranger = new_rim_chain()
    assert refused(driver_rim().signed_by(stranger)) == {"rim.chain.root", "rim.chain.signature"}


def test_the_pinned_root_counts_rather_than_the_included_one():
    stranger = new_rim_chain()
    mixed = [*stranger.ders[:ROOT], CHAIN.root]
    xml = rim.sign_document(driver_rim().body, stranger.key, mixed)
    assert refused(xml) == {"rim.chain.signature"}
    other_root = [*CHAIN.ders[:ROOT], stranger.root]
    assert refused(rim.sign_document(driver_rim().body, CHAIN.key, other_root)) == {
        "rim.chain.root"
    }


@pytest.mark.parametrize("kept", [(0,), (0, 1), (0, 1, 2), (0, 1, 2, 3, 3)])
def test_a_chain_of_another_length_is_refused(kept):
    some = [CHAIN.ders[at] for at in kept]
    reasons = refused(rim.sign_document(driver_rim().body, CHAIN.key, some))
    assert reasons - {"rim.chain.root"} == {"rim.chain.length"}
    assert ("rim.chain.root" in reasons) == (kept[-1] != ROOT)


def test_certificates_in_another_order_are_refused():
    swapped = [CHAIN.ders[at] for at in (0, 2, 1, 3)]
    reasons = refused(rim.sign_document(driver_rim().body, CHAIN.key, swapped))
    assert {"rim.chain.issuer", "rim.chain.signature"} <= reasons


@pytest.mark.parametrize("position", [SIGNER, L3, L2])
def test_a_certificate_that_its_issuer_did_not_sign_is_refused(position):
    forged = CHAIN.signed_with(position, nvidia_pki.new_key())
    assert refused(driver_rim().signed_by(forged)) == {"rim.chain.signature"}


@pytest.mark.parametrize("position", [SIGNER, L3, L2])
def test_a_certificate_that_names_another_issuer_is_refused(position):
    other = CHAIN.with_certificate(position, issuer=nvidia_pki.nvidia_name("NVIDIA"))
    assert refused(driver_rim().signed_by(other)) == {"rim.chain.issuer"}


@pytest.mark.parametrize(
    ("position", "extension", "reason"),
    [
        (SIGNER, nvidia_pki.basic_constraints(ca=True), "rim.signer.usage"),
        (SIGNER, nvidia_pki.key_usage("key_agreement"), "rim.signer.usage"),
        (L3, nvidia_pki.basic_constraints(ca=False), "rim.chain.authority"),
        (L3, nvidia_pki.key_usage("crl_sign"), "rim.chain.authority"),
        (L2, nvidia_pki.basic_constraints(ca=False), "rim.chain.authority"),
        (L2, nvidia_pki.basic_constraints(ca=True, path_length=0), "rim.chain.path-length"),
        (SIGNER, pki.X509Extension("1.2.3.4", b"\5\0", critical=True), "rim.chain.critical"),
        (L2, pki.X509Extension("1.2.3.4", b"\5\0", critical=True), "rim.chain.critical"),
    ],
)
def test_a_certificate_must_be_for_what_it_is_used_for(position, extension, reason):
    other = CHAIN.with_extensions(position, extension)
    assert refused(driver_rim().signed_by(other)) == {reason}


@pytest.mark.parametrize("oid", [nvidia_pki.BASIC_CONSTRAINTS, nvidia_pki.KEY_USAGE])
def test_an_authority_must_say_that_it_is_one(oid):
    kept = [each for each in CHAIN.certificates[L2].extensions if each.oid != oid]
    assert refused(driver_rim().signed_by(CHAIN.with_certificate(L2, extensions=kept))) == {
        "rim.chain.authority"
    }


def test_a_signer_must_say_what_its_key_is_for():
    only = (nvidia_pki.basic_constraints(ca=False),)
    assert refused(driver_rim().signed_by(CHAIN.with_certificate(SIGNER, extensions=only))) == {
        "rim.signer.usage"
    }


def test_a_signer_without_a_common_name_is_called_by_its_whole_name():
    nameless = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "NVIDIA")])
    judged = verify_rim(
        driver_rim().signed_by(CHAIN.with_certificate(SIGNER, subject=nameless)), ANCHOR
    )
    assert judged.refusals == set()
    (signed,) = [check for check in judged.checks if check.id == "rim.signature"]
    assert signed.actual == "O=NVIDIA (0xd69f10b46c05d202)"


def test_an_extension_that_is_not_critical_may_be_unknown():
    other = CHAIN.with_extensions(L2, pki.X509Extension("1.2.3.4", b"\5\0"))
    assert refused(driver_rim().signed_by(other)) == set()


def test_a_key_on_another_curve_is_refused():
    small = ec.generate_private_key(ec.SECP256R1())
    chain = CHAIN.with_certificate(L3, key=pki.public_key_info(small)).signed_with(SIGNER, small)
    assert refused(driver_rim().signed_by(chain)) == {"rim.chain.key"}


def test_a_certificate_that_says_another_algorithm_is_refused():
    sha256 = pki.element(pki.SEQUENCE, pki.oid("1.2.840.10045.4.3.2"))
    lies = replace(pki.ECDSA_SHA384, identifier=sha256)
    assert refused(driver_rim().signed_by(CHAIN.with_certificate(L2, algorithm=lies))) == {
        "rim.chain.algorithm"
    }


@pytest.mark.parametrize(
    ("at", "reasons"),
    [
        (datetime(2025, 6, 1, tzinfo=UTC) - SECOND, {"rim.signer.early"}),
        (datetime(2025, 6, 1, tzinfo=UTC), set()),
        (datetime(2027, 6, 1, tzinfo=UTC), set()),
        (datetime(2027, 6, 1, tzinfo=UTC) + SECOND, {"rim.signer.expired"}),
        (datetime(2030, 4, 30, tzinfo=UTC), {"rim.signer.expired"}),
        (datetime(2030, 4, 30, tzinfo=UTC) + SECOND, {"rim.signer.expired", "rim.chain.dates"}),
        (datetime(2023, 10, 30, tzinfo=UTC), {"rim.signer.early", "rim.chain.dates"}),
    ],
)
def test_certificates_are_refused_outside_their_dates(at, reasons):
    assert refused(GOOD, at=at) == reasons


@pytest.mark.parametrize("position", [L3, L2, ROOT])
def test_the_dates_of_authorities_are_inclusive(position):
    chain = CHAIN.with_certificate(position, not_before=AT, not_after=AT)
    root, xml = pinned_root(chain), driver_rim().signed_by(chain)
    assert refused(xml, root=root) == set()
    assert refused(xml, root=root, at=AT - SECOND) == {"rim.chain.dates"}
    assert refused(xml, root=root, at=AT + SECOND) == {"rim.chain.dates"}


def test_an_expired_signer_is_named_with_date_and_remedy():
    judged = verify_rim(GOOD, ANCHOR, at=datetime(2027, 6, 2, tzinfo=UTC))
    (failed,) = [check for check in judged.checks if not check.ok]
    for said in (
        "HCC RIM L4 Signer (0xd69f10b46c05d202)",
        "the driver manifest 595.71.05",
        "expired 2027-06-01T00:00:00Z",
        "`ccgpu collateral fetch`",
    ):
        assert said in failed.actual


@pytest.mark.parametrize("der", [b"", b"\x30\x00", b"no certificate"])
def test_certificates_that_cannot_be_read_are_refused(der):
    xml = rim.sign_document(driver_rim().body, CHAIN.key, [der, *CHAIN.ders[1:]])
    assert refused(xml) == {"rim.certificate"}


# What it says


def test_the_requested_kind_of_rim_is_checked():
    assert refused(vbios_rim(), kind="driver") == {"rim.kind"}
    assert refused(driver_rim(), kind="vbios") == {"rim.kind"}


def test_firmware_of_somebody_else_is_refused():
    assert refused(replace(driver_rim(), manufacturer="5704")) == {"rim.manufacturer"}


@pytest.mark.parametrize(
    "version", ["550", "", "550.90.07 ", "96.00.9f.00.01", "96.00.9F.00.01.02", "1.2.3.4.5", "a.b"]
)
def test_an_invalid_version_is_refused(version):
    reason = "rim.version" if version else "rim.meta"
    assert refused(replace(driver_rim(), version=version)) == {reason}


@pytest.mark.parametrize("field", ["colloquialVersion", "product", "ns1:FirmwareManufacturerId"])
def test_a_manifest_that_leaves_out_what_it_is_of_is_refused(field):
    assert refused(replace(driver_rim(), meta={field: None})) == {"rim.meta"}


def test_the_root_must_be_an_identity():
    body = driver_rim().body.replace("SoftwareIdentity", "SoftwareIdentities")
    xml = rim.sign_document(body, CHAIN.key, CHAIN.ders)
    assert refused(xml) == {"rim.root"}


@pytest.mark.parametrize(
    "beside",
    [
        "<ns0:Meta/>",
        "<ns0:Payload/>",
        "<ns0:Evidence/>",
        "<SoftwareIdentity/>",
        "<ns0:Entity><SoftwareIdentity/></ns0:Entity>",
        '<Payload xmlns=""/>',
    ],
)
def test_a_second_identity_or_part_is_refused(beside):
    assert refused(replace(driver_rim(), beside=beside)) == {"rim.parts"}


def test_parts_in_another_order_or_within_another_are_refused():
    body = driver_rim().body
    start, end = body.index("<ns0:Meta"), body.index("<ns0:Payload")
    meta = body[start:end]
    within = body.replace(meta, meta.strip().removesuffix("/>") + "><a/></ns0:Meta>\n")
    without = body.replace(meta, "")
    last = without.replace("</ns0:Payload>\n", f"</ns0:Payload>\n{meta}")
    for changed in (within, without, last):
        assert refused(rim.sign_document(changed, CHAIN.key, CHAIN.ders)) == {"rim.parts"}


def test_a_link_may_stand_beside():
    both = f'{driver_rim().beside}<ns0:Link rel="seealso" href="https://example.com"/>'
    assert refused(replace(driver_rim(), beside=both)) == set()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "Directory"}, "rim.resource"),
        ({"type": None}, "rim.resource"),
        ({"name": None}, "rim.resource"),
        ({"index": None}, "rim.resource"),
        ({"size": None}, "rim.resource"),
        ({"index": "64"}, "rim.resource.index"),
        ({"index": "-1"}, "rim.resource.index"),
        ({"index": "07"}, "rim.resource.index"),
        ({"index": "8"}, "rim.resource.index"),
        ({"index": "\u0667"}, "rim.resource.index"),
        ({"active": "true"}, "rim.resource.active"),
        ({"active": "1"}, "rim.resource.active"),
        ({"alternatives": "1"}, "rim.resource.alternatives"),
        ({"alternatives": "3"}, "rim.resource.alternatives"),
        ({"alternatives": "0"}, "rim.resource.alternatives"),
        ({"alternatives": "two"}, "rim.resource.alternatives"),
        (
            {"alternatives": "0", "ns2:Hash0": None, "ns2:Hash1": None},
            "rim.resource.alternatives",
        ),
        ({"alternatives": "9" * 30}, "rim.resource.alternatives"),
        ({"ns2:Hash1": None, "ns2:Hash2": "00" * 48}, "rim.resource.alternatives"),
        ({"ns2:Hash1": None, "Hash1": "00" * 48}, "rim.resource.alternatives"),
        ({"comment": "more"}, "rim.resource.alternatives"),
        ({"size": "47"}, "rim.resource.size"),
        ({"size": "048"}, "rim.resource.size"),
        ({"ns2:Hash1": "00" * 47}, "rim.resource.hash"),
        ({"ns2:Hash1": "00" * 49}, "rim.resource.hash"),
        ({"ns2:Hash1": "0x" + "00" * 47}, "rim.resource.hash"),
        ({"ns2:Hash1": "00" * 47 + " 0"}, "rim.resource.hash"),
    ],
)
def test_a_resource_that_is_not_a_measurement_is_refused(changes, reason):
    assert refused(with_resource(7, changes=changes)) == {reason}


def test_a_resource_has_nothing_within_and_is_one():
    body = driver_rim().body
    within = body.replace('index="7"', 'index="7" ', 1)
    start = within.index('<ns0:Resource type="Measurement" index="7"')
    end = within.index("/>", start)
    filled = f"{within[:end]}><a/></ns0:Resource>{within[end + 2 :]}"
    other = body.replace("<ns0:Resource", "<ns0:File", 1)
    for changed in (filled, other):
        assert refused(rim.sign_document(changed, CHAIN.key, CHAIN.ders)) == {"rim.resource"}


def test_hashes_of_a_resource_that_is_not_active_must_be_hashes_too():
    assert refused(with_resource(8, hashes=(b"short",))) == {"rim.resource.hash"}


# Any bytes


@given(st.binary(max_size=300))
def test_any_bytes_parse_or_are_malformed(data):
    for each in (data, b"<" + data, b"<a>" + data + b"</a>"):
        with pytest.raises(Malformed):
            rims.parse(each)


@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_damaged_manifest_parses_or_is_malformed(changes):
    raw = bytearray(GOOD)
    for at, value in changes:
        raw[at % len(raw)] = value
    checks = Checks()
    outcome = rims.verify(bytes(raw), ANCHOR, AT, checks)
    assert isinstance(outcome, Verified) == all(check.ok for check in checks.made)


# What NVIDIA publishes


@pytest.fixture(scope="module")
def h100(vectors):
    folder = vectors / "gpu" / "h100-550.90.07"
    return {
        "driver": (folder / "NV_GPU_DRIVER_GH100_550.90.07.xml").read_bytes(),
        "vbios": (folder / "NV_GPU_VBIOS_1010_0200_882_96009F0001.xml").read_bytes(),
    }


def test_real_manifests_hold_while_their_signers_are_valid(h100):
    counts = {}
    for kind, xml in h100.items():
        judged = verify_rim(xml, NVIDIA_RIM, at=THEN, kind=kind)
        assert judged.refusals == set()
        counts[kind] = len(judged.manifest.golden)
    assert counts == {"driver": 21, "vbios": 12}


def test_real_manifests_whose_signers_expired_are_refused_and_named(h100):
    said = []
    for kind, xml in h100.items():
        judged = verify_rim(xml, NVIDIA_RIM, at=AT, kind=kind)
        assert judged.refusals == {"rim.signer.expired"}
        said += [check.actual for check in judged.checks if not check.ok]
    assert "0xd69f10b46c05d201" in said[0]
    assert "550.90.07, expired 2026-06-01T02:08:29Z" in said[0]
    assert "0x89624ede804c3916" in said[1]
    assert "96.00.9F.00.01, expired 2026-02-22T23:17:58Z" in said[1]


@pytest.mark.parametrize(
    ("name", "at", "reasons"),
    [
        ("NV_GPU_DRIVER_GH100_550.144.03", AT, set()),
        ("incorrect_signature_driver_rim", AT, {"rim.signature"}),
        ("incorrect_cert_chain_driver_rim", AT, {"rim.chain.length", "rim.chain.root"}),
        (
            "NV_GPU_DRIVER_GH100_570.124.03_expired",
            AT,
            {"rim.signer.expired", "rim.signature.digest"},
        ),
        (
            "NV_GPU_DRIVER_GH100_570.124.03_expired",
            datetime(2025, 1, 1, 12, tzinfo=UTC),
            {"rim.signature.digest"},
        ),
    ],
)
def test_other_real_manifests_give_the_expected_results(vectors, name, at, reasons):
    xml = (vectors / "gpu" / "negative" / "rim" / f"{name}.xml").read_bytes()
    assert refused(xml, root=NVIDIA_RIM, at=at) == reasons


def test_real_manifests_are_not_believed_under_simulated_roots_nor_the_reverse(h100):
    assert refused(h100["driver"], at=THEN) >= {"rim.chain.root"}
    assert refused(GOOD, root=NVIDIA_RIM) >= {"rim.chain.root", "rim.chain.signature"}


def _changed(xml: bytes, step: int, first: int = 0):
    """The manifest with one byte changed, of those that NVIDIA signed: each `step`-th."""
    for at in range(first, xml.index(b"</ds:SignedInfo>"), step):
        changed = bytearray(xml)
        changed[at] ^= 1
        yield bytes(changed)


@pytest.mark.slow
def test_a_changed_byte_of_a_real_manifest_is_refused(h100):
    for xml in h100.values():
        for changed in _changed(xml, 101):
            assert refused(changed, root=NVIDIA_RIM, at=THEN)


@pytest.mark.slow
@pytest.mark.parametrize("first", mostly_slow(range(16), 16, 16))  # CI tries one in 16
@pytest.mark.parametrize("kind", ["driver", "vbios"])
def test_every_changed_byte_of_a_real_manifest_breaks_its_signature(h100, kind, first):
    key = verify_rim(h100[kind], NVIDIA_RIM, at=THEN).manifest.certificates[0].public_key()
    for changed in _changed(h100[kind], 16, first):
        checks = Checks()
        with contextlib.suppress(Malformed):
            xmldsig.verify(rims.parse(changed)[1], key, "the signer", checks)
        assert not checks.made or not all(check.ok for check in checks.made)
