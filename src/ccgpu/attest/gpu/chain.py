"""The chain of five certificates from NVIDIA's root to the key that signs a GPU's reports.

The leaf's key is that of the running firmware, the key above it is the chip's. The root must be the
pinned certificate, and what it signed is verified with the pinned key.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, format_value
from ccgpu.attest.gpu import layout, signatures, usage
from ccgpu.attest.roots import Anchor

_NVIDIA = "NVIDIA nvtrust, local_gpu_verifier, CcAdminUtils"
_X509 = "RFC 5280, 6.1.3"
_CA = "RFC 5280, 6.1.4"

READABLE = Rule("gpu.chain", "the certificates of the GPU can be read", "RFC 7468, 5")
LENGTH = Rule("gpu.chain.length", "there are five certificates, from the leaf to the root", _NVIDIA)
ROOT = Rule("gpu.chain.root", "the root is NVIDIA's Device Identity CA, as pinned", _NVIDIA)
ISSUER = Rule("gpu.chain.issuer", "each certificate names the next one as its issuer", _X509)
KEY = Rule("gpu.chain.key", "all keys are on P-384", _NVIDIA)
ALGORITHM = Rule("gpu.chain.algorithm", "each is signed with ECDSA and SHA-384", _NVIDIA)
SIGNATURE = Rule("gpu.chain.signature", "each is signed by the key of the next one", _X509)
DATES = Rule("gpu.chain.dates", "all certificates are valid at the time", _X509)
AUTHORITY = Rule("gpu.chain.authority", "all but the leaf are authorities", f"{_CA} (k), (n)")
LEAF = Rule("gpu.chain.leaf", "the leaf signs data, and is no authority", "RFC 5280, 4.2.1.3")
PATH_LENGTH = Rule("gpu.chain.path-length", "no path length constraint is violated", f"{_CA} (m)")
CRITICAL = Rule("gpu.chain.critical", "every critical extension is known", f"{_CA} (o)")
ARCHITECTURE = Rule(
    "gpu.chain.architecture", "NVIDIA's authorities are those of a known architecture", _NVIDIA
)
ARCHITECTURE_CLAIMED = Rule(
    "gpu.chain.claimed", "the architecture is the one that the collector says", _NVIDIA
)
MODEL = Rule("gpu.chain.model", "chip and firmware are of the architecture", _NVIDIA)
FWID_ABSENT = Rule("gpu.leaf.fwid.absent", "the leaf says which firmware its key is of", _NVIDIA)
FWID = Rule(
    "gpu.leaf.fwid",
    "the leaf says it in the form of a CompositeDeviceID",
    "TCG Implicit Identity Based Device Attestation; NVIDIA attestation-sdk, CompositeDeviceId",
)

LENGTH_OF_CHAIN = 5
CHIPS: Mapping[str, str] = {"HOPPER": "GH100"}  # architecture, as NVIDIA's tools name it: chip
_FWID = x509.ObjectIdentifier(layout.FWID_OID)
_MAX_CERTIFICATES = 8  # more are not parsed

Certificates = Sequence[x509.Certificate]


@dataclass(frozen=True, slots=True)
class DeviceChain:
    """The five certificates, leaf first, and what they state of the GPU.

    `arch`, `chip`: "HOPPER" and "GH100"; None for others. `hwmodel`: common name of the chip's
    certificate. `ueid`: the leaf's serial number, decimal. `fwid`: digest of the leaf's firmware.
    """

    certificates: tuple[x509.Certificate, ...]
    arch: str | None
    chip: str | None
    hwmodel: str
    ueid: str
    fwid: bytes | None

    @property
    def key(self) -> PublicKeyTypes:
        """The leaf's key, which signs reports."""
        return certificates.public_key(self.certificates[0])

    @property
    def issued(self) -> tuple[tuple[x509.Certificate, x509.Certificate], ...]:
        """Certificate and issuer, of those that NVIDIA's OCSP service knows: not leaf and root."""
        return tuple(zip(self.certificates[1:-1], self.certificates[2:], strict=True))


