"""What cloud-init does with a VM's customData: the files that it writes into the guest.

It understands `write_files` of cloud-config documents, plain, compressed, or as parts of a MIME
message (cloud-init's documentation, "User-data formats" and module "Write Files").
"""

import base64
import binascii
import email
import gzip
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import yaml

from ccgpu.fakearm import StoredFile

SETTINGS = "/etc/ccgpu/guest.env"
_USUAL_MODE = 0o644
_GZIP = b"\x1f\x8b"
_MOST = 16 << 20  # bytes of all files
# libyaml takes a tenth of the time for our 60 KB. PyYAML's wheels have it, other builds may not.
_LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@lru_cache(maxsize=16)
def written_files(custom_data: bytes | None) -> Mapping[str, StoredFile]:
    """The files by path. Data that is no cloud-config writes nothing, as in a real guest.

    A guest is asked many times for what the same data wrote: it is kept.
    """
    files: dict[str, StoredFile] = {}
    for document in _cloud_configs(custom_data or b""):
        for entry in document.get("write_files") or ():
            file = _read_entry(entry)
            if file is not None and sum(len(one.data) for one in files.values()) < _MOST:
                files[str(entry["path"])] = file
    return MappingProxyType(files)


def _cloud_configs(raw: bytes) -> Iterator[Mapping[str, Any]]:
    try:
        raw = gzip.decompress(raw) if raw.startswith(_GZIP) else raw
    except (OSError, EOFError, zlib.error):
        return
    for text in _parts(raw):
        if text.startswith(("#cloud-config", "## template: jinja\n#cloud-config")):
            try:
                document = yaml.load(text, _LOADER)  # noqa: S506  # safe ones, both of them
            except (yaml.YAMLError, ValueError):  # ValueError: such as a date that does not exist
                continue
            if isinstance(document, dict):
                yield document


def _parts(raw: bytes) -> Iterator[str]:
    """The texts of a MIME message, or the text itself."""
    if not raw.lstrip().lower().startswith((b"content-type:", b"mime-version:")):
        yield raw.decode("utf-8", "replace")
        return
    for part in email.message_from_bytes(raw).walk():
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield payload.decode("utf-8", "replace")


_BINARY = ("b64", "base64", "gz+b64", "gzip+b64", "gz+base64", "gzip+base64")
_PACKED = ("gz", "gzip", *(name for name in _BINARY if "+" in name))


def _read_entry(entry: Any) -> StoredFile | None:
    """One entry of `write_files`; None for one that cloud-init would refuse."""
    if not isinstance(entry, Mapping) or not str(entry.get("path", "")).startswith("/"):
        return None
    content, encoding = entry.get("content", ""), str(entry.get("encoding", "")).lower()
    data = content if isinstance(content, bytes) else str(content).encode()
    try:
        data = base64.b64decode(data) if encoding in _BINARY else data
        data = gzip.decompress(data) if encoding in _PACKED else data
        mode = int(str(entry.get("permissions", f"{_USUAL_MODE:o}")), 8)
    except (binascii.Error, OSError, EOFError, zlib.error, ValueError):
        return None
    return StoredFile(mode, data)


def read_settings(files: Mapping[str, StoredFile]) -> dict[str, str] | None:
    """The assignments in the set-up's settings file; None if cloud-init writes no such file."""
    file = files.get(SETTINGS)
    if file is None:
        return None
    lines = (line.partition("=") for line in file.data.decode("utf-8", "replace").splitlines())
    named = ((name.strip(), value.strip().strip("'\"")) for name, equals, value in lines if equals)
    return {name: value for name, value in named if not name.startswith("#")}
