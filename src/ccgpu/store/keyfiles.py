"""Reads the public key files that a spec names.

Errors never show a file's content, which may be a private key given by mistake.
"""

import re
from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.store.named_files import read_bounded

MAX_BYTES = 16 * 1024


def is_path(entry: str) -> bool:
    """Whether an entry of `ssh_keys` is the path of a key file, not a key."""
    text = entry.strip()
    if not text.isprintable() or not text or sshkey.is_private(text):
        return False
    if text.startswith(("~", "/", "./", "../")) or text.endswith(".pub"):
        return True
    return not re.search(r"\s", text) and not re.match(r"ssh-|ecdsa-|sk-", text)


def key_line(entry: str, folder: Path) -> str:
    """The key line in the file `entry`; its path is relative to `folder`.

    Raises:
        ValueError: with the reason, as the end of a sentence.
    """
    return _key_text(read_bounded(entry, folder, MAX_BYTES, "a public key file"))


def _key_text(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is a file of more than {MAX_BYTES // 1024} KiB, too much for one key")
    text = raw.decode("utf-8", errors="replace")
    if sshkey.is_private(text):
        raise ValueError("names a private key: name the public one, the same path with .pub")
    if not text.strip():
        raise ValueError("names an empty file")
    return text.strip()
