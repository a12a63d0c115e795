"""`verify --each`: verdicts on many pieces of evidence; one that is unreadable stops no other."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ccgpu.attest.appraisal import Appraisal
from ccgpu.attest.evidence_result import EvidenceResult
from ccgpu.domain.bundle import SCHEMA
from ccgpu.errors import (
    CcgpuError,
    EvidenceRejected,
    EvidenceUnavailable,
    InternalError,
    InvalidFile,
    UsageProblem,
)
from ccgpu.workflows.verify import VerifyResult

MAX_SOURCES = 10_000  # verdicts of one run: all of them are kept until the end
_BUNDLE = SCHEMA.encode()
_HEAD_BYTES = 4096  # bytes of a file that are looked at to know a bundle

_MAX_PROBLEMS = 20  # problems of unreadable files that the one error names; the table has all files

# The exit code of many is the first of these that any of them ended with.
WORST_FIRST = (
    EvidenceRejected.exit_code,
    InternalError.exit_code,
    EvidenceUnavailable.exit_code,
    InvalidFile.exit_code,
    UsageProblem.exit_code,
)


def sources(paths: Sequence[Path]) -> list[Path]:
    """The evidence to verify: each path, or each bundle of a folder that holds several.

    `UsageProblem` if that is more than one run keeps.
    """
    paths_found = [source for path in paths for source in _sources(path)]
    if len(paths_found) > MAX_SOURCES:
        raise UsageProblem(
            f"{len(paths_found)} pieces of evidence: one run verifies at most {MAX_SOURCES}",
            hint="give fewer, in several runs",
        )
    return paths_found


def _sources(path: Path) -> list[Path]:
    try:
        files = sorted(path.glob("*.json")) if path.is_dir() else []
        bundles = [file for file in files if _is_bundle(file)]
    except OSError:
        return [path]  # reading it says why
    return bundles if len(bundles) > 1 else [path]


def _is_bundle(file: Path) -> bool:
    with file.open("rb") as stream:
        return _BUNDLE in stream.read(_HEAD_BYTES)


def verify_all(
    paths: Sequence[Path], verify: Callable[[Path], VerifyResult]
) -> Iterator[EvidenceResult]:
    """Verify one after the other; an error becomes the result of its path."""
    for path in paths:
        try:
            result = verify(path)
        except CcgpuError as err:
            yield EvidenceResult(str(path), error=err)
            continue
        except Exception as err:  # noqa: BLE001  # a bug with one leaves no other unjudged
            yield EvidenceResult(str(path), error=InternalError.of(err))
            continue
        evidence = result.evidence
        yield EvidenceResult(
            str(path),
            result.appraisal,
            evidence.format,
            evidence.ignored,
            _refusal(result.appraisal),
        )


def _refusal(appraisal: Appraisal) -> CcgpuError | None:
    try:
        appraisal.require()
    except CcgpuError as err:
        return err
    return None


def worst_exit_code(results: Sequence[EvidenceResult]) -> int:
    """The exit code of all of them: 9 outranks 1 (a bug), then 8, 3, 2; 0 if all are good."""
    codes = {one.exit_code for one in results}
    return next((code for code in WORST_FIRST if code in codes), max(codes, default=0))


def require_all(results: Sequence[EvidenceResult]) -> None:
    """Raise the error for the worst exit code, unless all were accepted."""
    code = worst_exit_code(results)
    if not code:
        return
    failed = [one for one in results if one.error is not None]
    rejected = sum(one.exit_code == EvidenceRejected.exit_code for one in failed)
    message = f"{len(failed)} of {len(results)} not accepted"
    message += f", {rejected} of them rejected" if rejected else ""
    errors = [one.error for one in failed if one.error is not None and one.exit_code == code]
    raise _combined_error(errors, message)


def _combined_error(errors: Sequence[CcgpuError], message: str) -> CcgpuError:
    """One error for several of the same exit code."""
    first = errors[0]
    hint = "see what to do about each: `-v`, or `-o json`"
    if isinstance(first, EvidenceRejected):
        return EvidenceRejected(message, hint=hint)
    if isinstance(first, EvidenceUnavailable):
        return EvidenceUnavailable(message, hint=hint)
    if isinstance(first, InvalidFile):
        unread = [err for err in errors if isinstance(err, InvalidFile)]
        problems = [replace(each, source=err.source) for err in unread for each in err.problems]
        return InvalidFile(message, problems[:_MAX_PROBLEMS], hint=first.hint)
    return first
