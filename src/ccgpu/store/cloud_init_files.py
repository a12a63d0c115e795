"""Reads the cloud-init files that a spec names in `guest.cloud_init`."""

from pathlib import Path

from ccgpu.store.named_files import read_bounded

_CLOUD_CONFIG = "#cloud-config"
_NO_MAPPING = "is not a mapping: cloud-init needs fields, as in `packages: [vim]`"


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


def check_part(text: str) -> None:
    """Whether cloud-init can read a part: a `#cloud-config` must be a YAML mapping.

    Raises:
        ValueError: with the reason, as the end of a sentence.
    """
    import yaml

    if not text.startswith(_CLOUD_CONFIG):
        return
    try:
        values = yaml.safe_load(text)
    except yaml.MarkedYAMLError as err:
        at = f" in its line {err.problem_mark.line + 1}" if err.problem_mark else ""
        raise ValueError(f"is not YAML{at}: {err.problem}") from None
    except (yaml.YAMLError, ValueError):  # ValueError: such as a date that does not exist
        raise ValueError("is not YAML that cloud-init can read") from None
    if not isinstance(values, dict):
        raise ValueError(_NO_MAPPING)  # noqa: TRY004  # the reason of a refusal, as the others
