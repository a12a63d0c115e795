#!/usr/bin/python3 -IS
"""The programs that the guest's set-up calls, and a test machine lacks: one file, many names.

Linked under each name of `NAMES`, it answers as that program does on a confidential GPU VM. What
it stands on is a JSON file, `$CCGPU_ROOT/machine.json`, so a test prepares a machine, or breaks it:
`broken` maps the beginning of a command line to an exit code and what is printed. Each call is
written down in `$CCGPU_ROOT/calls`. It imports nothing but the standard library: it also runs in
guests. `support.stub_server` answers for it where guests are folders.
"""

import fcntl
import fnmatch
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(os.environ.get("CCGPU_ROOT") or "/")
STATE = ROOT / "machine.json"
KERNEL = "6.8.0-1066-azure-fde"
VERSION = "595.71.05"
GOOD: dict[str, Any] = {
    "kernel": KERNEL,
    "loaded": None,
    "gpu": {
        "cc": "ON",
        "environment": "PRODUCTION",
        "devtools": "OFF",
        "ready": "not-ready",
        "persistence": "Enabled",
    },
    "installed": {
        f"linux-image-{KERNEL}": "6.8.0-1066.73",
        "linux-azure-fde": "6.8.0.1066.73",
        "linux-libc-dev": "6.8.0-200.200",
        "nullboot": "0.5.1",
        "unattended-upgrades": "2.9",
        "cryptsetup-bin": "2.7.0",
        "dmsetup": "1.02",
    },
    "archive": {
        "nvidia-modprobe": ["595.71.05-1ubuntu1"],
        "nvidia-driver-595-server-open": ["595.71.05-0ubuntu0.24.04.1"],
        f"linux-modules-nvidia-595-server-open-{KERNEL}": ["6.8.0-1066.73"],
        "linux-modules-nvidia-595-server-open-azure-fde": ["6.8.0-1066.73"],
        "docker.io": ["28.2.2-0ubuntu1~24.04.1"],
        "nvidia-container-toolkit": ["1.20.1-1"],
        "nvidia-container-toolkit-base": ["1.20.1-1"],
        "libnvidia-container-tools": ["1.20.1-1"],
        "libnvidia-container1": ["1.20.1-1"],
        "python3-cryptography": ["41.0.7-4ubuntu0.1"],
        "gcc": ["13"],
        "make": ["4.3"],
        "perl": ["5.38"],
    },
    "depends": {
        "linux-modules-nvidia-595-server-open-azure-fde": [
            f"linux-modules-nvidia-595-server-open-{KERNEL}"
        ],
        "nvidia-driver-595-server-open": ["nvidia-compute-utils-595-server"],
    },
    "module_version": VERSION,
    "held": [],
    "active": [],
    "passwords": {},
    "broken": {},
}
_MODULE = "linux-modules-nvidia-595-server-open-"


def _say(text: str) -> int:
    sys.stdout.write(text + "\n")
    return 0


def _fail(text: str, code: int) -> int:
    sys.stderr.write(text + "\n")
    return code


def _write(path: str, text: str) -> None:
    file = ROOT / path
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except FileNotFoundError:  # below /proc there are no new folders: put one over
        os.system("mount -t tmpfs tmpfs /proc/driver")
        file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def _apt_get(words: Sequence[str], state: dict[str, Any]) -> int:
    rest = list(words)
    simulated = "-s" in rest
    while rest and rest[0] not in {"install", "update"}:
        rest.pop(0)
    for word in rest[1:]:
        if word.startswith("-"):
            continue
        name, _, pattern = word.partition("=")
        versions = state["archive"].get(name)
        if versions is None:
            return _fail(f"E: Unable to locate package {name}", 100)
        found = [one for one in versions if fnmatch.fnmatch(one, pattern or "*")]
        if not found:
            return _fail(f"E: Version '{pattern}' for '{name}' was not found", 100)
        if not simulated:
            _unpack(name, found[-1], state)
    return 0


def _unpack(name: str, version: str, state: dict[str, Any]) -> None:
    state["installed"][name] = version
    for other in state["depends"].get(name, []):
        state["installed"][other] = version
    if name.startswith(_MODULE) and name.endswith("-azure-fde"):
        kernel = name.removeprefix(_MODULE)
        _write(f"lib/modules/{kernel}/nvidia.version", state["module_version"])
        state["installed"].setdefault(f"linux-image-{kernel}", version)
        if kernel != state["kernel"]:
            _write(f"usr/lib/linux/efi/kernel.efi-{kernel}", kernel)


