"""Reads and writes files of reference values for PCRs (`--pins`, `--record`)."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from ccgpu.store import documents, model_files, new_files
from ccgpu.store.input_files import recorded_name

if TYPE_CHECKING:
    from ccgpu.domain.reference_values import ReferenceFile, ReferenceValues

_HINT = "`ccgpu attest NAME --record FILE` writes a new file of golden values"


def load(path: Path) -> "ReferenceFile":
    """The reference values in a YAML or JSON file.

    Raises:
        InvalidFile: The file is not valid.
    """
    from ccgpu.domain.reference_values import ReferenceFile, ReferenceValues

    raw, document = documents.read_with_bytes(path)
    values = model_files.validate(
        document, ReferenceValues.model_validate, "output reference-values", _HINT
    )
    return ReferenceFile(recorded_name(path), hashlib.sha256(raw).hexdigest(), values)


def write(path: Path, values: "ReferenceValues") -> "ReferenceFile":
    """Write reference values to a new file.

    The events are left out if the file would be longer than `load` takes.

    Raises:
        UsageProblem: The file exists, or cannot be written.
    """
    from ccgpu.domain.reference_values import ReferenceFile

    raw = _encode(values)
    if len(raw) > documents.MAX_BYTES:
        values = values.model_copy(update={"events": {}})
        raw = _encode(values)
    new_files.write(path, raw, "record to another file, or compare with this one: `--pins`")
    return ReferenceFile(str(path.absolute()), hashlib.sha256(raw).hexdigest(), values)


def _encode(values: "ReferenceValues") -> bytes:
    document = values.model_dump(by_alias=True, exclude_none=True)
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()
