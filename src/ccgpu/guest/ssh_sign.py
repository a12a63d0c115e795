"""Signs with an SSH key, as `ssh-keygen -Y sign` does: keys of the agent and of FIDO, too."""

import subprocess
import tempfile
from pathlib import Path

from ccgpu.domain import plain_text
from ccgpu.domain.signers import NAMESPACE, SUFFIX
from ccgpu.errors import GuestUnreachable, UsageProblem
from ccgpu.guest.ssh_process import environment, program
from ccgpu.store import atomic

TIMEOUT = 120.0  # seconds for a passphrase, or until a security key is touched


def sign_with_ssh(key: Path, data: bytes, *, terminal: bool) -> bytes:
    """The armored signature over `data` (OpenSSH, PROTOCOL.sshsig).

    terminal: whether ssh-keygen may ask for a passphrase there. It talks to the user itself, so
    that its messages are not read here.

    Raises:
        UsageProblem: It could not be made; with the reason that ssh-keygen gives.
    """
    try:
        sign = [program("ssh-keygen"), "-Y", "sign", "-n", NAMESPACE, "-f", str(key.absolute())]
    except GuestUnreachable as err:
        raise UsageProblem("`ssh-keygen` is not installed on this machine", hint=err.hint) from err
    # A file, because ssh-keygen would read a passphrase from the same input as the data.
    with tempfile.TemporaryDirectory(prefix="ccgpu-sign-") as folder:
        file = Path(folder) / "bundle"
        atomic.create(file, data)
        _run([*sign, str(file)], key, terminal=terminal)
        try:
            return file.with_name(file.name + SUFFIX).read_bytes()
        except FileNotFoundError:
            raise UsageProblem("`ssh-keygen` made no signature", hint=_by_hand(key)) from None


def _run(argv: list[str], key: Path, *, terminal: bool) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # a list of words, and no shell
            argv,
            stdin=None if terminal else subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=None if terminal else subprocess.PIPE,
            env=environment(),
            timeout=TIMEOUT,
            check=False,
            start_new_session=not terminal,  # without a terminal, it asks for nothing
        )
    except subprocess.TimeoutExpired:
        raise UsageProblem(
            f"`ssh-keygen` did not sign within {TIMEOUT:.0f} s", hint=_by_hand(key)
        ) from None
    if done.returncode:
        lines = (done.stderr or b"").decode("utf-8", "replace").strip().splitlines()
        said = plain_text.one_line(lines[-1][:300]) if lines else f"exit code {done.returncode}"
        raise UsageProblem(f"`ssh-keygen` did not sign: {said}", hint=_by_hand(key))


def _by_hand(key: Path) -> str:
    return (
        f"load the key into the agent (`ssh-add {key}`), or sign the saved bundle yourself: "
        f"`ssh-keygen -Y sign -n {NAMESPACE} -f {key} FILE`"
    )
