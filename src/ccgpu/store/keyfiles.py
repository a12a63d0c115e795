"""Public keys that a spec names by their files.

A private key given by mistake is told from its first look and never shown, nor any other content
of a file that is no public key.
"""

import re
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from ccgpu.domain import sshkey
from ccgpu.store.documents import reason

MAX_BYTES = 16 * 1024


def is_path(entry: str) -> bool:
    """Whether this is the path of a key file rather than a key."""
    text = entry.strip()
    if not text.isprintable() or not text or sshkey.is_private(text):
        return False
    if text.startswith(("~", "/", "./", "../")) or text.endswith(".pub"):
        return True
    return not re.search(r"\s", text) and not re.match(r"ssh-|ecdsa-|sk-", text)


def key_line(entry: str, folder: Path) -> str:
    """The key line in the file that `entry` names, relative to `folder`; else `ValueError`."""
    try:
        path = folder / Path(entry.strip()).expanduser()
        # Looked at first: opening a pipe would wait for its writer.
        mode = path.stat().st_mode
        if S_ISREG(mode):
            with path.open("rb") as stream:
                return _only_key(stream.read(MAX_BYTES + 1))
    except RuntimeError:
        raise ValueError("cannot be read: there is no home folder for ~") from None
    except OSError as err:
        raise ValueError(f"cannot be read: {reason(err)}") from None
    kind = "a folder" if S_ISDIR(mode) else "not a plain file"
    raise ValueError(f"is {kind}, name a public key file")


def _only_key(raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise ValueError(f"is a file of more than {MAX_BYTES // 1024} KiB, too much for one key")
    text = raw.decode("utf-8", errors="replace")
    if sshkey.is_private(text):
        raise ValueError("names a private key: name the public one, the same path with .pub")
    if not text.strip():
        raise ValueError("names an empty file")
    return text.strip()
