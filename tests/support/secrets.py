"""A user who puts secrets into the VM `demo`, and what the VM's memory holds of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ccgpu.fakearm import StoredFile
from ccgpu.fakeguest.files import FileTree
from ccgpu.fakeguest.guest import SimulatedGuest
from ccgpu.guest.channel import Channel, Completed, GuestTarget, OpenChannel
from support.attesting import Attester, WrappedChannel, open_now
from support.cli import CommandResult, Shell

CANARY = "hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5"
Send = Callable[[], Completed]


@dataclass
class SecretUser:
    """One user's machine. opened: how often something was sent to be opened."""

    shell: Shell
    opened: list[bytes] = field(default_factory=list)

    def __call__(self, words: str, *, stdin: bytes | None = None) -> CommandResult:
        """`ccgpu secret WORDS --backend fake`."""
        self.shell.stdin = stdin
        return self.shell(f"secret {words} --backend fake")

    @property
    def attester(self) -> Attester:
        """The same user."""
        return Attester(self.shell)

    @property
    def held(self) -> dict[str, bytes]:
        """The secrets that are in the VM's memory, by name."""
        folder = "/run/ccgpu/secrets"
        tree = FileTree(self._guest())
        paths = tree.list_below(folder)
        return {path.removeprefix(f"{folder}/"): self._read(tree, path).data for path in paths}

    def _read(self, tree: FileTree, path: str) -> StoredFile:
        file = tree.read(path)
        assert file is not None
        assert file.mode == 0o600
        return file

    def _guest(self) -> SimulatedGuest:
        address = self.shell("show demo --backend fake -o json").document["public_ip"]
        with self.shell.arm.machine_at(address) as machine:
            assert machine is not None
            return SimulatedGuest(machine)

    def when_opening(self, act: Callable[[Send], Completed]) -> "SecretUser":
        """The same user; `act` is called in place of sending what the VM has to open."""
        opened = self.opened

        def wrap(channels: OpenChannel, target: GuestTarget) -> Channel:
            inner = open_now(channels, target)

            def run(argv: Sequence[str], stdin: bytes, timeout: float) -> Completed:
                def send() -> Completed:
                    return inner.run(argv, stdin, timeout=timeout)

                if "ccgpu-release" in argv and '"action":"open"' in argv[-1]:
                    opened.append(stdin)
                    return act(send)
                return send()

            return WrappedChannel(inner, run)

        return replace(self, shell=self.attester.through(wrap).shell)

    def watched(self) -> "SecretUser":
        """The same user, with `opened` counted."""
        return self.when_opening(lambda send: send())


def places_of(data: bytes, *folders: Path) -> list[str]:
    """The files below the folders that have these bytes in their content or their name."""
    files = [path for folder in folders for path in folder.rglob("*")]
    return [
        str(path)
        for path in files
        if data in str(path).encode() or (path.is_file() and data in path.read_bytes())
    ]
