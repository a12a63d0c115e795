"""Reads the public key files that a spec names.

Errors never show a file's content, which may be a private key given by mistake.
"""

import re
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from ccgpu.domain import sshkey
from ccgpu.store.documents import reason

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
    try:
        path = folder / Path(entry.strip()).expanduser()
        # Checked first: opening a named pipe would block.
        mode = path.stat().st_mode
        if S_ISREG(mode):
            with path.open("rb") as stream:
                return _key_text(stream.read(MAX_BYTES + 1))
    except RuntimeError:
        raise ValueError("cannot be read: there is no home folder for ~") from None
    except OSError as err:
        raise ValueError(f"cannot be read: {reason(err)}") from None
    kind = "a folder" if S_ISDIR(mode) else "not a plain file"
    raise ValueError(f"is {kind}, name a public key file")


def _key_text(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is a file of more than {MAX_BYTES // 1024} KiB, too much for one key")
    text = raw.decode("utf-8", errors="replace")
    if sshkey.is_private(text):
        raise ValueError("names a private key: name the public one, the same path with .pub")
    if not text.strip():
        raise ValueError("names an empty file")
    return text.strip()
