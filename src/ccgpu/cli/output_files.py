"""The files that `attest` and `verify` write besides their answer: a bundle, and a report."""

import hashlib
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.new_paths import new_path
from ccgpu.cli.option_groups import OptionGroup
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.saving import Saving, SignOption, open_saving
from ccgpu.cli.verify_options import AppraisalOptions
from ccgpu.domain.overrides import Overrides
from ccgpu.errors import UsageProblem
from ccgpu.store.bundles import signature_beside

if TYPE_CHECKING:
    from ccgpu.attest.appraisal import Appraisal
    from ccgpu.attest.attestation import Attestation
    from ccgpu.domain.evidence import Evidence
    from ccgpu.views.repeated_verify import RepeatedVerify
    from ccgpu.views.report import ReportSubject
    from ccgpu.views.verdict import AppraisedEvidence
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.verify import VerifyResult

_UNSAFE_FLAGS = {
    "short_nonce": "--unsafe-short-nonce",
    "skip_ocsp": "--unsafe-skip-ocsp",
    "known_nonce": "--unsafe-known-nonce",
    "trust_identity": "--unsafe-trust-bundle-identity",
    "trust_nonce": "--unsafe-trust-bundle-nonce",
}


@dataclass(frozen=True, slots=True)
class OutputFiles:
    """The files to write; None for those that nobody asked for."""

    save: Path | None
    report: Path | None
    sign: Path | None = None  # the key; the signature is a file beside the bundle
    saving: Saving | None = None  # once `prepare` has looked at the files

    def prepare(self, runtime: Runtime, record: Path | None = None) -> "OutputFiles":
        """Refuse files that exist, or have no folder, and keys that cannot sign.

        record: a file of golden PCR values that is written, too.

        Raises:
            UsageProblem: One exists or has no folder, two are the same, there is nothing to sign,
                or the key's password is wrong.
            InvalidFile: The key's file holds no key that can sign.
        """
        self._require_new(record)
        return replace(self, saving=open_saving(runtime, self.save, self.sign))

    def _require_new(self, record: Path | None) -> None:
        named = {"--save": self.save, "--report": self.report, "--record": record}
        if self.save is not None and self.sign is not None:
            named["--sign"] = signature_beside(self.save)
        seen: dict[Path, str] = {}
        for option_name, path in named.items():
            if path is None:
                continue
            if os.path.lexists(path):
                raise UsageProblem(f"{path} already exists", hint="name another file")
            if not path.parent.is_dir():
                hint = "make it, or name another file"
                raise UsageProblem(f"{path.parent} is no folder", hint=hint)
            if path in seen:
                both = f"{seen[path]} and {option_name} name the same file"
                raise UsageProblem(both, hint="name two files")
            seen[path] = option_name

    def named(self) -> dict[str, Path | None]:
        """The files and the key, by option."""
        return {"save": self.save, "sign": self.sign, "report": self.report}

    def write_bundle(self, evidence: "Evidence", appraisal: "Appraisal") -> None:
        """Write the bundle and its signature, if they are asked for."""
        if self.saving is not None:
            self.saving.write(evidence, appraisal)

    def require_signed(self) -> None:
        """Raise what prevented the signature: after the verdict, which outranks it."""
        if self.saving is not None and self.saving.failed is not None:
            raise self.saving.failed


def _output_files(
    save: Annotated[
        Path | None, new_path("Save evidence and verdict as a bundle.", "--save")
    ] = None,
    sign: SignOption = None,
    report: Annotated[
        Path | None,
        new_path("Write the verdict as an HTML page for auditors.", "--report"),
    ] = None,
) -> OutputFiles:
    return OutputFiles(save, report, sign)


FileArguments = Annotated[OutputFiles, OptionGroup(_output_files)]


