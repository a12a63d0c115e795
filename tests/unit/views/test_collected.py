"""What a garbage collection tells people: each deployment with its reason, then the counts."""

import io

import pytest
from rich.console import Console

from ccgpu.domain.garbage import Collected
from ccgpu.domain.lease import Lease
from ccgpu.domain.resource import ResourceId
from ccgpu.views import collected, extended

_AGAIN = "`ccgpu gc --yes`"
_LEASE = Lease("2026-10-01T12:00:00Z", "2026-10-01T04:00:00Z")
_NSG = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/x/demo-nsg")


def _render(renderable):
    out = io.StringIO()
    Console(file=out, width=80, color_system=None).print(renderable)
    return out.getvalue()


@pytest.mark.parametrize(
    ("one", "said", "counted"),
    [
        (
            Collected("demo", "g", "expired", _LEASE, "removed", (_NSG,)),
            "demo in g: expired 2026-10-01T12:00:00Z",
            "1 deleted",
        ),
        (
            Collected("demo", "g", "orphaned", _LEASE, "would-remove", (_NSG,)),
            "demo in g: orphaned: created 2026-10-01T04:00:00Z, and without a VM since",
            "1 to delete; `ccgpu gc --yes` deletes them",
        ),
        (
            Collected("demo", "g", None, _LEASE, "skipped", reason="it is young"),
            "demo in g: left alone; it is young",
            "1 left alone",
        ),
        (
            Collected("demo", "g", None, _LEASE, "failed", reason="no"),
            "demo in g: no",
            "1 failed",
        ),
        (
            Collected("\x1b[1m", "g", "expired", Lease("\x1b[2m"), "skipped", reason="\x1b[3m"),
            "\\x1b[1m in g: expired \\x1b[2m; left alone; \\x1b[3m",
            "1 left alone",
        ),
    ],
)
def test_each_deployment_is_shown_with_its_reason(one, said, counted):
    lines = _render(collected.as_text([one], _AGAIN)).splitlines()
    assert lines[0].rstrip() == said
    assert lines[-1].rstrip() == counted
    assert ("demo-nsg" in "".join(lines)) is bool(one.resources)
    assert [line.strip() for line in lines].count("") == 1  # before the counts


def test_an_unparsable_expiry_tag_is_shown_as_text():
    assert "\\x1b[2m" in _render(extended.as_text("demo", "g", "\x1b[2m", "now"))
