"""A verdict as one HTML page for an auditor. Pure: the same verdict gives the same bytes.

The page loads nothing and runs nothing, which its own Content-Security-Policy enforces: it allows
the one style sheet in it, by its hash. All text passes `_plain` and is then escaped, whoever wrote
it. No part of the drawing is marked good unless `attest.trust_chain` says so.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from ccgpu import __version__
from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.appraise import AT_BUNDLE
from ccgpu.attest.attestation import Attestation
from ccgpu.attest.check import Check, format_value
from ccgpu.attest.simulated import simulated_roots
from ccgpu.attest.trust_anchors import TRUST_ANCHORS
from ccgpu.attest.trust_chain import judge_chain
from ccgpu.attest.validity import validity_periods
from ccgpu.domain.evidence import Evidence
from ccgpu.domain.plain_text import one_line
from ccgpu.views import verdict, workload_events
from ccgpu.views.check_groups import group_checks, group_of
from ccgpu.views.remedies import remedies
from ccgpu.views.repeated_verify import RepeatedVerify
from ccgpu.views.report_chain import BAR_WIDTH, BOX_HEIGHT, WIDTH, draw_chain, draw_periods

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True, slots=True)
class ReportSubject:
    """What a report is about.

    policy_sha256, evidence_sha256: of the files, in hex; None for a folder of evidence, and for
    evidence that is not kept. attested: None if the evidence was not collected just now.
    """

    appraised: verdict.AppraisedEvidence
    evidence: Evidence
    policy_sha256: str
    again: RepeatedVerify
    evidence_sha256: str | None = None
    attested: Attestation | None = None


def as_html(subject: ReportSubject, complete: Callable[[str], str] = str) -> str:
    """The page. `complete` completes commands in advice."""
    environment = _environment()
    style = environment.get_template("report.css").render()
    appraisal = subject.appraised.appraisal
    at = format_value(appraisal.at)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template("report.html.j2").render(
        style=style,
        style_hash=digest,
        version=__version__,
        subject=subject,
        appraisal=appraisal,
        at=at,
        word=verdict.verdict_word(appraisal),
        simulated=verdict.simulated_line() if appraisal.simulated else None,
        unsafe=list(_unsafe(appraisal)),
        groups=_groups(appraisal.checks),
        failures=_failures(subject, complete),
        rests_on=verdict.trust_basis_words(appraisal),
        command=subject.again.lines("bundle" if AT_BUNDLE in appraisal.unsafe else at),
        steps=_steps(subject.attested),
        width=WIDTH,
        box_height=BOX_HEIGHT,
        command_text=workload_events.command_text,
        model_text=workload_events.model_text,
        bar_width=BAR_WIDTH,
        **_drawings(subject),
    )


def _drawings(subject: ReportSubject) -> dict[str, Any]:
    appraisal, evidence = subject.appraised.appraisal, subject.evidence
    chain = judge_chain(appraisal, len(evidence.gpus))
    roots = simulated_roots(evidence) if appraisal.simulated else None
    periods = validity_periods(evidence, appraisal.at, roots or TRUST_ANCHORS)
    return {
        "columns": draw_chain(chain, simulated=appraisal.simulated),
        "periods": draw_periods(periods, chain, appraisal.at),
    }


def _groups(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """The checks by group, each with its number on the page."""
    numbered = [*enumerate(checks, 1)]
    return [
        {
            "name": name,
            "checks": [pair for pair in numbered if group_of(pair[1].id) == name],
            "failed": sum(not check.ok for check in members),
        }
        for name, members in group_checks(checks).items()
    ]


def _failures(subject: ReportSubject, complete: Callable[[str], str]) -> list[dict[str, Any]]:
    """Each reason code that failed, with the first of its checks and what to do."""
    checks = subject.appraised.appraisal.checks
    first = {
        check.id: number for number, check in reversed([*enumerate(checks, 1)]) if not check.ok
    }
    return [
        {"number": first[id_], "check": checks[first[id_] - 1], "to_do": complete(to_do)}
        for id_, to_do in remedies(checks, subject.appraised.source).items()
    ]


def _unsafe(appraisal: Appraisal) -> Iterator[str]:
    for field, words in appraisal.loosened.items():
        yield f"{field}: {words}"
    yield from (each for each in appraisal.unsafe if each not in appraisal.loosened)


def _steps(attested: Attestation | None) -> list[tuple[str, str]]:
    """What was done, in order; empty if the evidence was not collected just now."""
    if attested is None:
        return []
    times = attested.times
    steps = [
        ("challenge sent", format_value(attested.challenge.sent_at)),
        ("evidence collected", f"in {times.collect:.3f} s"),
        ("collateral fetched", f"in {times.collateral:.3f} s"),
        ("verified", f"in {times.verify:.3f} s"),
        ("time of the verdict", format_value(attested.appraisal.at)),
        ("GPU", "set ready" if attested.gpu_ready else "not set ready"),
    ]
    if attested.problem is not None:
        steps.append(("not usable", str(attested.problem)))
    return steps


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("ccgpu", "templates/report"),
        autoescape=True,
        finalize=_plain,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _plain(value: object) -> object:
    """Text without control and format characters. Markup of the page's own stays as it is."""
    return value if hasattr(value, "__html__") else one_line(str(value))
