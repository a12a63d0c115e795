"""The HCL blob, and the runtime claims in it.

Source: Azure CVM guest attestation design, report format; little endian.
"""

import base64
import hashlib
import json
import time
from dataclasses import dataclass

from ccgpu.templates.guest.collector.settings import CollectorError
from ccgpu.templates.guest.collector.tpm import CHUNK, NV_HCL
from ccgpu.templates.guest.collector.vtpm import Tpm

REPORT_DATA = slice(0x70, 0x90)  # the first half of REPORT_DATA in the SNP report at 0x20
CLAIMS_SIZE = slice(0x4D0, 0x4D4)
CLAIMS_START = 0x4D4
PAUSE = 0.2  # seconds between two reads


@dataclass(frozen=True)
class Claims:
    """The runtime claims of an HCL blob.

    vm_id: vmUniqueId in lower case. modulus: that of HCLAkPub, big endian. user_data: 64 bytes, or
    none. whole: the report in the same blob is about these claims.
    """

    vm_id: str
    modulus: bytes
    user_data: bytes
    whole: bool


def parse_claims(blob: bytes) -> Claims:
    """The claims in an HCL blob."""
    try:
        raw = blob[CLAIMS_START:][: int.from_bytes(blob[CLAIMS_SIZE], "little")]
        document = json.loads(raw)
        (key,) = [one for one in document["keys"] if one["kid"] == "HCLAkPub"]
        modulus = base64.urlsafe_b64decode(key["n"] + "=" * (-len(key["n"]) % 4))
        vm_id = document["vm-configuration"]["vmUniqueId"].lower()
        user_data = bytes.fromhex(document.get("user-data", ""))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as err:
        message = f"the runtime claims of the VM cannot be read: {type(err).__name__}: {err}"
        raise CollectorError("claims.malformed", message) from err
    return Claims(vm_id, modulus, user_data, hashlib.sha256(raw).digest() == blob[REPORT_DATA])


def read_own_claims(tpm: Tpm, seconds: float) -> Claims:
    """The claims as they are now: who this VM is. What `user_data` they show is not of interest.

    Only a read of the blob's beginning lets the paravisor renew it (at most every two seconds:
    OpenHCL, `refresh_device_attestation_data_on_nv_read`). The claims follow it, so this read
    leaves the renewal to `read_bound_claims`.
    """
    size, end = blob_size(tpm), time.monotonic() + seconds
    while True:
        blob = bytes(CHUNK) + tpm.nv_read(NV_HCL, size, CHUNK)
        try:
            return parse_claims(blob)
        except CollectorError:  # it may have changed between two reads
            if time.monotonic() > end:
                raise
        time.sleep(PAUSE)


def read_bound_claims(tpm: Tpm, bound: bytes, seconds: float) -> tuple[bytes, Claims]:
    """The HCL blob and its claims, once they show what was written (64 bytes).

    If another reader lets the blob change between two reads, it is read again. A blob that stays
    inconsistent is returned as it is, for the verifier to refuse.
    """
    size, end = blob_size(tpm), time.monotonic() + seconds
    while True:
        blob = tpm.nv_read(NV_HCL, size)
        late = time.monotonic() > end
        try:
            claims = parse_claims(blob)
        except CollectorError:
            if late:
                raise
        else:
            shown = claims.user_data == bound
            if shown and (claims.whole or late):
                return blob, claims
            if late:
                message = f"the runtime claims do not show what was written {seconds:g} seconds ago"
                raise CollectorError("claims.late", message)
        time.sleep(PAUSE)


def blob_size(tpm: Tpm) -> int:
    """The size of the HCL blob in bytes."""
    size = tpm.nv_size(NV_HCL)
    if size is None:
        message = f"the TPM has no NV index {NV_HCL:#010x}: not an Azure confidential VM"
        raise CollectorError("claims.absent", message)
    return size
