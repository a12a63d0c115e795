"""The four certificates behind a simulated signer of manifests. NVIDIA issued none of it.

Names, serial numbers and extensions follow the certificates in NVIDIA's manifests for GH100.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from ccgpu.fakeguest.evidence import nvidia_pki, pki
from ccgpu.fakeguest.evidence.pki import (
    ECDSA_SHA384,
    CertificateTemplate,
    ChainTemplate,
    X509Extension,
)

SIGNER, L3, L2, ROOT = range(4)

_NAMES = (
    "HCC RIM L4 Signer",
    "NVIDIA Reference Value L3 GH100 002",
    "NVIDIA Reference Value GH100 CA",
    "NVIDIA CoRIM signing Root CA",
)
_SERIALS = (0xD69F10B46C05D202, 0xB4EBF6542022FDEC, 0xC6DBF0754093FDEB, 0x45DAE3A00E5037BD)
_DATES = (
    (datetime(2025, 6, 1, tzinfo=UTC), datetime(2027, 6, 1, tzinfo=UTC)),
    (datetime(2023, 10, 31, tzinfo=UTC), datetime(2030, 4, 30, tzinfo=UTC)),
    (datetime(2023, 5, 11, tzinfo=UTC), datetime(2033, 5, 11, tzinfo=UTC)),
    (datetime(2023, 3, 16, tzinfo=UTC), datetime(2053, 3, 8, tzinfo=UTC)),
)


def make_chain(
    until: datetime | None = None, keys: Sequence[ec.EllipticCurvePrivateKey] | None = None
) -> ChainTemplate:
    """The chain of a signer, SIGNER to ROOT.

    until: when every certificate expires; None for the dates of NVIDIA's. keys: else new ones.
    """
    keys = tuple(nvidia_pki.new_key() for _ in _NAMES) if keys is None else keys
    certificates = tuple(
        _certificate_template(position, keys[position]) for position in range(len(keys))
    )
    if until is not None:
        certificates = tuple(replace(each, not_after=until) for each in certificates)
    return ChainTemplate(
        keys=keys,
        certificates=certificates,
        signers=(*keys[1:], keys[ROOT]),
        root=certificates[ROOT].signed_by(keys[ROOT]),
    )


def _certificate_template(position: int, key: pki.PrivateKey) -> CertificateTemplate:
    above = min(position + 1, ROOT)
    start, end = _DATES[position]
    return CertificateTemplate(
        subject=nvidia_pki.nvidia_name(_NAMES[position], _organization(position)),
        issuer=nvidia_pki.nvidia_name(_NAMES[above], _organization(above)),
        key=pki.public_key_info(key),
        not_before=start,
        not_after=end,
        extensions=_extensions(position),
        serial=_SERIALS[position],
        algorithm=ECDSA_SHA384,
    )


def _extensions(position: int) -> tuple[X509Extension, ...]:
    if position == SIGNER:
        data = nvidia_pki.key_usage(nvidia_pki.SIGNS_DATA)
        return (nvidia_pki.basic_constraints(ca=False), data)
    path_length = 0 if position == L3 else None
    certificates = nvidia_pki.key_usage(nvidia_pki.SIGNS_CERTIFICATES, "crl_sign")
    return (nvidia_pki.basic_constraints(ca=True, path_length=path_length), certificates)


def _organization(position: int) -> Any:
    return (NameOID.ORGANIZATION_NAME, "NVIDIA") if position == ROOT else nvidia_pki.OWNER
