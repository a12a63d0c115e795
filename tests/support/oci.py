"""Container images as OCI layouts: made of nothing, the same bytes each time.

Source: OCI Image Format Specification (image layout, image index, manifest, configuration).
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def layer(files: Mapping[str, bytes]) -> bytes:
    """A layer: programs, folders (their names end in `/`), and whiteouts (`.wh.NAME`)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mode = 0o755
            if name.endswith("/"):
                entry.type = tarfile.DIRTYPE
            else:
                entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return stream.getvalue()


class OciLayout:
    """A layout in `folder`. `digest`: of its index; `manifest`: of the image for amd64."""

    def __init__(self, folder: Path, layers: Sequence[bytes], command: Sequence[str]) -> None:
        self.folder = folder
        (folder / "blobs" / "sha256").mkdir(parents=True)
        (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        config = {
            "architecture": "amd64",
            "os": "linux",
            "config": {"Cmd": list(command)},
            "rootfs": {"type": "layers", "diff_ids": [_digest(each) for each in layers]},
        }
        packed = [gzip.compress(each, mtime=0) for each in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": self._add(json.dumps(config).encode(), _CONFIG),
            "layers": [self._add(each, _LAYER) for each in packed],
        }
        one = self._add(json.dumps(manifest).encode(), MANIFEST)
        other = {**one, "digest": "sha256:" + "0" * 64, "platform": _platform("arm64")}
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [other, {**one, "platform": _platform("amd64")}],
        }
        entry = self._add(json.dumps(index).encode(), INDEX)
        self.manifest, self.digest = str(one["digest"]), str(entry["digest"])
        listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry]}
        (folder / "index.json").write_text(json.dumps(listed))

    def blob(self, digest: str) -> Path:
        """The file of a blob."""
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _add(self, data: bytes, kind: str) -> dict[str, Any]:
        digest = _digest(data)
        self.blob(digest).write_bytes(data)
        return {"mediaType": kind, "digest": digest, "size": len(data)}


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _platform(architecture: str) -> dict[str, str]:
    return {"os": "linux", "architecture": architecture}
