"""The checks of this machine: the state folder, OpenSSH, and the SSH key of a new VM."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.domain.finding import Finding, failed, good, unknown, warned
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import CcgpuError, StateUnusable
from ccgpu.store import file_modes
from ccgpu.store.keys import Keys

STATE, SSH, KEY, MODES = "state-folder", "ssh", "ssh-key", "file-modes"


@dataclass(frozen=True, slots=True)
class LocalMachine:
    """This machine.

    keys: those of the deployment. require_channel: raises an error if OpenSSH is missing, or if
    none of these private keys can be used without a question.
    """

    keys: Keys
    require_channel: Callable[[Sequence[Path]], None]

    def findings(self, spec: VmSpec | None) -> Iterator[Finding]:
        """The findings, in order."""
        try:
            yield self._state()
            yield from self._modes()
        except OSError as err:
            yield unknown(MODES, f"{err.filename} cannot be looked at: {err.strerror}")
        ssh = self._ssh()
        yield ssh
        if ssh.error is not None:
            yield unknown(KEY, "not looked at: it needs OpenSSH")
            return
        try:
            yield self._key(spec)
        except CcgpuError as err:
            yield failed(KEY, err)
        except OSError as err:
            hint = f"`chmod u+r {err.filename}`, or give another key: `--ssh-key FILE`"
            problem = StateUnusable(f"{err.filename} cannot be read: {err.strerror}", hint=hint)
            yield failed(KEY, problem)

    def _state(self) -> Finding:
        folder = self.keys.state
        try:
            file_modes.require_writable(folder)
        except StateUnusable as err:
            return failed(STATE, err)
        return good(STATE, f"{folder} can be written")

    def _modes(self) -> Iterator[Finding]:
        loose = list(file_modes.loose_files(self.keys.state))
        for one in loose:
            if _is_private_key(one.path, self.keys.state):
                yield failed(MODES, StateUnusable(one.message, hint=one.command))
            else:
                yield warned(MODES, one.message, one.command)
        if not loose:
            yield good(MODES, "journals and keys are yours alone")

    def _ssh(self) -> Finding:
        try:
            self.require_channel(())
        except CcgpuError as err:
            return failed(SSH, err)
        return good(SSH, "ssh and scp are installed")

    def _key(self, spec: VmSpec | None) -> Finding:
        """The key of a new VM: the spec's, the user's own, or one that `create` generates."""
        if spec is not None and spec.ssh_keys:
            return good(KEY, f"the spec names {len(spec.ssh_keys)}")
        self.keys.planned()  # the public key can be read, and Azure takes it
        if not self.keys.own.is_file():
            return good(KEY, f"`create` generates one in {self.keys.private.parent}")
        private = self.keys.own.with_suffix("")
        if not private.exists():
            return warned(
                KEY,
                f"{self.keys.own} has no private key beside it: ssh needs that, or its agent",
                f"put the private key at {private}, or load it: `ssh-add FILE`",
            )
        if loose := file_modes.loose_key(private):
            text = f"{loose.message}, so ssh refuses the key"
            return failed(KEY, StateUnusable(text, hint=loose.command))
        self.require_channel((private,))
        return good(KEY, f"{private}")


def _is_private_key(path: Path, state: Path) -> bool:
    return path.parent == state / "keys" and path.suffix != ".pub" and path.is_file()
