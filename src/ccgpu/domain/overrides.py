"""Flags that loosen a policy. The verdict lists each one as `unsafe_…`."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Overrides:
    """The `--unsafe-…` flags of `verify`; each sets the policy field of its name.

    `short_nonce`: a nonce of less than 32 bytes is enough. `skip_ocsp`: the revocation of NVIDIA's
    certificates is not checked. `known_nonce`: a GPU may answer a nonce that NVIDIA published.
    `trust_identity`, `trust_nonce`: vmId and host key, or the nonce, may be the word of the
    evidence's maker.
    """

    short_nonce: bool = False
    skip_ocsp: bool = False
    known_nonce: bool = False
    trust_identity: bool = False
    trust_nonce: bool = False
