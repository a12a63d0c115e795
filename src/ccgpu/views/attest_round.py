"""One round of `ccgpu attest --every`, as one line of text and as one line of JSON."""

from dataclasses import dataclass
from typing import Any

from ccgpu.attest.attestation import Attestation
from ccgpu.domain.plain_text import one_line
from ccgpu.errors import CcgpuError


@dataclass(frozen=True, slots=True)
class AttestRound:
    """The outcome of one round.

    number: from 1. name: the deployment's. time: when it ended, RFC 3339. judged: None without
    evidence that could be judged. error: what a single `attest` would have ended with; None if the
    VM was accepted. next_at: when the next round begins; None if this was the last one.
    """

    number: int
    name: str
    time: str
    judged: Attestation | None
    error: CcgpuError | None
    next_at: str | None

    @property
    def verdict(self) -> str:
        """`accepted`, `rejected` or `no_verdict`. A VM that is accepted may not be ready yet."""
        return "no_verdict" if self.judged is None else self.judged.appraisal.verdict

    @property
    def reasons(self) -> tuple[str, ...]:
        """The codes of the checks that failed."""
        return () if self.judged is None else self.judged.appraisal.reasons

    @property
    def policy(self) -> str | None:
        """The name of the policy, if it was applied."""
        return None if self.judged is None else self.judged.appraisal.policy

    @property
    def bundle(self) -> str | None:
        """The path of the recorded evidence."""
        return None if self.judged is None else self.judged.bundle


def as_line(done: AttestRound) -> str:
    """For example `2026-01-01T00:21:50Z demo accepted by policy default; next at …`."""
    simulated = done.judged is not None and done.judged.appraisal.simulated
    parts = [f"{done.time} {done.name} {'SIMULATED ' if simulated else ''}{_outcome(done)}"]
    if done.error is None and done.judged is not None and done.judged.until is not None:
        parts.append(f"counts until {done.judged.until} at the latest")
    parts.append("this was the last round" if done.next_at is None else f"next at {done.next_at}")
    return one_line("; ".join(parts))


def _outcome(done: AttestRound) -> str:
    if done.error is None:
        return f"accepted by policy {done.policy}"
    first, *_ = str(done.error).splitlines() or [""]
    failed = {"rejected": "REJECTED", "accepted": "NOT READY"}.get(done.verdict, "NO VERDICT")
    return f"{failed}: {first} (exit code {done.error.exit_code})"


def as_json(done: AttestRound) -> dict[str, Any]:
    """The JSON document `ccgpu.attest-round/1`."""
    judged, error = done.judged, done.error
    return {
        "schema": "ccgpu.attest-round/1",
        "round": done.number,
        "name": done.name,
        "time": done.time,
        "verdict": done.verdict,
        "simulated": judged is not None and judged.appraisal.simulated,
        "reasons": list(done.reasons),
        "policy": done.policy,
        "until": None if judged is None else judged.until,
        "gpu_ready": judged is not None and judged.gpu_ready,
        "bundle": done.bundle,
        "exit_code": 0 if error is None else error.exit_code,
        "error": None if error is None else {"code": error.code, "message": str(error)},
        "next_at": done.next_at,
    }
