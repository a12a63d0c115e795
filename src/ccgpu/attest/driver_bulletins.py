"""NVIDIA's driver security bulletins as dated data: the first fixed driver of each branch.

NVIDIA fixes some branches and ends others. A driver of a branch that is not listed has the fixes
only if its branch is newer than all that are.
Second-hand, from Flatcar's tracking of NVIDIA's bulletin (flatcar/Flatcar#2155, 2026-06-01).
"""

from collections.abc import Sequence
from datetime import UTC, datetime

DATE = "2026-11-28"
# NVIDIA publishes every quarter: older data has missed two rounds. Read anew by then.
REVIEW_BY = datetime(2027, 5, 31, tzinfo=UTC)

BULLETIN = "NVIDIA GPU Display Driver bulletin of May 2026 (CVE-2026-24187 and others)"
FIXED = ("535.309.01", "580.159.03", "595.71.05")
_DIGITS = 9  # of one part


def has_fixes(driver: str, fixed: Sequence[str] = FIXED) -> bool:
    """Whether `driver` is at least the fixed one of its branch, or of a newer branch than all."""
    floors = {version_numbers(each)[0]: version_numbers(each) for each in fixed}
    if not floors:
        return True
    own = version_numbers(driver)
    if own[0] in floors:
        return own >= floors[own[0]]
    return own[0] > max(floors)


def version_numbers(version: str) -> tuple[int, ...]:
    """The parts of a version as numbers; -1, older than any, for a part that is no number."""
    return tuple(
        int(part) if part.isascii() and part.isdigit() and len(part) <= _DIGITS else -1
        for part in version.split(".")
    )
