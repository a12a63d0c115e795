"""Every fault at every request of `image publish`: no disk stays unreported, and no secret is told.

After any end the same command publishes the image, or gc removes what is left.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ccgpu.domain.publication_outcome import PublishOutcome
from ccgpu.errors import CcgpuError
from ccgpu.fakearm import FakeArm, Request, Response
from ccgpu.workflows.gc import collect
from faults.sweep.effects import Effect, commit_and_fail, commit_and_respond, respond
from faults.sweep.fault_kinds import KINDS, FaultKind, NumberedFault
from support import faults
from support.built_folders import (
    STAYS,
    BuiltFolder,
    build_folder,
    publish,
    upload_disks,
    version_bytes,
)
from support.cloud import Machine
from support.prepared import copy_of_machine
from support.slow import mostly_slow

CHUNKS = 80


def is_blob(request: Request) -> bool:
    """Whether the storage service is asked."""
    return request.path.endswith("/abcd")


def _storage(status: int, code: str) -> Effect:
    text = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>sig=secret</Message></Error>'
    headers = {"Content-Type": "application/xml", "x-ms-error-code": code}
    return respond(Response(status, text.encode(), headers))


# What the storage service says (Microsoft Learn, "Blob service error codes").
_OF_STORAGE = (
    FaultKind("blob-busy", _storage(503, "ServerBusy"), is_blob, transient=True),
    FaultKind("blob-403", _storage(403, "AuthenticationFailed"), is_blob),
    FaultKind("blob-404", _storage(404, "BlobNotFound"), is_blob),
    FaultKind("blob-md5", _storage(400, "Md5Mismatch"), is_blob, transient=True),
    FaultKind("blob-range", _storage(416, "InvalidPageRange"), is_blob),
    FaultKind("blob-kept", commit_and_respond(faults.UNAVAILABLE), is_blob, transient=True),
    FaultKind("blob-reset", commit_and_fail(faults.RESET), is_blob, transient=True),
)
_KILLED = FaultKind("killed", commit_and_fail(SystemExit()), lambda _: True)
# For the operations of disks and galleries, which `faults.is_poll` does not know.
_OF_OPERATIONS = tuple(
    replace(kind, applies=lambda request: "operations/" in request.path.casefold())
    for name, kind in KINDS.items()
    if kind.applies is faults.is_poll
)
# What the storage service, or the way to it, can do as well: it has no tokens and no ARM errors.
_OF_ANY_SERVICE = ("blob-", "429-after", "429-plain", "http-", "504-", "reset", "timeout", "html")
ALL = {
    **KINDS,
    **{kind.name: kind for kind in _OF_OPERATIONS},
    **{kind.name: kind for kind in _OF_STORAGE},
}


@dataclass(frozen=True)
class PublishCase:
    """One kind of fault at one request, once or for ever."""

    number: int
    kind: str
    forever: bool

    @property
    def id(self) -> str:
        """How it is called in messages."""
        return f"{self.number}:{self.kind}:{'ever' if self.forever else 'once'}"


def cases(requests: list[Request]) -> Iterator[PublishCase]:
    """Each request with each kind that applies; of equal requests the first two."""
    seen: list[tuple[str, str]] = []
    for number, request in enumerate(requests):
        at = (request.method, request.path.casefold())  # each operation has polls of its own
        before = seen.count(at)
        seen.append(at)
        if before >= 2:
            continue
        for kind in ALL.values():
            if is_blob(request) and not kind.name.startswith(_OF_ANY_SERVICE):
                continue
            if kind.applies(request) and not kind.same_as:
                if not kind.forever_only:
                    yield PublishCase(number, kind.name, forever=False)
                if not kind.once_only and not before:
                    yield PublishCase(number, kind.name, forever=True)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltFolder:
    return build_folder(tmp_path_factory.mktemp("image") / "built")


@pytest.fixture(scope="module")
def every(built: BuiltFolder, tmp_path_factory: pytest.TempPathFactory) -> list[PublishCase]:
    machine = Machine(FakeArm(), tmp_path_factory.mktemp("fault-free"))
    requests: list[Request] = []
    machine.arm.faults.append(requests.append)
    publish(machine, built)
    machine.arm.close()
    return list(cases(requests))


@pytest.mark.slow
def test_the_sweep_is_wide(every: list[PublishCase]) -> None:
    assert len(every) > 500
    assert {one.kind for one in every} >= {kind.name for kind in _OF_STORAGE}


@pytest.mark.parametrize("chunk", mostly_slow(range(CHUNKS), CHUNKS, 40))
def test_no_fault_leaves_anything_unreported(
    tmp_path: Path, built: BuiltFolder, every: list[PublishCase], chunk: int
) -> None:
    mine = every[chunk::CHUNKS]
    for case in mine if chunk else mine[::5]:
        _try(case, tmp_path / case.id.replace(":", "-"), built)


def _try(case: PublishCase, state: Path, built: BuiltFolder) -> None:
    machine = Machine(FakeArm(), state)
    kind = ALL[case.kind]
    machine.arm.faults.append(NumberedFault(machine.arm, case.number, kind, case.forever))
    told = ""
    try:
        publish(machine, built)
    except CcgpuError as err:
        told = f"{err} {err.hint}"
        _check_failure(case, err, upload_disks(machine))
    else:
        assert machine.kinds() == STAYS, case.id
        assert version_bytes(machine.arm) == built.vhd, case.id
    told += " ".join(one.text for one in machine.events)
    assert "sig=" not in told, case.id
    machine.arm.faults.clear()
    assert publish(machine, built).action in ("published", "unchanged"), case.id
    assert machine.kinds() == STAYS, case.id
    assert version_bytes(machine.arm) == built.vhd, case.id
    machine.arm.close()


@pytest.fixture(scope="module")
def published(built: BuiltFolder, tmp_path_factory: pytest.TempPathFactory) -> Machine:
    machine = Machine(FakeArm(), tmp_path_factory.mktemp("published"))
    publish(machine, built)
    return machine


def _change(machine: Machine, built: BuiltFolder) -> PublishOutcome:
    """Other copies of the version: another region, and more in its own."""
    return publish(machine, built, regions=("eastus2", "westeurope"), replicas=3)


@pytest.fixture(scope="module")
def every_change(
    built: BuiltFolder, published: Machine, tmp_path_factory: pytest.TempPathFactory
) -> list[PublishCase]:
    machine = copy_of_machine(published, tmp_path_factory.mktemp("fault-free"))
    requests: list[Request] = []
    machine.arm.faults.append(requests.append)
    _change(machine, built)
    machine.arm.close()
    killed = [PublishCase(number, "killed", forever=False) for number in range(len(requests))]
    return [*killed, *cases(requests)]


@pytest.mark.parametrize("chunk", mostly_slow(range(10), 10, 10))
def test_a_change_of_copies_goes_on_after_every_fault_and_never_costs_the_version(
    tmp_path: Path,
    built: BuiltFolder,
    published: Machine,
    every_change: list[PublishCase],
    chunk: int,
) -> None:
    mine = every_change[chunk::10]
    made = {one["id"]: one["created"] for one in published.arm.show()["resources"]}
    for case in mine if chunk else mine[::20]:
        machine = copy_of_machine(published, tmp_path / case.id.replace(":", "-"))
        kind = ALL.get(case.kind, _KILLED)
        machine.arm.faults.append(NumberedFault(machine.arm, case.number, kind, case.forever))
        with suppress(CcgpuError, SystemExit):
            assert {one.replicas for one in _change(machine, built).copies} == {3}, case.id
        machine.arm.faults.clear()
        machine.arm.advance(24 * 3600)
        assert collect(machine.cloud, yes=True).found == (), case.id
        assert {one.replicas for one in _change(machine, built).copies} == {3}, case.id
        now = {one["id"]: one["created"] for one in machine.arm.show()["resources"]}
        assert now == made, case.id
        machine.arm.close()


def _check_failure(case: PublishCase, err: CcgpuError, left: list[str]) -> None:
    """What is there is in the error, and the error is that of its cause."""
    kind, named = ALL[case.kind], {one.id.casefold() for one in err.resources}
    untold = [id_ for id_ in left if id_.casefold() not in named]
    assert not untold, f"{case.id}: {untold} is there, and not told ({err})"
    assert err.exit_code in {4, 7, 11, *kind.exit_codes}, f"{case.id}: {err!r}"
    assert case.forever or not kind.transient, f"{case.id}: {err!r}"
