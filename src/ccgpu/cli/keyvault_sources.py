"""The release policy that `ccgpu keyvault` writes or creates a key with, from what was given."""

from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.cli.keyvault_options import KeyChoice, PolicySubject, TokenChoice
from ccgpu.cli.runtime import ConnectionOptions, Runtime

if TYPE_CHECKING:
    from ccgpu.cli.backends import Backend
    from ccgpu.domain.release_policy import ReleasePolicy
    from ccgpu.workflows.key_vault.claims_source import ClaimsOfToken, GivenFile

_FILE_LIMIT = 128 * 1024  # bytes; tokens have 8 to 12 KiB, policies one or two
_GPU_NOTE = "note: Key Vault cannot see the GPU: `ccgpu attest {name}` must come before a release"


def make_policy(
    runtime: Runtime,
    connection: ConnectionOptions,
    subject: PolicySubject,
    token: TokenChoice,
) -> "tuple[ReleasePolicy, ClaimsOfToken]":
    """The policy for what was given. Only a deployment needs a subscription."""
    from ccgpu.workflows.key_vault.creation import policy_of_deployment, write_policy

    wanted = subject.wanted(token.kind)
    backend = runtime.backend(connection)
    if subject.name is not None:
        cloud = backend.connect()
        return policy_of_deployment(cloud, subject.name, subject.group, token.wanted(), wanted)
    source = _source_of_files(runtime, backend, subject, token)
    return write_policy(source, wanted), source


def key_policy(
    runtime: Runtime,
    connection: ConnectionOptions,
    wanted: KeyChoice,
    subject: PolicySubject,
    token: TokenChoice,
) -> "ReleasePolicy":
    """The policy of a key to create: of the file that was given, else written for the VM."""
    from ccgpu.workflows.key_vault.creation import read_policy

    if wanted.policy is not None:
        return read_policy(read_given(wanted.policy))
    policy, source = make_policy(runtime, connection, subject, token)
    note_origin(runtime, source, subject.name)
    return policy


def _source_of_files(
    runtime: Runtime, backend: "Backend", subject: PolicySubject, token: TokenChoice
) -> "ClaimsOfToken":
    from ccgpu.workflows.key_vault import claims_source

    if subject.bundle is not None:
        now = backend.scheduler.clock.now()
        return claims_source.claims_of_bundle(
            subject.bundle, token.wanted(), runtime.state, now, simulated=backend.simulated
        )
    given = read_given(subject.claims or Path())
    found = claims_source.claims_of_file(given, token.authority)
    return claims_source.require_provider(given.name, found)


def read_given(path: Path) -> "GivenFile":
    """A file that the user gave, of at most 128 KiB; `InvalidFile` if it cannot be read."""
    from ccgpu.store.evidence.limits import read_bytes
    from ccgpu.store.input_files import input_name
    from ccgpu.workflows.key_vault.claims_source import GivenFile

    return GivenFile(input_name(path), read_bytes(path, _FILE_LIMIT))


def note_origin(runtime: Runtime, source: "ClaimsOfToken", name: str | None) -> None:
    """Say where the claims are from, and what no policy can ask for."""
    runtime.note(f"note: for the claims {source.origin}")
    runtime.note(runtime.complete(_GPU_NOTE.format(name=name or "NAME")))
