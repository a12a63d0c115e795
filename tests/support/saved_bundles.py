"""The bundle that `ccgpu attest --save` writes on the fake, and verdicts on what is made of it."""

import base64
import copy
import json
import shlex
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from ccgpu.attest.appraise import AppraisalInputs, appraise
from ccgpu.attest.simulated import simulated_roots
from ccgpu.domain import hostkey
from ccgpu.errors import InvalidFile
from ccgpu.store import evidence as files
from ccgpu.store import policies
from support.attesting import Attester
from support.cli import Shell

NOTES = {
    *("made_at", "tool", "collector", "sent_at"),
    *("policy", "policy_content", "reference_values", "verdict"),
}
FieldPath = tuple[str | int, ...]


@dataclass(frozen=True)
class SavedBundle:
    """A saved bundle, and what `attest` answered."""

    text: str
    answer: dict[str, Any]

    @property
    def document(self) -> dict[str, Any]:
        """The bundle's document."""
        return dict(json.loads(self.text))

    @property
    def words(self) -> str:
        """The options of `verify` that say what was asked, and when."""
        asked = {
            "at": self.document["made_at"],
            "nonce": self.answer["nonce"],
            "vm-id": self.answer["vm_id"],
            "host-key": self.answer["host_key"],
        }
        return shlex.join(word for name, value in asked.items() for word in (f"--{name}", value))

    def judge(self, text: str) -> str:
        """The verdict on a file with this text, by what was asked; `unreadable` if it is none."""
        document = self.document
        inputs = AppraisalInputs(
            at=datetime.fromisoformat(document["made_at"]),
            nonce=bytes.fromhex(document["nonce"]),
            vm_id=document["vm_id"],
            host_key=hostkey.sha256(base64.b64decode(document["host_key"])),
        )
        try:
            found = files.parse_evidence(Path("bundle.json"), text.encode())
        except InvalidFile:
            return "unreadable"
        return appraise(found, policies.load(None), inputs, simulated_roots(found)).verdict

    def fields(self) -> Iterator[tuple[FieldPath, bytes]]:
        """Each piece of evidence that is bytes, with its path."""
        evidence = {name: part for name, part in self.document.items() if name not in NOTES}
        for path, text in _texts(evidence, ()):
            if path[-1] not in ("schema", "binding", "vm_id", "arch"):
                yield path, decode(path, text)

    def exchanged(self, path: FieldPath, data: bytes) -> str:
        """The bundle with other bytes in one place, without the notes."""
        text = data.hex() if is_hex(path) else base64.b64encode(data).decode()
        return self.with_text(path, text)

    def text_at(self, path: FieldPath) -> str:
        """The text of a field."""
        part: Any = self.document
        for step in path:
            part = part[step]
        return str(part)

    def with_text(self, path: FieldPath, text: str) -> str:
        """The bundle with another text in one place, without the notes."""
        changed = copy.deepcopy(self.document)
        part: Any = {name: one for name, one in changed.items() if name not in NOTES}
        part |= {"made_at": changed["made_at"], "tool": "test"}
        whole = part
        for step in path[:-1]:
            part = part[step]
        part[path[-1]] = text
        return json.dumps(whole)


def _texts(value: Any, path: FieldPath) -> Iterator[tuple[FieldPath, str]]:
    if isinstance(value, str):
        yield path, value
    entries = value.items() if isinstance(value, dict) else enumerate(value)
    if not isinstance(value, str):
        for name, part in entries:
            yield from _texts(part, (*path, name))


def is_hex(path: FieldPath) -> bool:
    """Whether the field is in hex: nonces and PCRs. The others are base64."""
    return path[-1] == "nonce" or "pcrs" in path


def decode(path: FieldPath, text: str) -> bytes:
    """The bytes of a field."""
    return bytes.fromhex(text) if is_hex(path) else base64.b64decode(text)


@cache
def saved_bundle() -> SavedBundle:
    """The bundle of one attested VM; made once."""
    with tempfile.TemporaryDirectory() as folder:
        demo = Attester(Shell(Path(folder)).with_key()).make()
        done = demo(f"--save {folder}/bundle.json")
        assert done.code == 0, done.err
        return SavedBundle((Path(folder) / "bundle.json").read_text(), done.document)
