"""Saves a bundle, and signs it (`--sign`): the signature is a file beside the bundle."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from ccgpu.cli.options import option
from ccgpu.cli.runtime import Runtime
from ccgpu.errors import CcgpuError, UsageProblem
from ccgpu.store.bundles import signature_beside

if TYPE_CHECKING:
    from ccgpu.attest.appraisal import Appraisal
    from ccgpu.domain.evidence import Evidence
    from ccgpu.workflows.sign_bundle import Sign

SignOption = Annotated[
    Path | None,
    option(
        "Sign the saved bundle with this SSH key or cosign key: the signature is FILE.sig.",
        "--sign",
        metavar="KEY",
    ),
]
PASSWORD = "COSIGN_PASSWORD"  # noqa: S105  # the name of cosign's own variable


@dataclass(slots=True)
class Saving:
    """A bundle that is to be saved, and what signs it. Nothing is saved without a file."""

    runtime: Runtime
    file: Path | None
    sign: "Sign | None"
    failed: CcgpuError | None = field(default=None, init=False)

    def write(self, evidence: "Evidence", appraisal: "Appraisal") -> None:
        """Write the bundle, then its signature. What prevents a signature is kept for later."""
        if self.file is None:
            return
        from ccgpu.store import bundles, new_files
        from ccgpu.workflows.verify import make_bundle

        data = bundles.write(self.file, make_bundle(evidence, appraisal))
        if self.sign is None:
            return
        beside = signature_beside(self.file)
        try:
            new_files.write(beside, self.sign(data))
        except CcgpuError as err:
            self.failed = err
        else:
            self.runtime.note(f"signed {self.file}: the signature is in {beside}")


def open_saving(runtime: Runtime, file: Path | None, key: Path | None) -> Saving:
    """What saves to `file` and signs with `key`, whose password is asked for now.

    Raises:
        UsageProblem: There is nothing to sign, or the password is wrong.
        InvalidFile: The key's file holds no key that can sign.
    """
    if key is None:
        return Saving(runtime, file, None)
    if file is None:
        raise UsageProblem(
            "--sign signs the saved bundle, and none is saved", hint="save it: `--save FILE`"
        )
    return Saving(runtime, file, _signer(runtime, key))


def _signer(runtime: Runtime, key: Path) -> "Sign":
    from ccgpu.workflows.sign_bundle import open_signer

    runtime.guard()
    return open_signer(key, lambda: _password(runtime, key), terminal=runtime.ask is not None)


def _password(runtime: Runtime, key: Path) -> bytes:
    """The password of a key file: from cosign's variable, else from the terminal."""
    given = os.environ.get(PASSWORD)
    if given is not None:
        return given.encode()
    if runtime.ask_secret is None:
        raise UsageProblem(
            f"{key} has a password, and nobody can be asked for it",
            hint=f"give it in the variable {PASSWORD}, or run this at a terminal",
        )
    return runtime.ask_secret(f"Password of {key}: ").encode()
