"""What tokens are compared with: every value of a verified report, and of verified claims alone."""

from dataclasses import replace

import pytest

from ccgpu.attest.check import Unverified, Verified
from ccgpu.attest.hcl import blob as hcl_blob
from ccgpu.attest.hcl import claims as hcl_claims
from ccgpu.attest.snp import report as snp_report
from ccgpu.attest.vm_identity import VmIdentity, identity_of
from support.vms import vm

_SAID = {
    "report_id": b"\x01" * 32,
    "measurement": b"\x02" * 48,
    "id_key_digest": b"\x03" * 48,
    "host_data": b"\x04" * 32,
    "guest_svn": 0x1000D,
}


def _read(debug=False, secure_boot=True):
    """Report and claims of a VM that states these values."""
    fields = _SAID | {"policy": 0x3001F | debug << 19}
    machine = replace(vm(), report=fields, configuration={"secure-boot": secure_boot})
    found = hcl_blob.parse(machine.hcl)
    return snp_report.parse(found.report), hcl_claims.parse(found.runtime)


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("secure_boot", [True, False])
def test_the_identity_is_what_report_and_claims_state(debug, secure_boot):
    report, claims = _read(debug, secure_boot)

    assert identity_of(Verified(report), Verified(claims)) == VmIdentity(
        report_id="01" * 32,
        measurement="02" * 48,
        id_key_digest="03" * 48,
        host_data="04" * 32,
        guest_svn=0x1000D,
        vmpl=0,
        debug=debug,
        secure_boot=secure_boot,
    )


def test_claims_that_are_not_verified_state_nothing():
    report, claims = _read()

    for unbelieved in (None, Unverified(claims)):
        identity = identity_of(Verified(report), unbelieved)
        assert identity is not None
        assert identity.secure_boot is None
        assert identity.report_id == "01" * 32


def test_a_report_that_is_not_verified_has_no_identity():
    report, claims = _read()

    assert identity_of(Unverified(report), Verified(claims)) is None
    assert identity_of(None, Verified(claims)) is None
    assert identity_of(None, None) is None
