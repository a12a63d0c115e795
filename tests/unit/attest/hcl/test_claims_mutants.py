"""What is said of claims that are refused is said of these claims, and cut where it is long."""

from typing import Any

import pytest

from ccgpu.attest.check import Checks, Malformed, Rule, Verified
from ccgpu.attest.hcl import blob, claims, layout
from ccgpu.attest.hcl.verify import verify
from ccgpu.fakeguest.evidence import hcl
from support.evidence_vtpm import Report, ak, verified_value

_EARLIER = Rule("test.earlier", "something else held", "the test")


def _claims(**changes: Any) -> dict[str, Any]:
    return hcl.runtime_claims(ak().public_key()) | changes


def _config(**changes: Any) -> dict[str, Any]:
    return _claims(**{"vm-configuration": _claims()["vm-configuration"] | changes})


def _key(**changes: Any) -> dict[str, Any]:
    return _claims(keys=[_claims()["keys"][0] | {"kid": "HCLAkPub"} | changes])


@pytest.mark.parametrize(
    ("document", "actual"),
    [
        (_claims(**{"vm-configuration": []}), "list"),
        (_claims(keys={}), "dict"),
        (_key(kty="EC"), "EC"),
        (_key(key_ops=["verify"]), ["verify"]),
        (_config(**{"secure-boot": "x" * 40}), "secure-boot: " + "x" * 32),
        (_config(vmUniqueId="y" * 80), "y" * 64),
        (_claims(**{"user-data": "z" * 150}), "z" * 140),
        (_key(n="!" * 40), "n: " + "!" * 32),
    ],
)
def test_a_refusal_shows_the_actual_value(document, actual):
    with pytest.raises(Malformed) as caught:
        claims.parse(hcl.encode_claims(document))
    assert caught.value.actual == actual


def test_the_first_of_two_keys_may_be_another():
    other = hcl.rsa_jwk("HCLEkPub", "encrypt", ak().public_key().public_numbers().n)
    document = _claims(keys=[other, *_key()["keys"]])
    assert claims.parse(hcl.encode_claims(document)).ak == ak().public_key()


def test_earlier_failures_do_not_unverify_the_claims():
    runtime = hcl.encode_claims(_claims())
    checks = Checks()
    checks.record(_EARLIER, False, "yes", "no")
    read = blob.parse(hcl.HclBlob(bytes(1184), runtime).raw)
    report = verified_value(Report(hcl.report_data(runtime)))
    assert isinstance(verify(read, report, checks), Verified)


def test_later_failures_unverify_the_claims():
    document = _config(**{"tpm-enabled": False})
    runtime = hcl.encode_claims(document)
    checks = Checks()
    checks.record(_EARLIER, True, "yes", "yes")
    read = blob.parse(hcl.HclBlob(bytes(1184), runtime).raw)
    report = verified_value(Report(hcl.report_data(runtime)))
    assert not isinstance(verify(read, report, checks), Verified)


def test_the_header_names_its_parts_as_the_paravisor_does():
    reserved = [name for name, field in layout.HEADER.items() if field.reserved]
    assert reserved == ["reserved"]
