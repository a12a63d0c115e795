"""Quotes of a vTPM and signatures of its attestation key. Any field can be changed."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256, HashAlgorithm

from ccgpu.attest.vtpm import layout

FIRMWARE_VERSION = 0x2020_0312_0012_0003  # of Azure's vTPM, seen in all quotes of 2024 to 2026


@dataclass(frozen=True, slots=True)
class PcrSelection:
    """The quoted PCRs of one bank."""

    bitmap: bytes
    algorithm: int = layout.ALG_SHA256

    @property
    def raw(self) -> bytes:
        """The selection as TPMS_PCR_SELECTION."""
        return self.algorithm.to_bytes(2, "big") + bytes((len(self.bitmap),)) + self.bitmap


def sha256_selection(indices: Iterable[int]) -> PcrSelection:
    """These PCRs of the SHA-256 bank."""
    bits = sum(1 << index for index in set(indices))
    return PcrSelection(bits.to_bytes(layout.SELECT_SIZE, "little"))


@dataclass(frozen=True, slots=True)
class QuoteTemplate:
    """A quote before it is signed. Fields that are None follow from the PCR values."""

    pcrs: Mapping[int, bytes]
    extra_data: bytes
    signer: bytes = layout.ALG_SHA256.to_bytes(2, "big") + b"\x6e" * layout.DIGEST_SIZE
    magic: int = layout.GENERATED
    type: int = layout.ATTEST_QUOTE
    clock: int = 1_413_331_195
    reset_count: int = 53
    restart_count: int = 0
    safe: int = 1
    firmware_version: int = FIRMWARE_VERSION
    banks: tuple[PcrSelection, ...] | None = None
    digest: bytes | None = None
    trailing: bytes = b""

    @property
    def raw(self) -> bytes:
        """The quote as TPMS_ATTEST, which the attestation key signs."""
        banks = (sha256_selection(self.pcrs),) if self.banks is None else self.banks
        digest = pcr_digest(self.pcrs) if self.digest is None else self.digest
        clock = {
            "clock": self.clock,
            "resetCount": self.reset_count,
            "restartCount": self.restart_count,
            "safe": self.safe,
            "firmwareVersion": self.firmware_version,
        }
        return b"".join(
            (
                self.magic.to_bytes(4, "big"),
                self.type.to_bytes(2, "big"),
                _sized_buffer(self.signer),
                _sized_buffer(self.extra_data),
                *(clock[name].to_bytes(f.size, "big") for name, f in layout.CLOCK.items()),
                len(banks).to_bytes(4, "big"),
                *(each.raw for each in banks),
                _sized_buffer(digest),
                self.trailing,
            )
        )


def pcr_digest(pcrs: Mapping[int, bytes]) -> bytes:
    """SHA-256 of the PCR values in the order of their indices."""
    return hashlib.sha256(b"".join(pcrs[index] for index in sorted(pcrs))).digest()


def sign_quote(ak: rsa.RSAPrivateKey, message: bytes, digest: HashAlgorithm | None = None) -> bytes:
    """A bare RSASSA-PKCS1-v1_5 signature, the format of `tpm2_quote -f plain`."""
    return ak.sign(message, padding.PKCS1v15(), digest or SHA256())


def tpmt_signature(
    signature: bytes, scheme: int = layout.ALG_RSASSA, digest: int = layout.ALG_SHA256
) -> bytes:
    """The signature in a TPMT_SIGNATURE, the format of `tpm2_quote`."""
    return scheme.to_bytes(2, "big") + digest.to_bytes(2, "big") + _sized_buffer(signature)


def _sized_buffer(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data