def verify(
    chain: bytes, root: Anchor, at: datetime, checks: Checks, *, arch: str | None = None
) -> Outcome[DeviceChain] | None:
    """Verify a GPU's certificates (PEM) at a time; None if they are unreadable, or not five.

    `arch`: what the collector states, if anything. The caller must still check revocation (`ocsp`).
    """
    since = checks.checkpoint()
    load = partial(certificates.load_chain, rule=READABLE, limit=_MAX_CERTIFICATES)
    certs = checks.parse(READABLE, load, chain, "PEM certificates")
    if certs is None:
        return None
    names = [usage.describe(each) for each in certs]
    if not checks.record(LENGTH, len(certs) == LENGTH_OF_CHAIN, LENGTH_OF_CHAIN, names):
        return None
    actual = certificates.anchor_of(certs[-1])
    checks.record(ROOT, actual == root, _format_anchor(root), _format_anchor(actual))
    _check_links(certs, root, checks)
    _check_each(certs, at, checks)
    architecture, chip = _architecture(certs, checks)
    if arch is not None and architecture is not None:
        checks.record_equal(ARCHITECTURE_CLAIMED, arch.upper(), architecture)
    value = DeviceChain(
        certificates=certs,
        arch=architecture,
        chip=chip,
        hwmodel=_common_name(certs[1]),
        ueid=str(certificates.serial(certs[0])),
        fwid=_check_fwid(certs[0], checks),
    )
    return checks.conclude(value, since)


def _check_links(certs: Certificates, root: Anchor, checks: Checks) -> None:
    keys = [
        *(certificates.public_key(each) for each in certs[1:-1]),
        signatures.pinned_key(root.spki),
    ]
    below, above = certs[:-1], certs[1:]
    named = [one.issuer == other.subject for one, other in zip(below, above, strict=True)]
    usage.check_each(ISSUER, below, named, "issued by the next", checks)
    usage.check_each(
        ALGORITHM, certs, map(usage.is_signed_with_ecdsa, certs), "ECDSA with SHA-384", checks
    )
    signed = [
        signatures.is_certificate_signed_by(key, one) for one, key in zip(below, keys, strict=True)
    ]
    usage.check_each(SIGNATURE, below, signed, "signed by the next", checks)


def _check_each(certs: Certificates, at: datetime, checks: Checks) -> None:
    leaf, authorities = certs[:1], certs[1:]
    on_curve = [signatures.is_p384_key(certificates.public_key(each)) for each in certs]
    usage.check_each(KEY, certs, on_curve, "keys on P-384", checks)
    valid = [each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in certs]
    usage.check_each(DATES, certs, valid, f"valid at {format_value(at)}", checks)
    usage.check_each(
        AUTHORITY, authorities, map(usage.is_authority, authorities), "authorities", checks
    )
    usage.check_each(LEAF, leaf, map(usage.signs_data, leaf), "signs data, is no authority", checks)
    low = [usage.allows_path_length(below, each) for below, each in enumerate(authorities)]
    usage.check_each(PATH_LENGTH, authorities, low, "no higher than allowed", checks)
    usage.check_each(CRITICAL, certs, map(usage.knows_critical_extensions, certs), "known", checks)


def _architecture(certs: Certificates, checks: Checks) -> tuple[str | None, str | None]:
    """Architecture and chip, by the names of NVIDIA's authorities; those below must fit."""
    names = [_common_name(each) for each in certs]
    known = {chip: arch for arch, chip in CHIPS.items()}
    chip = next((chip for chip in known if names[3] == f"NVIDIA {chip} Identity"), None)
    same = chip is not None and names[2].startswith(f"NVIDIA {chip} ")
    checks.record(ARCHITECTURE, same, sorted(known), names[2:4])
    if chip is None:
        return None, None
    of_it = all(name.startswith(f"{chip} ") for name in names[:2])
    checks.record(MODEL, of_it, f"names of {chip}", names[:2])
    return known[chip], chip


def _check_fwid(leaf: x509.Certificate, checks: Checks) -> bytes | None:
    extension = usage.extension(leaf, _FWID)
    present = isinstance(extension, x509.UnrecognizedExtension)
    checks.record(FWID_ABSENT, present, layout.FWID_OID, layout.FWID_OID if present else None)
    if not isinstance(extension, x509.UnrecognizedExtension):
        return None
    return checks.parse(FWID, _parse_fwid, extension.value, "a CompositeDeviceID")


def _parse_fwid(raw: bytes) -> bytes:
    if len(raw) != layout.FWID_EXTENSION_SIZE:
        raise Malformed(FWID, f"{layout.FWID_EXTENSION_SIZE} bytes", f"{len(raw)} bytes")
    for name, constant in layout.FWID_CONSTANTS.items():
        actual = layout.FWID_EXTENSION[name].of(raw)
        if actual != constant:
            raise Malformed(FWID, constant, actual)
    return layout.FWID_EXTENSION["fwid"].of(raw)


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return ", ".join(str(name.value) for name in names)


def _format_anchor(anchor: Anchor) -> str:
    return f"{anchor.subject}, SHA-256 {anchor.sha256.hex()}"
