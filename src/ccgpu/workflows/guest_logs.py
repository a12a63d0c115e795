"""The logs of a VM: its serial console, which Azure keeps, and the log of its set-up, inside it."""

from dataclasses import dataclass

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.errors import GuestNotReady
from ccgpu.guest.channel import Channel
from ccgpu.workflows.discovery.search import find_names, require_vm
from ccgpu.workflows.guest_access import read_serial_log

SETUP_LOG = "/var/lib/ccgpu/setup.log"
_TIMEOUT = 300.0  # seconds, for reads alone
_READ = 60.0  # seconds, for a part of the set-up log


@dataclass
class SerialConsole:
    """The serial console of a deployment's VM, read in parts."""

    cloud: AzureContext
    name: str
    group: str | None
    _shown: str = ""

    def read(self) -> str:
        """What it has printed since the last read; all of it if Azure has begun a new log."""
        run = Run.begin(self.cloud, _TIMEOUT)
        names = find_names(run, self.name, self.group)
        require_vm(run, names)
        log = read_serial_log(run, names)
        new = log.removeprefix(self._shown)
        self._shown = log
        return new


@dataclass
class SetupLog:
    """The log of the set-up in a VM, read in parts."""

    channel: Channel
    name: str
    _bytes: int = 0

    def read(self) -> str:
        """What was written since the last read; empty if there is no log yet."""
        words = ["sudo", "-n", "tail", "-c", f"+{self._bytes + 1}", SETUP_LOG]
        done = self.channel.run(words, timeout=_READ)
        if done.exit_code != 0:
            message = done.stderr.decode("utf-8", "replace").strip()
            raise GuestNotReady(
                f"the set-up log of {self.name} cannot be read: {message}",
                hint=f"`ccgpu logs {self.name} --serial` shows the console",
            )
        self._bytes += len(done.stdout)
        return done.stdout.decode("utf-8", "replace")
