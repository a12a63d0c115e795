"""What is too new to be read is not called wrong where collateral is fetched for it."""

from dataclasses import replace

import pytest

from ccgpu.attest import required_collateral
from ccgpu.attest.gpu.roots import NVIDIA_DEVICE
from ccgpu.errors import EvidenceRejected, EvidenceUnavailable
from ccgpu.fakeguest.evidence.spdm import VersionedOpaqueData
from support import gpus
from support.vms import AT


def test_a_newer_report_makes_collateral_unavailable_rather_than_invalid():
    newer = gpus.nonce_evidence(
        replace(gpus.gpu(), versioned=VersionedOpaqueData(version=(3, 0, 0)))
    ).gpus[0]

    with pytest.raises(EvidenceUnavailable, match=r"NVDAOD: version 3\.0\.0") as caught:
        required_collateral.gpu_request(newer, NVIDIA_DEVICE, AT)
    assert caught.value.exit_code == 8
    assert "a ccgpu newer than" in str(caught.value.hint)


def test_a_damaged_report_is_refused():
    damaged = replace(gpus.nonce_evidence(gpus.gpu()).gpus[0], report=b"\x11\xe0")

    with pytest.raises(EvidenceRejected):
        required_collateral.gpu_request(damaged, NVIDIA_DEVICE, AT)
