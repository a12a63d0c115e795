"""Secrets of a VM, as text and as JSON: names, sizes, owners and sources, never values."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from ccgpu.attest.attestation import Attestation
from ccgpu.attest.check import format_value
from ccgpu.domain.plain_text import one_line
from ccgpu.guest.release import StoredSecret
from ccgpu.views.tables import Grid

if TYPE_CHECKING:
    from ccgpu.domain.spec.secrets import SecretSource

_SCHEMA = "ccgpu.secret/1"


@dataclass(frozen=True, slots=True)
class PutSecrets:
    """A release, or (dry_run) all of one but the release.

    loosened: the fields in which the policy asks for less than `default`, with both values. stored:
    what the VM has taken.
    """

    judged: Attestation
    sources: "Sequence[SecretSource]"
    loosened: Mapping[str, str]
    stored: Sequence[StoredSecret]
    dry_run: bool


def put_as_text(put: PutSecrets) -> RenderableType:
    """The verdict in one line, then the secrets."""
    lines = [Text(line) for line in _verdict_lines(put)]
    if put.dry_run:
        table = _table(("secret", "from", "owner"))
        for one in put.sources:
            table.add_row(one.name, Text(one_line(one.source_text)), str(one.owner))
        said = "dry run: no value was read, and nothing was released"
        return Group(*lines, Text(), table, Text(), Text(said))
    return Group(*lines, Text(), _stored_table(put.stored), Text(), Text("released"))


def _verdict_lines(put: PutSecrets) -> Iterator[str]:
    """The verdict, and what makes it count for less."""
    name, appraisal = one_line(put.judged.name), put.judged.appraisal
    yield f"{name} is proven: {appraisal.verdict} by policy {one_line(appraisal.policy)}"
    if put.loosened:
        told = "; ".join(f"{path}: {values}" for path, values in sorted(put.loosened.items()))
        yield one_line(f"that policy asks for less than default: {told}")
    if appraisal.simulated:
        yield "SIMULATED: this proves nothing of any hardware"


def put_as_json(put: PutSecrets) -> dict[str, Any]:
    """The JSON document. `secrets` are those that the VM has taken; in a dry run, would be sent."""
    judged, stored = put.judged, {one.name: one for one in put.stored}
    secrets = []
    for source in put.sources:
        there = stored.get(source.name)
        row = {"name": source.name, "source": source.source_text, "owner": source.owner}
        secrets.append(row | _place(there))
    return _document("put", judged.name, secrets) | {
        "dry_run": put.dry_run,
        "verdict": judged.appraisal.verdict,
        "simulated": judged.appraisal.simulated,
        "policy": judged.appraisal.policy,
        "loosened": sorted(put.loosened),
        "at": format_value(judged.appraisal.at),
        "vm_id": judged.challenge.vm_id,
        "nonce": judged.challenge.nonce.hex(),
        "bundle": judged.bundle,
    }


def list_as_text(name: str, secrets: Sequence[StoredSecret]) -> RenderableType:
    """A line for each secret."""
    if not secrets:
        return Text(f"{one_line(name)} holds no secrets")
    return _stored_table(secrets)


def list_as_json(name: str, secrets: Sequence[StoredSecret]) -> dict[str, Any]:
    """The JSON document."""
    return _document("list", name, map(_fields, secrets))


def removed_as_text(
    name: str, asked: Sequence[str], secrets: Sequence[StoredSecret]
) -> RenderableType:
    """The names of those that were there, and of those that were not."""
    removed, absent = [one.name for one in secrets], _absent(asked, secrets)
    told = [f"removed {', '.join(removed)}"] if removed else ["nothing to remove"]
    told += [f"it holds no {', '.join(absent)}"] if absent else []
    return Text(f"{one_line(name)}: {'; '.join(told)}")


def removed_as_json(
    name: str, asked: Sequence[str], secrets: Sequence[StoredSecret]
) -> dict[str, Any]:
    """The JSON document. `absent`: what was to be removed, and was not there."""
    return _document("rm", name, map(_fields, secrets)) | {"absent": _absent(asked, secrets)}


def _absent(asked: Sequence[str], secrets: Sequence[StoredSecret]) -> list[str]:
    removed = {one.name for one in secrets}
    return [name for name in asked if name not in removed]


def _document(action: str, name: str, secrets: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"schema": _SCHEMA, "action": action, "name": name, "secrets": list(secrets)}


def _fields(secret: StoredSecret) -> dict[str, Any]:
    return {"name": secret.name, "owner": secret.owner} | _place(secret)


def _place(stored: StoredSecret | None) -> dict[str, Any]:
    """Size and path in the VM; null if it is not there."""
    if stored is None:
        return {"bytes": None, "path": None}
    return {"bytes": stored.size, "path": stored.path}


def _table(names: Sequence[str]) -> Grid:
    table = Grid()
    table.add_row(*names)
    return table


def _stored_table(secrets: Sequence[StoredSecret]) -> Grid:
    table = _table(("secret", "bytes", "owner", "file in the VM"))
    for one in secrets:
        table.add_row(one.name, str(one.size), str(one.owner), one.path)
    return table
