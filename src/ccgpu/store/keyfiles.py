"""Public keys that a spec names by their files.

A private key given by mistake is told from its first look and never shown, nor any other content
of a file that is no public key.
"""

import re
from pathlib import Path

from ccgpu.domain import sshkey
from ccgpu.store.documents import reason

MAX_BYTES = 16 * 1024


def is_path(entry: str) -> bool:
    """Whether this is the path of a key file rather than a key."""
    text = entry.strip()
    if not text or "\n" in text or sshkey.is_private(text):
        return False
    if text.startswith(("~", "/", "./", "../")) or text.endswith(".pub"):
        return True
    return not re.search(r"\s", text) and not re.match(r"ssh-|ecdsa-|sk-", text)


def line(entry: str, folder: Path) -> str:
    """The key line in the file that `entry` names, relative to `folder`; else `ValueError`."""
    try:
        path = folder / Path(entry.strip()).expanduser()
        if path.is_dir():
            raise ValueError("is a folder, name the public key file in it")
        if path.exists() and not path.is_file():
            raise ValueError("is not a plain file, name a public key file")
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except (OSError, RuntimeError) as err:  # RuntimeError: no home folder
        why = reason(err) if isinstance(err, OSError) else "there is no home folder for ~"
        raise ValueError(f"cannot be read: {why}") from None
    return _only_key(raw)


def _only_key(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is a file of more than {MAX_BYTES // 1024} KiB, too much for one key")
    text = raw.decode("utf-8", errors="replace")
    if sshkey.is_private(text):
        raise ValueError("names a private key: name the public one, the same path with .pub")
    if not text.strip():
        raise ValueError("names an empty file")
    return text.strip()
