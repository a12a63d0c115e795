"""Real servers on loopback."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from ccgpu.guest.openssh import open_channel
from support import real_guest
from support.attested import EVENTS, running_vm
from support.collecting import CollectingVm
from support.paravisor import HCL
from support.sshd import Sshd, make_key, prepared_sshd
from support.swtpm import SoftwareTpm, software_tpm


def _short_folder() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="sshd", dir="/tmp")


@pytest.fixture(scope="session")
def shared_sshd() -> Iterator[Sshd]:
    """A server that runs for all tests; they do not change it."""
    with _short_folder() as folder, prepared_sshd(Path(folder)) as server:
        server.start()
        yield server


@pytest.fixture
def sshd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sshd]:
    """A server of the test's own, which is not started yet.

    What processes leave behind that are killed goes with its folder.
    """
    with _short_folder() as folder, prepared_sshd(Path(folder)) as server:
        monkeypatch.setenv("TMPDIR", folder)
        yield server


@pytest.fixture
def channel(shared_sshd):
    """A channel to the shared server."""
    with open_channel(shared_sshd.target()) as channel:
        yield channel


@pytest.fixture(scope="session")
def layers(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """What every guest boots from."""
    return real_guest.prepared(tmp_path_factory.mktemp("layers"))


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key to log in with."""
    file: Path = tmp_path_factory.mktemp("identity") / "id"
    make_key(file)
    return file


@pytest.fixture(scope="module")
def tpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftwareTpm]:
    """A booted TPM with an attestation key."""
    with software_tpm(tmp_path_factory.mktemp("tpm")) as made:
        made.make_ak()
        made.define(HCL, 2048)
        made.boot(EVENTS)
        yield made


@pytest.fixture(params=[2048, 2600])
def each_machine(request: pytest.FixtureRequest, tpm: SoftwareTpm) -> Iterator[CollectingVm]:
    """A VM with claims of one key, which its TPM holds, and one with claims as Azure's today."""
    with running_vm(tpm, request.param) as made:
        yield made


@pytest.fixture
def machine(tpm: SoftwareTpm) -> Iterator[CollectingVm]:
    """A VM with claims as Azure's today."""
    with running_vm(tpm, 2600) as made:
        yield made
