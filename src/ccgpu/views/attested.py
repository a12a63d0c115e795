"""An attestation, as text and as JSON: `verify`'s verdict, and what was done with it."""

from collections.abc import Callable
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.attest.attestation import Attestation
from ccgpu.domain import hostkey
from ccgpu.domain.plain_text import one_line
from ccgpu.views import verdict
from ccgpu.views.tables import Grid


def as_text(judged: Attestation, *, verbose: bool = False) -> RenderableType:
    """The verdict, then the VM, its host key, its GPU and the times."""
    rows = Grid()
    for name, value in _facts(judged).items():
        rows.add_row(name, Text(one_line(value)))
    parts = [verdict.as_text(appraised(judged), verbose=verbose), Text(), rows]
    if (line := _known_hosts_line(judged)) is not None:
        parts += [Text(), Text("known_hosts:"), Text(line, no_wrap=True, overflow="ignore")]
    return Group(*parts)


def as_json(judged: Attestation, complete: Callable[[str], str] = str) -> dict[str, Any]:
    """The JSON document `ccgpu.attest/1`: all members of `ccgpu.verdict/1`, and more."""
    times, challenge = judged.times, judged.challenge
    return {
        **verdict.as_json(appraised(judged), complete),
        "schema": "ccgpu.attest/1",
        "name": judged.name if judged.host is None else None,
        "host": None if judged.host is None else str(judged.host),
        "vm_id": challenge.vm_id,
        "nonce": challenge.nonce.hex(),
        "host_key": _fingerprint(judged),
        "known_hosts": _known_hosts_line(judged),
        "gpu_ready": judged.gpu_ready,
        "bundle": judged.bundle,
        "pins": None if judged.pins is None else judged.pins.path,
        "until": judged.until,
        "seconds": {
            "collect": round(times.collect, 3),
            "collateral": round(times.collateral, 3),
            "verify": round(times.verify, 3),
        },
    }


def appraised(judged: Attestation) -> verdict.AppraisedEvidence:
    """The verdict, as the view of verdicts takes it."""
    return verdict.AppraisedEvidence(judged.appraisal, judged.bundle or "BUNDLE", "bundle")


def _facts(judged: Attestation) -> dict[str, str]:
    times = judged.times
    accepted = judged.appraisal.verdict == "accepted"
    key = f"{_fingerprint(judged)} ({'attested' if accepted else 'not attested'})"
    took = (
        f"collected in {times.collect:.1f} s, collateral in {times.collateral:.1f} s, "
        f"verified in {times.verify:.2f} s"
    )
    facts = {} if judged.host is None else {"host": str(judged.host)}
    facts |= {"VM id": judged.challenge.vm_id or "not known", "SSH host key": key}
    facts["GPU"] = "ready" if judged.gpu_ready else "not set ready"
    if judged.pins is not None:
        facts["golden PCR values"] = judged.pins.path
    if judged.bundle is not None:
        facts["evidence"] = judged.bundle
    if judged.until is not None:
        facts["counts until"] = f"{judged.until} at the latest"
    return facts | {"time": took}


def _known_hosts_line(judged: Attestation) -> str | None:
    """The line of known_hosts for the attested key of a machine of no deployment."""
    if judged.host is None or judged.appraisal.verdict != "accepted":
        return None
    return judged.host.known_hosts_line(judged.challenge.host_key)


def _fingerprint(judged: Attestation) -> str:
    return hostkey.fingerprint(hostkey.sha256(judged.challenge.host_key))