def _dpkg_query(words: Sequence[str], state: dict[str, Any]) -> int:
    form = next(word for word in words if word.startswith("-f=")).removeprefix("-f=")
    names = [word for word in words if not word.startswith("-")] or sorted(state["installed"])
    for name in names:
        if name not in state["installed"]:
            return _fail(f"dpkg-query: no packages found matching {name}", 1)
        text = form.replace("${Package}", name).replace("${db:Status-Status}", "installed")
        text = text.replace("${Version}", state["installed"][name]).replace("\\n", "\n")
        sys.stdout.write(text)
    return 0


def _apt_cache(words: Sequence[str], state: dict[str, Any]) -> int:
    name = words[-1]
    if "policy" in words:
        return _say(f"{name}:\n  Installed: (none)\n  Candidate: {_candidate(name, state)}")
    if name not in state["archive"]:
        return _fail("E: No packages found", 100)
    return _say("\n".join([name, *(f"  Depends: {one}" for one in state["depends"].get(name, []))]))


def _candidate(name: str, state: dict[str, Any]) -> str:
    """The version that the pins choose, else the last one."""
    versions: list[str] = state["archive"].get(name, ["(none)"])
    for file in sorted((ROOT / "etc/apt/preferences.d").iterdir()):
        for record in file.read_text().split("\n\n"):
            package, pin = re.findall(r"(?:Package|Pin): (.*)", record)
            named = any(fnmatch.fnmatch(name, one) for one in package.split())
            if named and pin.startswith("version "):
                chosen = fnmatch.filter(versions, pin.removeprefix("version "))
                versions = chosen or versions
    return versions[-1]


def _apt_mark(words: Sequence[str], state: dict[str, Any]) -> int:
    if words[0] == "showhold":
        sys.stdout.write("".join(f"{name}\n" for name in sorted(state["held"])))
    else:
        state["held"] = sorted({*state["held"], *words[1:]})
    return 0


def _nullbootctl(words: Sequence[str], state: dict[str, Any]) -> int:
    del words, state
    for kernel in (ROOT / "usr/lib/linux/efi").glob("kernel.efi-*"):
        _write(f"boot/efi/EFI/ubuntu/{kernel.name}", kernel.read_text())
    return 0


def _uname(words: Sequence[str], state: dict[str, Any]) -> int:
    if list(words) != ["-r"]:  # others ask for more than our scripts do
        return os.waitstatus_to_exitcode(os.system(" ".join(["/usr/bin/uname", *words])))
    return _say(state["kernel"])


def _module(kernel: str) -> str | None:
    file = ROOT / "lib/modules" / kernel / "nvidia.version"
    return file.read_text().strip() if file.exists() else None


def _modinfo(words: Sequence[str], state: dict[str, Any]) -> int:
    kernel = words[words.index("-k") + 1] if "-k" in words else state["kernel"]
    if version := _module(kernel):
        return _say(version)
    return _fail("modinfo: ERROR: Module nvidia not found.", 1)


def _modprobe(words: Sequence[str], state: dict[str, Any]) -> int:
    if words[0] != "nvidia":
        return 0
    version = state["loaded"] or _module(state["kernel"])
    if not version:
        where = f"/lib/modules/{state['kernel']}"
        return _fail(f"modprobe: FATAL: Module nvidia not found in directory {where}", 1)
    state["loaded"] = version
    line = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build"
    text = f"{line}  (root@host)  Mon Jun  1 08:00:00 UTC 2026\n"
    file = ROOT / "proc/driver/nvidia/version"
    if not file.exists() or file.read_text() != text:  # the steps of a boot read it side by side
        _write("proc/driver/nvidia/version", text)
    return 0


def _nvidia_modprobe(words: Sequence[str], state: dict[str, Any]) -> int:
    names = {"0": "nvidia0", "255": "nvidiactl"}
    name = "nvidia-uvm" if "-u" in words else names.get(words[-1], "nvidia-modeset")
    if state.get("devices", True) or name == "nvidiactl":
        _write(f"dev/{name}", "")
    return 0


