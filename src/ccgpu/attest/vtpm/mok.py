"""Whether shim verifies what it starts: its variable MokSBState, as it was measured.

With secure boot on, MokSBState can still tell shim to start unsigned images. shim (mok.c) measures
the variable to PCR 7 with its name and to PCR 14 without, if it is set. Since names in a log are
not measured, the digests themselves are compared: 255 of 256 values turn verification off.
"""

import hashlib
from collections.abc import Iterable
from functools import cache
from typing import Literal

from ccgpu.attest.vtpm.eventlog import PcrEvent

MokState = Literal["absent", "enforcing", "not enforcing"]

PCRS = (7, 14)
_NAME = "MokSBState"
_SHIM_LOCK = bytes.fromhex("50ab5d6046e00043abb63dd810dd8b23")


def mok_state(events: Iterable[PcrEvent]) -> MokState:
    """The state by the events of PCR 7 and 14: any value but 0 turns verification off."""
    values = _known_digests()
    measured = {values[event.digest] for event in events if event.digest in values}
    if not measured:
        return "absent"
    return "enforcing" if measured == {0} else "not enforcing"


@cache
def _known_digests() -> dict[bytes, int]:
    """The value of MokSBState for each digest that shim may measure."""
    digests = {}
    for value in range(256):
        content = bytes((value,))
        for measured in (content, _variable(content)):
            digests[hashlib.sha256(measured).digest()] = value
    return digests


def _variable(content: bytes) -> bytes:
    """The variable as UEFI_VARIABLE_DATA (PFP, §10.2.6)."""
    sizes = len(_NAME).to_bytes(8, "little") + len(content).to_bytes(8, "little")
    return _SHIM_LOCK + sizes + _NAME.encode("utf-16-le") + content
