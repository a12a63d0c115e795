"""The HCL blob, and the runtime claims in it.

Source: Azure CVM guest attestation design, report format; little endian.
"""

import base64
import hashlib
import json
import time
from dataclasses import dataclass

from ccgpu.templates.guest.collector.settings import CollectorError
from ccgpu.templates.guest.collector.tpm import NV_HCL, Tpm

REPORT_DATA = slice(0x70, 0x90)  # the first half of REPORT_DATA in the SNP report at 0x20
CLAIMS_SIZE = slice(0x4D0, 0x4D4)
CLAIMS_START = 0x4D4


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


def read_claims(tpm: Tpm, seconds: float, bound: bytes | None = None) -> tuple[bytes, Claims]:
    """The HCL blob and its claims; with `bound`, once the claims show these 64 bytes.

    The paravisor may change the blob between two reads. Such a blob is read again; if it stays
    inconsistent it is returned as it is, for the verifier to refuse.
    """
    size = tpm.nv_size(NV_HCL)
    if size is None:
        message = f"the TPM has no NV index {NV_HCL:#010x}: not an Azure confidential VM"
        raise CollectorError("claims.absent", message)
    end = time.monotonic() + seconds
    while True:
        blob = tpm.nv_read(NV_HCL, size)
        late = time.monotonic() > end
        try:
            claims = parse_claims(blob)
        except CollectorError:
            if late:
                raise
        else:
            shown = bound is None or claims.user_data == bound
            if shown and (claims.whole or late):
                return blob, claims
            if late:
                message = f"the runtime claims do not show what was written {seconds:g} seconds ago"
                raise CollectorError("claims.late", message)
        time.sleep(0.2)