def _library(state: dict[str, Any]) -> str:
    if state["installed"]:  # else the machine's packages are those of dpkg
        return str(state["installed"].get("nvidia-driver-595-server-open", "")).partition("-")[0]
    query = "dpkg-query -W -f='${Version}' nvidia-driver-595-server-open 2>/dev/null"
    with os.popen(query) as answer:
        return answer.read().partition("-")[0]


def _nvidia_smi(words: Sequence[str], state: dict[str, Any]) -> int:
    gpu, version = state["gpu"], _library(state)
    if not version or not state["loaded"]:
        return _fail(
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make "
            "sure that the latest NVIDIA driver is installed and running.",
            9,
        )
    if version != state["loaded"]:
        told = "Failed to initialize NVML: Driver/Library version mismatch"
        return _fail(f"{told}\nNVML library version: {version.rpartition('.')[0]}", 18)
    if words[0].startswith("--query-gpu="):
        known = {
            "driver_version": version,
            "persistence_mode": gpu["persistence"],
            "name": "NVIDIA H100 NVL",
            "vbios_version": "96.00.88.00.11",
            "uuid": "GPU-00000000-0000-0000-0000-000000000000",
        }
        return _say(", ".join(known[word] for word in words[0].partition("=")[2].split(",")))
    if words[1] == "-srs":
        gpu["ready"] = "ready" if words[2] == "1" else "not-ready"
        return 0
    lines = {
        "-f": f"CC status: {gpu['cc']}",
        "-e": f"CC Environment: {gpu['environment']}",
        "-d": f"DevTools Mode: {gpu['devtools']}",
        "-grs": f"Confidential Compute GPUs Ready state: {gpu['ready']}",
    }
    return _say(lines[words[1]])


def _systemctl(words: Sequence[str], state: dict[str, Any]) -> int:
    units = [word for word in words[1:] if not word.startswith("-")]
    if words[0] == "is-active":
        active = [unit for unit in units if unit in state["active"]]
        if "--quiet" not in words:
            sys.stdout.write("".join(f"{'in' * (u not in active)}active\n" for u in units))
        return 0 if active else 3
    if words[0] in {"start", "restart"}:
        state["active"] = sorted({*state["active"], *units})
    return 0


def _usermod(words: Sequence[str], state: dict[str, Any]) -> int:
    if words[0] != "-p":
        return 0
    state["passwords"][words[2]] = words[1]
    shadow = ROOT / "etc/shadow"
    text = re.sub(rf"(?m)^{words[2]}:[^:]*:", f"{words[2]}:{words[1]}:", shadow.read_text())
    shadow.write_text(text)
    return 0


def _curl(words: Sequence[str], state: dict[str, Any]) -> int:
    del state
    if "-o" in words:
        Path(words[words.index("-o") + 1]).write_text("an archive")
        return 0
    key = ROOT / "srv/key.asc"
    return _say(key.read_text() if key.exists() else "-----BEGIN PGP PUBLIC KEY BLOCK-----")


def _gpg(words: Sequence[str], state: dict[str, Any]) -> int:
    del words, state
    last = [line for line in (ROOT / "calls").read_text().splitlines() if "curl " in line][-1]
    known = {
        "cuda": "EB693B3035CD5710E231E123A4B469963BF863CC",
        "libnvidia": "C95B321B61E88C1809C4F759DDCAE044F796ECB0",
    }
    key = next(value for name, value in known.items() if name in last)
    return _say(f"pub:-:4096:1:1::::::scESC:\nfpr:::::::::{key}:\nsub:-:1\nfpr:::::::::{'A' * 40}:")


def _sshd(words: Sequence[str], state: dict[str, Any]) -> int:
    del words, state
    ours = (ROOT / "etc/ssh/sshd_config.d/00-ccgpu.conf").read_text()
    passwords = "no" if "PasswordAuthentication no" in ours else "yes"
    return _say(f"port 22\nusepam yes\npasswordauthentication {passwords}")


def _cryptsetup(words: Sequence[str], state: dict[str, Any]) -> int:
    if "--key-file" in words:
        key = Path(words[words.index("--key-file") + 1])
        state.setdefault("keys", []).append(
            [words[0], key.read_bytes().hex(), oct(key.stat().st_mode)]
        )
    return 0


