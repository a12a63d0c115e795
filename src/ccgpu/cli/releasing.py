"""What the commands that release secrets share: their sources, and the release itself."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.attesting import attest_means
from ccgpu.cli.options import ProgressOptions, Target
from ccgpu.cli.output_files import OutputFiles, write_attested
from ccgpu.cli.pins_options import PinsOptions
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.secret_options import SecretOptions

if TYPE_CHECKING:
    from ccgpu.attest.attestation import Attestation
    from ccgpu.azure.context import AzureContext
    from ccgpu.cli.backends import Backend
    from ccgpu.domain.spec.secrets import SecretSource
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.guest_access import WantedGuest
    from ccgpu.workflows.secrets import ReleaseOutcome, WantedRelease


def wanted_release(
    runtime: Runtime,
    sources: "Sequence[SecretSource]",
    *,
    allow_loosened: bool = False,
    dry_run: bool = False,
) -> "WantedRelease":
    """A release of secrets that this process reads: from its environment, its standard input."""
    from ccgpu.store.secret_sources import SecretReader
    from ccgpu.workflows.secrets import WantedRelease
    from ccgpu.workflows.source_command import read_output

    reader = SecretReader(os.environ, runtime.stdin, read_output, runtime.guard)
    return WantedRelease(tuple(sources), reader, allow_loosened, dry_run)


def attested_guest(
    runtime: Runtime,
    cloud: "AzureContext",
    target: Target,
    way: WayOptions,
    progress_options: ProgressOptions,
) -> "WantedGuest":
    """The VM to reach, which has to be attested; `--timeout` is for reaching it."""
    from ccgpu.workflows import guest_access

    return way.wanted(runtime, cloud, target, progress_options.timeout or guest_access.TIMEOUT)


@dataclass(frozen=True, slots=True)
class SecretPut:
    """One `ccgpu secret put`."""

    runtime: Runtime
    connection: ConnectionOptions
    target: Target
    secrets: SecretOptions
    policy: str | None
    golden: PinsOptions
    files: OutputFiles
    way: WayOptions
    progress_options: ProgressOptions
    allow_loosened: bool
    dry_run: bool

    def carry_out(self, output: OutputOptions) -> None:
        """Release the secrets, write the files that are asked for, and print what was released."""
        from ccgpu.views import secrets as view

        # 1. What is wrong here is refused before anything is asked.
        files, runtime = self.files.prepare(self.runtime), self.runtime
        backend = runtime.backend(self.connection)
        sources = self.secrets.sources(backend, self.target, runtime.read_document)
        wanted = wanted_release(
            runtime, sources, allow_loosened=self.allow_loosened, dry_run=self.dry_run
        )
        wanted.require_readable()
        means = attest_means(runtime, backend, self.policy, self.golden)
        # 2. Prove the VM, and release.
        judged: list[Attestation] = []
        try:
            outcome = self._release(backend, means, wanted, judged)
        finally:
            for one in judged:
                runtime.attempt(partial(write_attested, runtime, files, one, means))
        # 3. Print it.
        shown = view.PutSecrets(
            outcome.attestation,
            wanted.sources,
            outcome.loosened,
            outcome.stored,
            dry_run=self.dry_run,
        )
        runtime.answer(output, lambda: view.put_as_text(shown), lambda: view.put_as_json(shown))
        files.require_signed()

    def _release(
        self,
        backend: "Backend",
        means: "AttestMeans",
        wanted: "WantedRelease",
        judged: "list[Attestation]",
    ) -> "ReleaseOutcome":
        from ccgpu.workflows import secrets as workflow

        cloud = backend.connect()
        limit = self.progress_options.timeout or workflow.TIMEOUT
        guest = self.way.wanted(self.runtime, cloud, self.target, limit)
        with self.progress_options.shown(self.runtime) as progress:
            return workflow.put_secrets(
                cloud, backend.channels, means, guest, wanted, progress, judged.append
            )
