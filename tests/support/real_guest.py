"""A real guest: Debian booted by systemd-nspawn, with cloud-init, sshd and a network of its own.

It has what `guest_root.py` built below it, and its own writes above. They stay over a reboot, and
go with the guest. Programs that need the GPU are those of `gpu_machine`; packages come from
`gpu_archive`, through the real apt.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import guest_root
from ccgpu.domain.spec.guest import Guest
from ccgpu.guest import serial_log
from ccgpu.guest.channel import GuestTarget
from ccgpu.guest.cloud_init import set_up_image
from ccgpu.guest.files import shipped_files
from ccgpu.scheduling.clock import RealClock
from support import gpu_archive, gpu_machine
from support.packages import SigningKey
from support.repository import ROOT

USER = "debian"  # cloud-init's default user on Debian; on Azure it is the admin user
SET_UP_SECONDS = 180.0  # on a machine that does much else; alone it takes 10
_BOOT_SECONDS, _SSH_SECONDS = 60.0, 60.0
_REBOOT = 133  # systemd-nspawn: the guest wants to boot again, and `--keep-unit` leaves it to us
_NETWORK = "[Match]\nName=host0\n[Network]\nAddress={address}/30\n"
# apt's way to fetch https, as guests have no network: from the folder of that host.
_HTTPS = """\
#!/usr/bin/python3 -IS
import hashlib, os, shutil, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
FOLDERS = {"developer.download.nvidia.com": "cuda", "nvidia.github.io": "toolkit"}
sys.stdout.write("100 Capabilities\\nVersion: 1.0\\nSend-Config: true\\n\\n")
sys.stdout.flush()
fields = {}
for line in sys.stdin:
    line = line.rstrip("\\n")
    if line:
        name, _, value = line.partition(": ")
        fields.setdefault(name, value)
        continue
    if "URI" in fields:
        uri, to = fields["URI"], fields["Filename"]
        folder = FOLDERS[uri.split("/")[2]]
        file = os.path.join("/srv/archive", folder, os.path.basename(uri))
        if os.path.exists(file):
            shutil.copy(file, to)
            raw = open(to, "rb").read()
            digest = hashlib.sha256(raw).hexdigest()
            sys.stdout.write(f"201 URI Done\\nURI: {uri}\\nFilename: {to}\\nSize: {len(raw)}\\n"
                             f"SHA256-Hash: {digest}\\n\\n")
        else:
            sys.stdout.write(f"400 URI Failure\\nURI: {uri}\\nMessage: 404  Not Found\\n"
                             "FailReason: HttpError404\\n\\n")
        sys.stdout.flush()
    fields = {}
"""


def user_data() -> str:
    """What cloud-init gets: all of the set-up that needs no network."""
    settings = {"openssl": False, "apt_snapshot": "none"}
    return set_up_image(Guest.model_validate(settings), "595.71.05", shipped_files())


def source_line(name: str) -> str:
    """The line of apt's sources for a folder of the archive."""
    return f"deb [signed-by=/etc/apt/keyrings/tests.asc] file:/srv/archive/{name} ./\n"


def require() -> Path:
    """The root to boot, or a skip that says what is missing."""
    if os.geteuid():
        pytest.skip("only as root")
    for tool in ("systemd-nspawn", "ip", "ssh", "gpg", "dpkg-deb", "unshare"):
        if not shutil.which(tool):
            pytest.skip(f"needs {tool}")
    folder = guest_root.folder_of(os.environ)
    if not guest_root.is_ready(folder):
        pytest.skip("needs the root of guests: python3 scripts/dev.py guest-root")
    return folder


def layer(folder: Path, root: Path) -> Path:
    """What lies between the root and a guest: the archive, its keys, and the programs."""
    archive, top = folder / "archive", folder / "layer"
    key = SigningKey(folder / "gnupg")
    gpu_archive.build(archive, key)
    shutil.copytree(archive, top / "srv/archive", ignore=shutil.ignore_patterns("work"))
    files = {
        "srv/key.asc": key.public,
        "etc/apt/keyrings/tests.asc": key.public,
        "etc/apt/sources.list.d/tests.list": source_line("ubuntu"),
        "usr/lib/apt/methods/https": _HTTPS,
        "machine.json": json.dumps({**gpu_machine.GOOD, "installed": {}}),
        "calls": "",
        "etc/waagent.conf": "Extensions.Enabled=y\n",
        "etc/systemd/system/walinuxagent.service": "[Service]\nExecStart=/bin/sleep infinity\n",
        "etc/hostname": "ccgpu\n",
        "etc/hosts": "127.0.0.1 localhost ccgpu\n",
        "etc/machine-id": f"{uuid.uuid4().hex}\n",  # else systemd resets what is enabled
    }
    for path, text in files.items():
        file = top / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (top / "usr/lib/apt/methods/https").chmod(0o755)
    (top / "calls").chmod(0o666)
    (top / "machine.json").chmod(0o666)
    (top / "usr/local/lib").mkdir(parents=True)
    (top / "usr/local/sbin").mkdir()
    (top / "usr/bin").mkdir()
    shutil.copy(ROOT / "tests/support/gpu_machine.py", top / "usr/local/lib")
    for name in gpu_machine.GPU:
        is_there = any(os.path.lexists(root / one / name) for one in ("usr/bin", "usr/sbin"))
        place = (
            "usr/local/sbin" if is_there else "usr/bin"
        )  # the probe looks only in system folders
        (top / place / name).symlink_to("/usr/local/lib/gpu_machine.py")
    return top