def _lsblk(words: Sequence[str], state: dict[str, Any]) -> int:
    return _say(state.get("disk_type", "disk") if "-dno" in words else state.get("mounted", ""))


def _printing(text: str) -> Callable[[Sequence[str], dict[str, Any]], int]:
    return lambda _words, _state: _say(text)


def _nothing(words: Sequence[str], state: dict[str, Any]) -> int:
    del words, state
    return 0


GPU: dict[str, Callable[[Sequence[str], dict[str, Any]], int]] = {
    "uname": _uname,
    "modinfo": _modinfo,
    "modprobe": _modprobe,
    "nvidia-modprobe": _nvidia_modprobe,
    "nvidia-smi": _nvidia_smi,
    "nvidia-ctk": _printing("nvidia.com/gpu=0\nnvidia.com/gpu=all"),
    "mokutil": _printing("SecureBoot enabled"),
    "docker": _printing("[/etc/cdi /var/run/cdi]"),
    "curl": _curl,
    "gpg": _gpg,
    "sysctl": _nothing,  # it would change the machine that the tests run on
}
SYSTEM: dict[str, Callable[[Sequence[str], dict[str, Any]], int]] = {
    "apt-get": _apt_get,
    "apt-cache": _apt_cache,
    "apt-mark": _apt_mark,
    "dpkg-query": _dpkg_query,
    "dpkg": _nullbootctl,
    "nullbootctl": _nullbootctl,
    "systemctl": _systemctl,
    "usermod": _usermod,
    "sshd": _sshd,
    "cryptsetup": _cryptsetup,
    "lsblk": _lsblk,
    "findmnt": lambda _, state: _say(state["source"]) if state.get("source") else 1,
    **dict.fromkeys(
        ("id", "swapoff", "udevadm", "umount", "mount", "wipefs", "mkfs.ext4", "cloud-init"),
        _nothing,
    ),
    "update-initramfs": _nothing,
}
NAMES = {**GPU, **SYSTEM}


def _broken(line: str, state: dict[str, Any]) -> int | None:
    for beginning, (code, text) in state["broken"].items():
        if line.startswith(beginning):
            (sys.stderr if code else sys.stdout).write(text + "\n" * bool(text))
            return int(code)
    return None


def answer(name: str, words: Sequence[str]) -> int:
    """Answer as the program of that name, and return its exit code."""
    plain = " ".join([name, *_without_options(name, words)])
    with (ROOT / "calls").open("a") as calls:
        calls.write(" ".join([name, *words]) + "\n")
    with (ROOT / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # services of a boot call programs side by side
        return _answer_alone(name, words, plain)


def _answer_alone(name: str, words: Sequence[str], plain: str) -> int:
    state = json.loads(STATE.read_text())
    before = json.dumps(state)
    _notice_boot(state)
    code = _broken(plain, state)
    if code is None:
        code = NAMES[name](words, state)
    if json.dumps(state) != before:
        new = STATE.with_suffix(f".{os.getpid()}")
        new.write_text(json.dumps(state))
        new.replace(STATE)
    return code


def _notice_boot(state: dict[str, Any]) -> None:
    """What a boot undoes: the loaded module, what ran, the ready state."""
    boot = (ROOT / "proc/sys/kernel/random/boot_id").read_text().strip()
    if state.get("boot") not in {None, boot}:
        state["loaded"], state["gpu"]["ready"] = None, "not-ready"
        if _module(state["kernel"]):  # udev loads it, and systemd starts the daemon
            _modprobe(["nvidia"], state)
            state["active"] = ["nvidia-persistenced.service"]
        else:
            (ROOT / "proc/driver/nvidia/version").unlink(missing_ok=True)
            state["active"] = []
    state["boot"] = boot


def _without_options(name: str, words: Sequence[str]) -> list[str]:
    """The command line of apt without what every call has."""
    if name != "apt-get":
        return list(words)
    kept, skipped = [], False
    for word in words:
        if skipped or word in {
            *("-y", "-q", "-o", "--allow-change-held-packages", "--allow-downgrades")
        }:
            skipped = word == "-o"
        else:
            kept.append(word)
    return kept


if __name__ == "__main__":
    raise SystemExit(answer(Path(sys.argv[0]).name, sys.argv[1:]))
