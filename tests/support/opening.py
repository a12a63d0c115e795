"""A VM in a folder that secrets are sealed to: its memory, its key, and the opener in it."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ccgpu.domain.secret import Secret
from ccgpu.guest import release
from ccgpu.guest.channel import Completed

BOUND, VERDICT = b"B" * 64, b"v" * 32
SWAPS = "Filename\tType\tSize\tUsed\tPriority\n"
MOUNTS = "/dev/sda1 / ext4 rw 0 0\ntmpfs /run tmpfs rw,nosuid,nodev,mode=755 0 0\n"


@dataclass
class OpenerVm:
    """The VM. `python`: what runs the script, in the environment `environ`."""

    root: Path
    python: str = sys.executable
    environ: Mapping[str, str] = field(default_factory=dict)
    done: list[Completed] = field(default_factory=list)

    def boot(self) -> "OpenerVm":
        """A VM that has just booted: nothing is in its memory."""
        (self.root / "proc").mkdir(parents=True, exist_ok=True)
        (self.root / "proc/swaps").write_text(SWAPS)
        (self.root / "proc/mounts").write_text(MOUNTS)
        (self.root / "run").mkdir()
        return self

    @property
    def run_folder(self) -> Path:
        """What is /run/ccgpu in the VM."""
        return self.root / "run/ccgpu"

    @property
    def secrets(self) -> Path:
        """The folder of secrets."""
        return self.run_folder / "secrets"

    def make_key(self) -> bytes:
        """A new release key, as the collector leaves it; returns the public one (32 bytes)."""
        key = X25519PrivateKey.generate()
        self.run_folder.mkdir(mode=0o700, exist_ok=True)
        file = self.run_folder / "release.pem"
        file.touch(mode=0o600)
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return key.public_key().public_bytes_raw()

    def seal(self, *secrets: Secret) -> bytes:
        """A message to a new release key."""
        return release.seal(secrets, self.make_key(), release.release_info(BOUND, VERDICT))

    def open(self, sealed: bytes, bound: bytes = BOUND, verdict: bytes = VERDICT) -> Any:
        """Open a message; raises as `release.open_in_guest`."""
        return release.open_in_guest(self, sealed, bound, verdict)

    def put(self, *secrets: Secret) -> Any:
        """Seal and open secrets."""
        return self.open(self.seal(*secrets))

    def run(self, argv: Sequence[str], stdin: bytes = b"", *, timeout: float) -> Completed:
        """Run the script, without sudo, on this VM's files."""
        done = subprocess.run(
            [self.python, *argv[3:], "--root", str(self.root)],
            input=stdin,
            capture_output=True,
            env=dict(self.environ),
            cwd=self.root,
            timeout=timeout,
            check=False,
        )
        self.done.append(Completed(done.returncode, done.stdout, done.stderr))
        return self.done[-1]

    def refusal(self, request: Any, script: bytes | None = None) -> str:
        """The code of the error that the script answers a request with."""
        text = request if isinstance(request, str) else json.dumps(request)
        words = release.command_line({})[:-1]
        done = self.run([*words, text], release.script() if script is None else script, timeout=60)
        document = json.loads(done.stdout)
        assert (done.exit_code, document["schema"]) == (1, "ccgpu.release-error/1"), document
        assert not done.stderr
        return str(document["code"])

    def contents(self) -> dict[str, bytes]:
        """Every file of the VM's memory."""
        return {
            str(path.relative_to(self.root)): path.read_bytes()
            for path in (self.root / "run").rglob("*")
            if path.is_file() and not path.is_symlink()
        }


def mode_of(path: Path) -> int:
    """The permissions of a file or folder."""
    return path.stat().st_mode & 0o7777
