"""What huggingface.co says of a model at a revision, and which of its files are pulled.

Source: `GET /api/models/ORG/NAME/revision/REVISION?blobs=true`, as huggingface_hub reads it
(hf_api.py, `model_info(files_metadata=True)`). A file in LFS has `lfs.sha256`; the others have only
the id of their Git blob: the SHA-1 of `blob SIZE`, NUL and the content ("Git Internals", objects).
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ccgpu.domain.workload.words import COMMIT

HOST = "huggingface.co"
# Suffixes of what is pulled beside the weights: configurations, tokenizers, chat templates. No
# program (*.py): code of a model's repository does not run here.
_TEXTS = (".json", ".txt", ".model", ".jinja", ".tiktoken", ".vocab")
_SAFE, _PICKLED = ".safetensors", ".bin"
# Folders with other forms of the same weights.
_OTHER_FORMS = frozenset(
    {"original", "onnx", "openvino", "coreml", "flax", "gguf", "metal", "text_encoders", "images"}
)


@dataclass(frozen=True, slots=True)
class HubFile:
    """A file: path, size in bytes, Git's blob id (SHA-1, hex), SHA-256 (hex) if it is in LFS."""

    path: str
    size: int
    blob: str
    sha256: str | None

    @property
    def name(self) -> str:
        """The last part of its path."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class HubListing:
    """A model at a commit. licence: as its card says; None without one."""

    repository: str
    commit: str
    gated: bool
    licence: str | None
    files: tuple[HubFile, ...]


def parse_listing(raw: bytes) -> HubListing:
    """The listing in an answer of the API.

    Raises:
        ValueError: it is not such an answer; the text is the end of a sentence.
    """
    try:
        values = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("answered with no JSON") from None
    if not isinstance(values, dict) or not isinstance(values.get("siblings"), list):
        raise ValueError("answered with no list of files")  # noqa: TRY004  # bad data, not a bad call
    commit, name = values.get("sha"), values.get("id")
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit) or not isinstance(name, str):
        raise ValueError("answered with no commit, or no name")
    card = values.get("cardData")
    licence = card.get("license") if isinstance(card, dict) else None
    return HubListing(
        name,
        commit,
        values.get("gated") not in (False, None),
        licence if isinstance(licence, str) else None,
        tuple(map(_file, values["siblings"])),
    )


def _file(values: Any) -> HubFile:
    if not isinstance(values, dict):
        raise ValueError("answered with a file that is no object")  # noqa: TRY004  # as above
    lfs = values.get("lfs")
    size, sha256 = values.get("size"), lfs.get("sha256") if isinstance(lfs, dict) else None
    path, blob = values.get("rfilename"), values.get("blobId")
    usable = isinstance(path, str) and isinstance(blob, str) and type(size) is int and size >= 0
    if not usable or not (sha256 is None or isinstance(sha256, str)):
        raise ValueError("answered with a file without name, size or blob")
    if lfs is not None and sha256 is None:
        raise ValueError("answered with a large file without its SHA-256")
    return HubFile(path, size, blob, sha256)  # type: ignore[arg-type]  # checked above


def blob_id(content: bytes) -> str:
    """Git's id of a blob with this content."""
    header = f"blob {len(content)}\0".encode()
    return hashlib.sha1(header + content, usedforsecurity=False).hexdigest()


def wanted_files(files: Sequence[HubFile]) -> tuple[HubFile, ...]:
    """The files that a server needs, each form of the weights once, by path.

    Weights are safetensors; pickled ones (*.bin) only where there are no others. Of a pipeline of
    diffusers (it has model_index.json) the parts in folders are taken, not the single files beside
    them, and the 16-bit variant of a part that has one.
    """
    kept = [file for file in files if not _is_other_form(file)]
    texts = [file for file in kept if file.name.endswith(_TEXTS)]
    weights = [file for file in kept if file.name.endswith(_SAFE)]
    if not weights:
        weights = [file for file in kept if file.name.endswith(_PICKLED)]
    if any(file.path == "model_index.json" for file in files):
        weights = [*_pipeline_weights(weights)]
    chosen = {file.path: file for file in (*texts, *weights)}
    return tuple(chosen[path] for path in sorted(chosen))


def _is_other_form(file: HubFile) -> bool:
    parts = file.path.split("/")
    return bool(_OTHER_FORMS & set(parts[:-1])) or file.name.startswith((".", "training_args"))


def _pipeline_weights(weights: Sequence[HubFile]) -> Iterator[HubFile]:
    paths = {file.path for file in weights}
    for file in weights:
        stem = file.path.removesuffix(_SAFE)
        is_single = "/" not in file.path
        has_half = f"{stem}.fp16{_SAFE}" in paths
        if not (is_single or has_half or ".non_ema" in file.name):
            yield file
