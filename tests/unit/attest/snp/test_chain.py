"""From pinned authorities to the key of a chip: each link that is missing or false is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.amd import ARK_SERIAL, ASK_SERIAL
from support.evidence_amd import AT, Machine, pinned_roots

_FALSE_ALGORITHMS = [
    pki.rsa_pss(hashes.SHA256(), 32),
    pki.rsa_pss(hashes.SHA384(), 32),
    pki.rsa_pss(hashes.SHA384(), 48, mgf=hashes.SHA256()),
    pki.rsa_pss(hashes.SHA256(), 48, mgf=hashes.SHA384()),
]
_LIES = replace(pki.rsa_pss(hashes.SHA256(), 32), sign=pki.PSS_SHA384.sign)

_UNKNOWN_ALGORITHM = replace(
    pki.PSS_SHA384, identifier=pki.element(pki.SEQUENCE, pki.oid("1.2.3.4"))
)


@pytest.fixture
def with_chain(machine):
    """Evidence that brings its ASK and ARK along."""
    return replace(machine.evidence(), chain=machine.amd.chain)


def _chain(*ders: bytes) -> bytes:
    return b"".join(pki.pem(der) for der in ders)


def test_the_evidence_may_include_the_pinned_authorities(with_chain):
    assert not with_chain.refusals()


def test_the_certificate_of_the_key_may_be_pem(with_chain):
    assert not replace(with_chain, vek=pki.pem(with_chain.vek)).refusals()


@pytest.mark.slow
def test_an_unknown_ark_is_refused(machine):
    stranger = amds.make_authorities("Genoa", bits=2048)
    foreign = Machine(stranger, machine.chip)
    evidence = replace(foreign.evidence(), chain=stranger.chain, roots=pinned_roots(machine.amd))
    assert evidence.refusals() == {
        "snp.ark.pinned",
        "snp.ark.signature",
        "snp.ask.pinned",
        "snp.ask.signature",
        "snp.vek.signature",
    }


@pytest.mark.slow
def test_without_a_chain_the_pinned_key_decides(machine):
    foreign = Machine(amds.make_authorities("Genoa", bits=2048), machine.chip)
    evidence = replace(foreign.evidence(), roots=pinned_roots(machine.amd))
    assert evidence.refusals() == {"snp.vek.signature"}


def test_the_authorities_of_another_product_are_refused(with_chain, milan):
    evidence = replace(with_chain, chain=milan.chain)
    assert evidence.refusals() == {
        "snp.ark.pinned",
        "snp.ark.signature",
        "snp.ask.pinned",
        "snp.ask.signature",
    }


def test_a_key_signed_by_the_authorities_of_another_product_is_refused(machine, milan):
    vek = machine.vcek.signed_by(milan.ask_key)
    assert replace(machine.evidence(), vek=vek).refusals() == {"snp.vek.signature"}


def test_another_certificate_of_the_same_ask_is_not_the_pinned_one(with_chain, machine):
    amd = machine.amd
    again = amds.authority_certificate("SEV-Genoa", amd.ask_key, "ARK-Genoa", ASK_SERIAL).signed_by(
        amd.ark_key
    )
    assert replace(with_chain, chain=_chain(again, amd.ark)).refusals() == {"snp.ask.pinned"}


def test_another_certificate_of_the_same_ark_is_not_the_pinned_one(with_chain, machine):
    amd = machine.amd
    again = amds.authority_certificate("ARK-Genoa", amd.ark_key, "ARK-Genoa", ARK_SERIAL).signed_by(
        amd.ark_key
    )
    assert replace(with_chain, chain=_chain(amd.ask, again)).refusals() == {"snp.ark.pinned"}


def _falsely_signed(name: str, key: rsa.RSAPrivateKey, ark: rsa.RSAPrivateKey) -> list[bytes]:
    """An authority whose name and key are right, and whose signature is not."""
    right = amds.authority_certificate(name, key, "ARK-Genoa", ASK_SERIAL)
    other = rsa.generate_private_key(65537, 2048)
    return [
        right.signed_by(other),
        replace(right, issuer=amds.amd_name("ARK-Milan")).signed_by(ark),
        replace(right, algorithm=_LIES).signed_by(ark),
        *(replace(right, algorithm=false).signed_by(ark) for false in _FALSE_ALGORITHMS),
    ]


def test_an_ask_that_the_ark_did_not_sign_is_refused_even_if_pinned(with_chain, machine):
    amd = machine.amd
    for ask in _falsely_signed("SEV-Genoa", amd.ask_key, amd.ark_key):
        evidence = replace(with_chain, chain=_chain(ask, amd.ark), roots=pinned_roots(amd, ask=ask))
        assert evidence.refusals() == {"snp.ask.signature"}


def test_an_ark_that_did_not_sign_itself_is_refused_even_if_pinned(with_chain, machine):
    amd = machine.amd
    for ark in _falsely_signed("ARK-Genoa", amd.ark_key, amd.ark_key):
        evidence = replace(with_chain, chain=_chain(amd.ask, ark), roots=pinned_roots(amd, ark=ark))
        assert evidence.refusals() == {"snp.ark.signature"}


def test_an_authority_without_an_rsa_key_is_refused(with_chain, machine):
    amd, key = machine.amd, ec.generate_private_key(ec.SECP384R1())
    ask = amds.authority_certificate("SEV-Genoa", key, "ARK-Genoa", ASK_SERIAL).signed_by(
        amd.ark_key
    )
    evidence = replace(with_chain, chain=None, roots=pinned_roots(amd, ask=ask))
    assert evidence.refusals() == {"snp.vek.signature"}


@pytest.mark.parametrize(("role", "refusal"), [("ask", "snp.ask.dates"), ("ark", "snp.ark.dates")])
@pytest.mark.parametrize("late", [True, False])
def test_an_authority_is_refused_outside_its_dates(with_chain, machine, role, refusal, late):
    amd = machine.amd
    name, key = ("SEV-Genoa", amd.ask_key) if role == "ask" else ("ARK-Genoa", amd.ark_key)
    right = amds.authority_certificate(name, key, "ARK-Genoa", ASK_SERIAL)
    early = replace(right, not_before=AT)
    over = replace(right, not_after=AT - timedelta(seconds=1))
    changed = {role: (over if late else early).signed_by(amd.ark_key)}
    evidence = replace(
        with_chain,
        chain=_chain(changed.get("ask", amd.ask), changed.get("ark", amd.ark)),
        roots=pinned_roots(amd, **changed),
        at=AT if late else AT - timedelta(seconds=1),
    )
    assert evidence.refusals() == {refusal}


@pytest.mark.parametrize(
    ("at", "valid"),
    [
        (datetime(2025, 1, 23, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2025, 1, 24, tzinfo=UTC), True),
        (datetime(2032, 1, 24, tzinfo=UTC), True),
        (datetime(2032, 1, 24, 0, 0, 1, tzinfo=UTC), False),
    ],
)
def test_a_key_is_refused_outside_its_dates(machine, at, valid):
    evidence = replace(machine.evidence(), at=at)
    assert evidence.refusals() == (set() if valid else {"snp.vek.dates"})


def test_dates_after_2049_are_read(machine):
    vek = replace(machine.vcek, not_after=datetime(2060, 1, 1, tzinfo=UTC))
    at = datetime(2059, 12, 31, tzinfo=UTC)
    assert not replace(machine.evidence(vek=vek), at=at).refusals()


def test_a_key_that_names_another_issuer_is_refused(machine):
    vek = replace(machine.vcek, issuer=amds.amd_name("SEV-Milan"))
    assert machine.evidence(vek=vek).refusals() == {"snp.vek.issuer"}


def test_a_key_naming_another_algorithm_is_refused(machine):
    vek = replace(machine.vcek, algorithm=_LIES)
    assert machine.evidence(vek=vek).refusals() == {"snp.vek.algorithm"}


@pytest.mark.parametrize("algorithm", _FALSE_ALGORITHMS)
def test_a_key_signed_with_other_parameters_is_refused(machine, algorithm):
    vek = replace(machine.vcek, algorithm=algorithm)
    evidence = machine.evidence(vek=vek)
    assert evidence.refusals() == {"snp.vek.algorithm", "snp.vek.signature"}


def test_a_key_signed_with_another_kind_of_signature_is_refused(machine):
    vek = replace(machine.vcek, algorithm=pki.ECDSA_SHA384).signed_by(machine.chip.key)
    evidence = replace(machine.evidence(), vek=vek)
    assert evidence.refusals() == {"snp.vek.algorithm", "snp.vek.signature"}


@pytest.mark.parametrize(
    ("algorithm", "shown"),
    [
        (pki.ECDSA_SHA384, "1.2.840.10045.4.3.3"),
        (pki.rsa_pss(hashes.SHA384(), 32), "1.2.840.113549.1.1.10 with other parameters"),
        (_UNKNOWN_ALGORITHM, "1.2.3.4"),
    ],
)
def test_the_signature_algorithm_of_a_key_is_shown(machine, algorithm, shown):
    lies = replace(algorithm, sign=pki.PSS_SHA384.sign)
    judged = machine.evidence(vek=replace(machine.vcek, algorithm=lies)).judge()
    (check,) = (check for check in judged.checks if check.id == "snp.vek.algorithm")
    assert check.actual == shown


def test_a_vlek_is_refused_where_no_authority_for_it_is_pinned(machine):
    amd = machine.amd
    roots = {name: replace(pinned, asvk=None) for name, pinned in pinned_roots(amd).items()}
    vlek = amd.vlek(machine.chip).signed_by(amd.asvk_key)
    evidence = replace(machine.evidence(machine.report(key_info=4)), vek=vlek, roots=roots)
    assert evidence.refusals() == {"snp.vek.authority", "snp.key-info.signing-key"}


def test_the_ask_is_no_key_of_a_chip(machine):
    evidence = replace(machine.evidence(), vek=machine.amd.ask)
    assert evidence.refusals() == {"snp.vek.subject"}


def test_the_chain_of_a_vlek_is_that_of_its_own_authority(machine):
    amd = machine.amd
    vlek = amd.vlek(machine.chip).signed_by(amd.asvk_key)
    evidence = replace(machine.evidence(machine.report(key_info=4)), vek=vlek)
    only_kind = {"snp.key-info.signing-key"}
    assert replace(evidence, chain=_chain(amd.asvk, amd.ark)).refusals() == only_kind
    assert replace(evidence, chain=amd.chain).refusals() == only_kind | {"snp.ask.pinned"}


def test_the_chain_is_the_ask_and_then_the_ark_and_nothing_else(with_chain, machine, milan):
    amd = machine.amd
    for chain in (
        _chain(amd.ask),
        _chain(amd.ark),
        _chain(milan.ark, amd.ask, amd.ark),
        _chain(amd.ask, amd.ark, amd.asvk),
        _chain(with_chain.vek, amd.ask, amd.ark),
    ):
        assert replace(with_chain, chain=chain).refusals() == {"snp.chain.length"}


def test_the_number_of_certificates_in_a_chain_is_limited(with_chain, machine):
    many = [machine.amd.ark] * 9
    assert replace(with_chain, chain=_chain(*many[:8])).refusals() == {"snp.chain.length"}
    assert replace(with_chain, chain=_chain(*many)).refusals() == {"snp.chain"}


def test_the_order_of_the_chain_counts(with_chain, machine):
    evidence = replace(with_chain, chain=_chain(machine.amd.ark, machine.amd.ask))
    assert evidence.refusals() == {"snp.ark.pinned", "snp.ask.pinned"}


@pytest.mark.parametrize("change", [lambda pem: b"x" + pem, lambda pem: pem + b"x", lambda _: b""])
def test_a_chain_with_other_content_is_refused(with_chain, machine, change):
    evidence = replace(with_chain, chain=change(machine.amd.chain))
    assert evidence.refusals() == {"snp.chain"}
