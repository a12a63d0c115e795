"""Reads the cloud-init files that a spec names in `guest.cloud_init`."""

from pathlib import Path

from ccgpu.store.named_files import read_bounded


def is_path(entry: str) -> bool:
    """Whether an entry is the path of a file, not a part itself: those begin with `#`."""
    return bool(entry.strip()) and not entry.startswith("#") and entry.isprintable()


def part_text(entry: str, folder: Path) -> str:
    """The text of the file `entry`, whose path is relative to `folder`.

    Raises:
        ValueError: with the reason, as the end of a sentence.
    """
    from ccgpu.domain.spec.guest import MAX_PART_BYTES  # loads pydantic

    raw = read_bounded(entry, folder, MAX_PART_BYTES, "a file")
    if len(raw) > MAX_PART_BYTES:
        raise ValueError(f"is a file of more than {MAX_PART_BYTES // 1024} KiB: fetch it later")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("is a file that is not UTF-8 text") from None
