"""Real servers on loopback."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ccgpu.guest.openssh import open_channel
from support import real_guest
from support.attested import EVENTS, running_vm
from support.collecting import CollectingVm
from support.paravisor import HCL, served_as_device
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


@contextmanager
def _with_tools(tpm: SoftwareTpm, size: int) -> Iterator[CollectingVm]:
    with (
        running_vm(tpm, size) as made,
        served_as_device(made.paravisor, made.root / "dev/tpmrm0"),
    ):
        made.install_tools()
        yield made


@pytest.fixture(params=[2048, 2600])
def each_machine_with_tools(
    request: pytest.FixtureRequest, tpm: SoftwareTpm
) -> Iterator[CollectingVm]:
    """A VM with a device and tpm2-tools; its claims as those of `each_machine`."""
    with _with_tools(tpm, request.param) as made:
        yield made


@pytest.fixture
def machine_with_tools(tpm: SoftwareTpm) -> Iterator[CollectingVm]:
    """A VM with a device and tpm2-tools, and claims as Azure's today."""
    with _with_tools(tpm, 2600) as made:
        yield made