def write_attested(
    runtime: Runtime, files: OutputFiles, judged: "Attestation", means: "AttestMeans"
) -> None:
    """Write the files of an attestation, whatever its verdict."""
    from ccgpu.views import attested as view

    appraised, means = view.appraised(judged), means.used_for(judged)
    files.write_bundle(judged.evidence, judged.appraisal)
    if files.report is not None:
        from ccgpu.domain import hostkey
        from ccgpu.store import bundles
        from ccgpu.views.repeated_verify import RepeatedVerify
        from ccgpu.views.report import ReportSubject
        from ccgpu.workflows.verify import make_bundle

        kept, challenge = files.save or judged.bundle, judged.challenge
        bundle = bundles.encode(make_bundle(judged.evidence, judged.appraisal))
        again = RepeatedVerify(
            source=None if kept is None else str(kept),
            policy=means.policy_name,
            nonce=challenge.nonce.hex(),
            vm_id=challenge.vm_id,
            host_key=hostkey.fingerprint(hostkey.sha256(challenge.host_key)),
            flags=tuple(attest_flags(means)),
        )
        subject = ReportSubject(
            appraised,
            judged.evidence,
            _policy_sha256(appraised, means.policy.name),
            again,
            None if kept is None else hashlib.sha256(bundle).hexdigest(),
            judged,
        )
        _write_report(files.report, runtime, subject)


def write_verified(
    runtime: Runtime,
    files: OutputFiles,
    result: "VerifyResult",
    shown: "AppraisedEvidence",
    again: "RepeatedVerify",
) -> None:
    """Write the files of a verdict, whichever it is; note if its evidence notes another one."""
    from ccgpu.views.verdict import differing_note

    files.write_bundle(result.evidence, result.appraisal)
    if (line := differing_note(result.appraisal, result.evidence.noted)) is not None:
        runtime.note(line)
    if files.report is not None:
        from ccgpu.views.report import ReportSubject

        policy_sha256 = _policy_sha256(shown, again.policy)
        sha256 = result.evidence.file_sha256  # of what was judged: the file may be another now
        subject = ReportSubject(shown, result.evidence, policy_sha256, again, sha256)
        _write_report(files.report, runtime, subject)


def repeated_verify(
    source: str, given: AppraisalOptions, result: "VerifyResult", *, simulated: bool
) -> "RepeatedVerify":
    """The command line that gives a verdict of `verify` again. source: as it names the evidence."""
    flags = (*_flags(given), *(("--backend fake",) if simulated else ()))
    return repeated_verdict(source, given.policy or "default", result, flags)


def repeated_verdict(
    source: str, policy: str, result: "VerifyResult", flags: Sequence[str]
) -> "RepeatedVerify":
    """The command line that gives a verdict on a file again. flags: as a shell reads them."""
    from ccgpu.domain import hostkey
    from ccgpu.views.repeated_verify import RepeatedVerify

    caller = result.caller
    return RepeatedVerify(
        source=source,
        policy=policy,
        nonce=None if caller.nonce is None else caller.nonce.hex(),
        vm_id=caller.vm_id,
        host_key=None if caller.host_key is None else hostkey.fingerprint(caller.host_key),
        flags=flags,
    )


def attest_flags(means: "AttestMeans") -> Iterator[str]:
    """Further options of the verdict of an attestation, each as a shell reads it."""
    if means.pins is not None:
        yield shlex.join(["--pins", means.pins.path])
    if means.image is not None:
        yield shlex.join(["--image", means.image.file.path])
        if means.image.config is not None:
            yield shlex.join(["--config", means.image.config.path])
    if means.simulated:
        yield "--backend fake"


def _flags(given: AppraisalOptions) -> Iterator[str]:
    """Further options of a verdict, each as a shell reads it."""
    values = {
        "--format": given.form and given.form.value,
        "--collateral": given.collateral,
        "--pins": given.golden.pins,
        "--image": given.measured.image,
        "--config": given.measured.config,
        "--nras-jwks": given.nras_keys,
        "--maa-jwks": given.maa_keys,
        "--signer": given.signer,
        "--signature": given.signature,
    }
    for name, value in values.items():
        if value is not None:
            yield shlex.join([name, str(value)])
    for field in fields(Overrides):
        if getattr(given.overrides, field.name):
            yield _UNSAFE_FLAGS[field.name]


def _policy_sha256(shown: "AppraisedEvidence", name: str) -> str:
    from ccgpu.store import policies

    origin = shown.appraisal.origin
    return policies.shipped_sha256(name) if origin is None else origin.sha256


def _write_report(path: Path, runtime: Runtime, subject: "ReportSubject") -> None:
    from ccgpu.store import new_files
    from ccgpu.views import report

    new_files.write(path, report.as_html(subject, runtime.complete).encode())
