"""The host names of vaults and of attestation services."""

import re
from collections.abc import Callable

VAULT = re.compile(r"(?P<name>[a-z0-9-]+)\.vault\.(azure\.net|usgovcloudapi\.net|azure\.cn)")
ATTESTATION = re.compile(r"[a-z0-9.-]+\.attest\.azure\.(net|us)")

KeySets = Callable[[], bytes]  # what the tokens of the attestation services are verified with


def is_known_host(host: str) -> bool:
    """Whether the host is a vault's or an attestation service's."""
    return any(one.fullmatch(host) for one in (VAULT, ATTESTATION))
