"""Writes the software bill of materials of a wheel: CycloneDX 1.6, in JSON.

    sbom.py WHEEL EPOCH OUT

It lists ccgpu and every package of requirements.lock: version, purl, what needs it, and the hashes
of all files that the lock accepts. The same wheel gives the same bytes: the serial number comes
from its digest, the time is given. The result is checked against the schema of CycloneDX.
"""

import hashlib
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cyclonedx.contrib.this.builders import this_component
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentScope, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.+?))? \\$")
_HASH = re.compile(r"^    --hash=sha256:([0-9a-f]{64})")
_NAME = "ccgpu"


class Pin(NamedTuple):
    """A package of the lock. needed_by: names, of ccgpu too. marker: empty for every platform."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]
    needed_by: tuple[str, ...]


def read_lock(text: str) -> Iterator[Pin]:
    """The packages of a lock that `uv pip compile` wrote."""
    blocks = re.split(r"(?m)^(?=[A-Za-z0-9])", text)
    for block in blocks[1:]:
        head, *lines = block.splitlines()
        pin = _PIN.match(head)
        if pin is None:
            raise ValueError(f"requirements.lock: no pin with hashes: {head}")
        hashes = tuple(found[1] for line in lines if (found := _HASH.match(line)))
        comments = [line.removeprefix("    #").strip() for line in lines if "#" in line]
        parents = [line.removeprefix("via").split(" (")[0].strip() for line in comments]
        needed_by = tuple(sorted({name for name in parents if name}))
        if not hashes or not needed_by:
            raise ValueError(f"requirements.lock: {pin[1]} has no hashes, or nothing needs it")
        yield Pin(pin[1], pin[2], pin[3] or "", hashes, needed_by)


def make(wheel: Path, epoch: int, lock: str) -> str:
    """The document as text.

    Raises:
        ValueError: The lock cannot be read, or the document is not as the schema says.
    """
    version, digest = wheel.name.split("-")[1], hashlib.sha256(wheel.read_bytes()).hexdigest()
    own = _component(_NAME, version, [digest], kind=ComponentType.APPLICATION)
    own.licenses.add(LicenseExpression("Apache-2.0"))
    pins = {pin.name: pin for pin in read_lock(lock)}
    parts = {name: _component(name, pin.version, pin.hashes) for name, pin in pins.items()}
    for name, pin in pins.items():
        if pin.marker:
            parts[name].scope = ComponentScope.OPTIONAL
            parts[name].properties.add(Property(name="ccgpu:marker", value=pin.marker))
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, f"urn:sha256:{digest}"),
        components=parts.values(),
        metadata=BomMetaData(
            component=own,
            timestamp=datetime.fromtimestamp(epoch, UTC),
            tools=ToolRepository(components=[this_component()]),
        ),
    )
    known = {_NAME: own, **parts}
    for name, part in known.items():
        needs = [parts[one] for one, pin in pins.items() if name in pin.needed_by]
        bom.register_dependency(part, needs)
    text = JsonV1Dot6(bom).output_as_string(indent=2) + "\n"
    require_valid(text)
    return text


def require_valid(text: str) -> None:
    """Check a document against the schema that comes with the library, or raise `ValueError`."""
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ValueError(f"not as the schema of CycloneDX 1.6 says: {problem}")


def _component(
    name: str,
    version: str,
    digests: list[str] | tuple[str, ...],
    kind: ComponentType = ComponentType.LIBRARY,
) -> Component:
    purl = PackageURL("pypi", None, name, version)
    hashes = [HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests]
    return Component(
        name=name, version=version, type=kind, purl=purl, bom_ref=str(purl), hashes=hashes
    )


def main(arguments: list[str]) -> int:
    """Write the document."""
    wheel, epoch, out = arguments
    text = make(Path(wheel), int(epoch), LOCK.read_text("utf-8"))
    Path(out).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
