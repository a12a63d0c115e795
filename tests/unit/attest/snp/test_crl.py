"""Revocation: a list that is given is checked, one that is required and missing is a refusal."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.attest.check import Checks, Malformed
from ccgpu.attest.snp import crl as revocation
from ccgpu.attest.snp import vek as veks
from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence import pki
from ccgpu.fakeguest.evidence.amd import ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL
from ccgpu.fakeguest.evidence.pki import X509Extension
from support.evidence_amd import AT, pinned_roots
from support.other_spelling import respelled

_CRITICAL = X509Extension("2.5.29.27", pki.integer(1), critical=True)  # "this is only a difference"
_NUMBER = X509Extension("2.5.29.20", pki.integer(7))


@pytest.fixture
def judge(machine):
    """The refusals of good evidence with this list."""

    def refusals(crl, *, at=AT, key=None):
        signed = crl.signed_by(key or machine.amd.ark_key)
        return replace(machine.evidence(), crl=signed, at=at).refusals()

    return refusals


def test_a_current_crl_without_our_certificates_passes(machine, judge):
    crl = replace(machine.amd.crl(0xBAD), extensions=(_NUMBER,))
    assert not judge(crl)


def test_a_crl_may_be_pem(machine):
    crl = pki.pem(machine.amd.crl().signed_by(machine.amd.ark_key), "X509 CRL")
    assert not replace(machine.evidence(), crl=crl).refusals()


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: pem + b"x",
        lambda pem: b"a list:\n" + pem,
        lambda pem: pem + pem,
        lambda pem: pem.replace(b"X509 CRL", b"CERTIFICATE"),
        lambda pem: pem.replace(b"\n", b" \n", 2),
    ],
)
def test_a_list_in_pem_stands_alone(machine, change):
    pem = pki.pem(machine.amd.crl().signed_by(machine.amd.ark_key), "X509 CRL")
    assert "snp.crl" in replace(machine.evidence(), crl=change(pem)).refusals()


def test_a_list_in_another_spelling_is_refused(machine):
    der = machine.amd.crl().signed_by(machine.amd.ark_key)
    serial = 0
    while len(der) % 3 == 0:  # only padded base64 has unused bits
        serial += 0xBAD
        der = machine.amd.crl(*range(0xBAD, serial)).signed_by(machine.amd.ark_key)
    pem = pki.pem(der, "X509 CRL")
    last = pem.splitlines()[-2]
    changed = pem.replace(last, respelled(last.decode()).encode())
    assert "snp.crl" in replace(machine.evidence(), crl=changed).refusals()


@pytest.mark.parametrize("serial", [ARK_SERIAL, ASK_SERIAL, ASVK_SERIAL])
def test_a_revoked_authority_verifies_nothing(machine, judge, serial):
    assert judge(machine.amd.crl(serial)) == {"snp.crl.authorities"}


def test_a_product_without_a_vlek_authority_has_none_to_revoke(machine):
    amd = machine.amd
    roots = {name: replace(pinned, asvk=None) for name, pinned in pinned_roots(amd).items()}
    crl = amd.crl(ASVK_SERIAL).signed_by(amd.ark_key)
    assert not replace(machine.evidence(), crl=crl, roots=roots).refusals()


def test_a_key_that_is_revoked_is_refused(machine, judge):
    assert judge(machine.amd.crl(0)) == {"snp.crl.vek"}


@pytest.mark.parametrize(
    ("at", "current"),
    [
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 11, 1, tzinfo=UTC), True),
        (datetime(2026, 12, 1, tzinfo=UTC), True),
        (datetime(2026, 12, 1, 0, 0, 1, tzinfo=UTC), False),
    ],
)
def test_a_crl_is_refused_outside_its_window(machine, judge, at, current):
    assert judge(machine.amd.crl(), at=at) == (set() if current else {"snp.crl.window"})


def test_a_crl_without_next_update_is_refused(machine, judge):
    crl = replace(machine.amd.crl(), next_update=None)
    assert judge(crl) == {"snp.crl.window"}


def test_a_crl_signed_by_another_key_is_refused(machine, judge):
    assert judge(machine.amd.crl(), key=machine.amd.ask_key) == {"snp.crl.signature"}
    stranger = rsa.generate_private_key(65537, 2048)
    assert judge(machine.amd.crl(), key=stranger) == {"snp.crl.signature"}


def test_a_crl_of_another_issuer_is_refused(machine, judge):
    crl = replace(machine.amd.crl(), issuer=amds.amd_name("ARK-Milan"))
    assert judge(crl) == {"snp.crl.issuer"}


def test_a_crl_naming_another_algorithm_is_refused(machine, judge):
    lies = replace(pki.rsa_pss(hashes.SHA256(), 32), sign=pki.PSS_SHA384.sign)
    assert judge(replace(machine.amd.crl(), algorithm=lies)) == {"snp.crl.algorithm"}


@pytest.mark.parametrize("where", ["extensions", "entry_extensions"])
def test_a_partial_crl_is_refused(machine, judge, where):
    crl = replace(machine.amd.crl(0xBAD), **{where: (_CRITICAL,)})
    assert judge(crl) == {"snp.crl.complete"}


@pytest.mark.parametrize("crl", [b"", b"no list", b"\x30\x03\x02\x01\x01", bytes(1024 * 1024 + 1)])
def test_an_unreadable_crl_is_refused(machine, crl):
    assert replace(machine.evidence(), crl=crl).refusals() == {"snp.crl"}


def test_the_size_of_a_crl_is_limited(machine):
    many = machine.amd.crl(*range(0x100000, 0x100000 + 50_000)).signed_by(machine.amd.ark_key)
    assert len(many) > 1024 * 1024
    assert replace(machine.evidence(), crl=many).refusals() == {"snp.crl"}


def test_a_crl_of_one_mebibyte_is_read():
    with pytest.raises(Malformed) as caught:
        revocation.parse(bytes(1024 * 1024))
    assert caught.value.expected == "DER of X.509"


@pytest.mark.slow
def test_a_crl_needs_pinned_authorities(machine, milan):
    crl = machine.amd.crl().signed_by(machine.amd.ark_key)
    evidence = replace(machine.evidence(), crl=crl, roots=pinned_roots(milan))
    assert evidence.refusals() == {"snp.vek.authority"}


def test_a_signature_that_is_not_of_whole_bytes_is_refused(machine):
    raw = bytearray(machine.amd.crl().signed_by(machine.amd.ark_key))
    signature = revocation.parse(bytes(raw)).signature
    place = raw.index(signature)
    raw[place - 1] = 1  # the last bit is none of it, and must then be 0
    raw[place + len(signature) - 1] &= 0xFE
    assert replace(machine.evidence(), crl=bytes(raw)).refusals() == {"snp.crl"}


# Several lists


@pytest.fixture
def lists(machine):
    """The refusals of good evidence with these lists, each a `RevocationList` or bytes."""

    def refusals(*crls, at=AT):
        raw = [x if isinstance(x, bytes) else x.signed_by(machine.amd.ark_key) for x in crls]
        found = replace(machine.evidence(), at=at)
        checks = Checks()
        vek = veks.parse(found.vek)
        revocation.verify(raw, vek, found.roots[vek.product], at, checks)
        return {check.id for check in checks.made if not check.ok}

    return refusals


def _old(crl):
    return replace(
        crl,
        this_update=datetime(2026, 9, 1, tzinfo=UTC),
        next_update=datetime(2026, 10, 1, tzinfo=UTC),
    )


def test_any_crl_of_the_ark_may_revoke_in_any_order(machine, lists):
    for revoking, other in (
        (machine.amd.crl(0), _old(machine.amd.crl())),
        (_old(machine.amd.crl(0)), machine.amd.crl()),
    ):
        assert lists(revoking, other) == {"snp.crl.vek"}
        assert lists(other, revoking) == {"snp.crl.vek"}
    assert lists(_old(machine.amd.crl(ASK_SERIAL)), machine.amd.crl()) == {"snp.crl.authorities"}


def test_future_or_partial_crls_can_only_revoke(machine, lists):
    tomorrow = replace(machine.amd.crl(0), this_update=AT + timedelta(days=1))
    part = replace(machine.amd.crl(0), extensions=(_CRITICAL,))
    for other in (tomorrow, part):
        assert lists(other, machine.amd.crl()) == {"snp.crl.vek"}
        assert lists(replace(other, revoked=()), machine.amd.crl()) == set()


def test_freshness_is_decided_by_the_newest_crl(machine, lists):
    old, current = _old(machine.amd.crl()), machine.amd.crl()
    assert lists(old, current) == lists(current, old) == set()
    assert lists(old, replace(old, this_update=old.this_update - timedelta(days=9))) == {
        "snp.crl.window"
    }
    ended = replace(
        current, this_update=AT - timedelta(days=1), next_update=AT - timedelta(hours=1)
    )
    assert lists(current, ended) == {"snp.crl.window"}


def test_junk_and_foreign_crls_do_not_hide_one_of_the_ark(machine, lists):
    good = machine.amd.crl()
    forged = replace(machine.amd.crl(0), this_update=AT).signed_by(machine.amd.ask_key)
    stranger = replace(good, issuer=amds.amd_name("ARK-Milan"), revoked=(0,))
    for junk in (b"junk", forged, stranger):
        assert lists(junk, good) == lists(good, junk) == set()
    assert lists(b"junk", b"more") == {"snp.crl"}
    assert "snp.crl.issuer" in lists(stranger)


def test_a_future_crl_is_not_current(machine, judge):
    crl = replace(machine.amd.crl(), this_update=AT + timedelta(seconds=1))
    assert judge(crl) == {"snp.crl.window"}


@given(st.lists(st.tuples(st.integers(0, 4095), st.integers(0, 255)), max_size=6))
def test_a_damaged_crl_is_parsed_or_malformed(machine, changes):
    raw = bytearray(machine.amd.crl(1, 2, 3).signed_by(machine.amd.ark_key))
    for at, value in changes:
        raw[at % len(raw)] = value
    with suppress(Malformed):
        revocation.parse(bytes(raw))