def prepared(folder: Path) -> list[Path]:
    """The layers that every guest boots from, the uppermost first; made once."""
    root = require()
    middle = layer(folder, root)
    top = folder / "image"
    for name in ("upper", "work", "merged"):
        (top / name).mkdir(parents=True)
    options = f"lowerdir={middle}:{root},upperdir={top}/upper,workdir={top}/work"
    install = "dpkg -i /srv/archive/installed/*.deb >/dev/null"
    mount = f"mount -t overlay overlay -o {options} {top}/merged"
    script = f"{mount} && chroot {top}/merged sh -c '{install}'"
    command = ["unshare", "-m", "--propagation", "private", "sh", "-c", script]
    subprocess.run(command, check=True, capture_output=True)
    return [top / "upper", middle, root]


class RealGuest:
    """A guest: its folder, its address, and the process that runs it."""

    def __init__(self, lower: list[Path], folder: Path, number: int, binds: Sequence[str]) -> None:
        self._lower, self.folder, self._binds = lower, folder, binds
        # systemd shortens the name of a link to a machine with more than 11 characters.
        self.name = f"cg{os.getpid() % 1_000_000}{chr(97 + number)}"
        net = (os.getpid() * 8 + number) % 16384 * 4
        self._host, self.address = (f"10.213.{net >> 8}.{(net & 255) + n}" for n in (1, 2))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Boot from its layers, the uppermost first, with the guest's own writes above."""
        folder, layers = self.folder, ":".join(map(str, self._lower))
        (folder / "net").write_text(_NETWORK.format(address=self.address))
        for name in ("upper", "work", "merged"):
            (folder / name).mkdir(exist_ok=True)
        options = f"lowerdir={layers},upperdir={folder}/upper,workdir={folder}/work"
        script = f'mount -t overlay overlay -o {options} {folder}/merged && exec "$@"'
        command = [
            *("unshare", "-m", "--propagation", "private", "sh", "-c", script, "-"),
            *("systemd-nspawn", "-q", "-b", "--register=no", "--keep-unit", "--network-veth"),
            *(f"--machine={self.name}", "--resolv-conf=off", "--console=read-only"),
            *("--kill-signal=SIGRTMIN+3", f"--bind-ro={folder}/seed:/var/lib/cloud/seed/nocloud"),
            f"--bind-ro={folder}/net:/etc/systemd/network/80-container-host0.network",
            *(f"--bind={bind}" for bind in self._binds),
            *("-D", f"{folder}/merged"),
        ]
        with (folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT
            )

    def stop(self) -> None:
        """Shut the guest down."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def console(self) -> str:
        """All that was printed on its console."""
        return (self.folder / "console").read_text(errors="replace")

    def upper(self, path: str) -> Path:
        """A file that the guest has written."""
        return self.folder / "upper" / path

    def status(self) -> dict[str, Any]:
        """setup.json, as it is now."""
        return dict(json.loads(self.upper("var/lib/ccgpu/setup.json").read_text()))

    def target(self, identity: Path) -> GuestTarget:
        """Where the guest is reached; its host key is what its console shows."""
        key = serial_log.host_key(self.console)
        return GuestTarget(
            *("guest", "00000000-0000-4000-8000-000000000001", self.address, USER),
            host_key=key,
            identity=identity,
        )

    def wait(self, what: str, until: Callable[[], bool], seconds: float = _BOOT_SECONDS) -> None:
        """Wait until it is so; the console is in the failure's text. Keeps the network up."""
        clock = RealClock()
        deadline = clock.now() + seconds
        while not until():
            code = self._process.poll() if self._process else 1
            if code == _REBOOT:
                self.start()
            elif code is not None or clock.now() > deadline:
                pytest.fail(f"{what}: not within {seconds:.0f} s\n{self.console[-6000:]}")
            self._network()
            clock.sleep(0.1)

    def wait_for_set_up(self, times: int = 1) -> None:
        """Wait until the set-up has ended so many times, and drift was looked for."""
        end = re.compile(r"ccgpu-setup: (?:done$|failed at )", re.MULTILINE)

        def until() -> bool:
            return len(end.findall(self.console.replace("\r", ""))) >= times

        self.wait("the set-up's end", until, SET_UP_SECONDS)

    def answers(self) -> bool:
        """Whether sshd greets at its port (RFC 4253, 4.2); asked by a program of its own.

        A connection alone tells nothing: while the guest has no link, others may take it.
        """
        greeting = "read -r -t 3 -N 4 greeting <&3; [[ $greeting == SSH- ]]"
        ask = ["bash", "-c", f"exec 3<>/dev/tcp/{self.address}/22; {greeting}"]
        try:
            return not subprocess.run(ask, check=False, capture_output=True, timeout=5).returncode
        except subprocess.TimeoutExpired:
            return False

    def _network(self) -> None:
        """Give the host's end of the link its address; a reboot makes a new link."""
        link = f"ve-{self.name}"
        commands = [
            ["ip", "addr", "replace", f"{self._host}/30", "dev", link],
            ["ip", "link", "set", link, "up"],
        ]
        if Path("/sys/class/net", link).exists():
            for command in commands:
                subprocess.run(command, check=False, capture_output=True)


@contextmanager
def booted(
    lower: list[Path],
    folder: Path,
    user_data: str,
    public_key: str,
    number: int = 0,
    binds: Sequence[str] = (),
) -> Iterator[RealGuest]:
    """A guest that boots from these layers with this first configuration.

    binds: `SOURCE:TARGET`, files of this machine that the guest has, too.
    """
    (folder / "seed").mkdir(parents=True)
    guest = RealGuest(lower, folder, number, binds)
    meta = {"instance-id": f"i-{guest.name}", "local-hostname": "ccgpu"}
    (folder / "seed/meta-data").write_text(json.dumps({**meta, "public-keys": [public_key]}))
    (folder / "seed/user-data").write_text(user_data)
    guest.start()
    try:
        yield guest
    finally:
        guest.stop()
