"""From NVIDIA's pinned root key to the key that a GPU signs its reports with: five certificates.

The leaf's key is of the firmware that runs, the one above it of the chip. The root decides: it must
be the pinned certificate, whole, and what it signed is checked with the pinned key in any case.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import NameOID

from ccgpu.attest import certificates
from ccgpu.attest.check import Checks, Malformed, Outcome, Rule, shown
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
END = Rule("gpu.chain.leaf", "the leaf signs data, and is no authority", "RFC 5280, 4.2.1.3")
PATH_LENGTH = Rule("gpu.chain.path-length", "no authority stands too high", f"{_CA} (m)")
CRITICAL = Rule("gpu.chain.critical", "every critical extension is known", f"{_CA} (o)")
ARCHITECTURE = Rule(
    "gpu.chain.architecture", "NVIDIA's authorities are those of a known architecture", _NVIDIA
)
CLAIMED = Rule("gpu.chain.claimed", "the architecture is the one that the collector says", _NVIDIA)
MODEL = Rule("gpu.chain.model", "chip and firmware are of the architecture", _NVIDIA)
FWID_ABSENT = Rule("gpu.leaf.fwid.absent", "the leaf says which firmware its key is of", _NVIDIA)
FWID = Rule(
    "gpu.leaf.fwid",
    "the leaf says it in the form of a CompositeDeviceID",
    "TCG Implicit Identity Based Device Attestation; NVIDIA attestation-sdk, CompositeDeviceId",
)

LENGTH_OF_CHAIN = 5
CHIPS: Mapping[str, str] = {"HOPPER": "GH100"}  # as NVIDIA's tools name the architecture
_FWID = x509.ObjectIdentifier(layout.FWID_OID)
_LIMIT = 8  # certificates that are read at all, to say how many there are

Certificates = Sequence[x509.Certificate]


@dataclass(frozen=True, slots=True)
class DeviceChain:
    """The five, leaf first, and what they say of the GPU.

    `arch` and `chip`: "HOPPER" and "GH100", or nothing for others. `hwmodel`: the name of the
    chip's certificate. `ueid`: the leaf's serial number. `fwid`: digest of the leaf's firmware.
    """

    certificates: tuple[x509.Certificate, ...]
    arch: str | None
    chip: str | None
    hwmodel: str
    ueid: str
    fwid: bytes | None

    @property
    def key(self) -> PublicKeyTypes:
        """The key that signs reports."""
        return certificates.public_key(self.certificates[0])

    @property
    def issued(self) -> tuple[tuple[x509.Certificate, x509.Certificate], ...]:
        """Certificate and issuer, of those that NVIDIA answers for by OCSP: neither leaf nor root.

        (NVIDIA OCSP service: it serves no leaf.)
        """
        return tuple(zip(self.certificates[1:-1], self.certificates[2:], strict=True))


def verify(
    chain: bytes, root: Anchor, at: datetime, checks: Checks, *, arch: str | None = None
) -> Outcome[DeviceChain] | None:
    """Check a GPU's certificates (PEM) at a time; None if they cannot be told apart.

    `arch`: what the collector says, if it says. Whether they are revoked the caller still owes.
    """
    since = checks.mark()
    read = partial(certificates.load_chain, rule=READABLE, limit=_LIMIT)
    found = checks.read(READABLE, read, chain, "PEM certificates")
    if found is None:
        return None
    names = [usage.shown(each) for each in found]
    if not checks.that(LENGTH, len(found) == LENGTH_OF_CHAIN, LENGTH_OF_CHAIN, names):
        return None
    actual = certificates.anchor(found[-1])
    checks.that(ROOT, actual == root, _named(root), _named(actual))
    _check_links(found, root, checks)
    _check_each(found, at, checks)
    architecture, chip = _architecture(found, checks)
    if arch is not None and architecture is not None:
        checks.equal(CLAIMED, arch.upper(), architecture)
    value = DeviceChain(
        certificates=found,
        arch=architecture,
        chip=chip,
        hwmodel=_common_name(found[1]),
        ueid=str(certificates.serial(found[0])),
        fwid=_checked_fwid(found[0], checks),
    )
    return checks.vouch(value, since)


def _check_links(found: Certificates, root: Anchor, checks: Checks) -> None:
    keys = [
        *(certificates.public_key(each) for each in found[1:-1]),
        signatures.pinned_key(root.spki),
    ]
    below, above = found[:-1], found[1:]
    named = [one.issuer == other.subject for one, other in zip(below, above, strict=True)]
    _all(ISSUER, below, named, "issued by the next", checks)
    _all(ALGORITHM, found, map(_by_ecdsa, found), "ECDSA with SHA-384", checks)
    signed = [signatures.of_certificate(key, one) for one, key in zip(below, keys, strict=True)]
    _all(SIGNATURE, below, signed, "signed by the next", checks)


def _check_each(found: Certificates, at: datetime, checks: Checks) -> None:
    leaf, authorities = found[:1], found[1:]
    on_curve = [signatures.on_p384(certificates.public_key(each)) for each in found]
    _all(KEY, found, on_curve, "keys on P-384", checks)
    valid = [each.not_valid_before_utc <= at <= each.not_valid_after_utc for each in found]
    _all(DATES, found, valid, f"valid at {shown(at)}", checks)
    _all(AUTHORITY, authorities, map(usage.is_authority, authorities), "authorities", checks)
    _all(END, leaf, map(usage.signs_data, leaf), "signs data, is no authority", checks)
    low = [usage.may_stand_above(below, each) for below, each in enumerate(authorities)]
    _all(PATH_LENGTH, authorities, low, "no higher than allowed", checks)
    _all(CRITICAL, found, map(usage.is_understood, found), "known", checks)


def _all(
    rule: Rule, those: Certificates, held: Iterable[bool], expected: str, checks: Checks
) -> None:
    """Record one check of several certificates; where it fails, it names those that fail it."""
    failing = [usage.shown(each) for each, holds in zip(those, held, strict=True) if not holds]
    actual = f"not: {'; '.join(failing)}" if failing else expected
    checks.that(rule, not failing, expected, actual)


def _by_ecdsa(found: x509.Certificate) -> bool:
    return found.signature_algorithm_oid.dotted_string == signatures.ECDSA_SHA384


def _architecture(found: Certificates, checks: Checks) -> tuple[str | None, str | None]:
    """The architecture that NVIDIA's two authorities are for, if chip and firmware are of it."""
    names = [_common_name(each) for each in found]
    known = {chip: arch for arch, chip in CHIPS.items()}
    chip = next((chip for chip in known if names[3] == f"NVIDIA {chip} Identity"), None)
    same = chip is not None and names[2].startswith(f"NVIDIA {chip} ")
    checks.that(ARCHITECTURE, same, sorted(known), names[2:4])
    if chip is None:
        return None, None
    of_it = all(name.startswith(f"{chip} ") for name in names[:2])
    checks.that(MODEL, of_it, f"names of {chip}", names[:2])
    return known[chip], chip


def _checked_fwid(leaf: x509.Certificate, checks: Checks) -> bytes | None:
    extension = usage.extension(leaf, _FWID)
    present = isinstance(extension, x509.UnrecognizedExtension)
    checks.that(FWID_ABSENT, present, layout.FWID_OID, layout.FWID_OID if present else None)
    if not isinstance(extension, x509.UnrecognizedExtension):
        return None
    return checks.read(FWID, _fwid, extension.value, "a CompositeDeviceID")


def _fwid(raw: bytes) -> bytes:
    if len(raw) != layout.FWID_EXTENSION_SIZE:
        raise Malformed(FWID, f"{layout.FWID_EXTENSION_SIZE} bytes", f"{len(raw)} bytes")
    for name, constant in layout.FWID_CONSTANTS.items():
        actual = layout.FWID_EXTENSION[name].of(raw)
        if actual != constant:
            raise Malformed(FWID, constant, actual)
    return layout.FWID_EXTENSION["fwid"].of(raw)


def _common_name(found: x509.Certificate) -> str:
    names = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return ", ".join(str(name.value) for name in names)


def _named(anchor: Anchor) -> str:
    return f"{anchor.subject}, SHA-256 {anchor.sha256.hex()}"
