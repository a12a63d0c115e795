"""The state of the system: cloud-init, secure boot, disks, kernel."""

import re
from typing import Any

from ccgpu.fakeguest.commands.call import (
    CommandTable,
    Ending,
    GuestCall,
    as_json,
    complaint,
    printed,
)
from ccgpu.fakeguest.guest import SimulatedGuest

_ERROR = "('scripts_user', RuntimeError('Runparts: 1 failures (runcmd) in 1 attempted commands'))"
_IMPORT = re.compile(r"from cryptography(\.[a-z0-9_]+)* import [a-z0-9_]+")
_ROOT_BYTES, _USED_BYTES = 62_300_000_000, 9_800_000_000


def _cloud_init(call: GuestCall) -> Ending:
    """`cloud-init status`, in JSON, in long form or in short."""
    guest, status = call.guest, call.guest.cloud_init
    errors = [_ERROR] if status == "error" else []
    code = 1 if errors else 0
    match call.argv[1:]:
        case ("status", "--format", "json") | ("status", "--format=json"):
            return Ending(code, as_json(_cloud_init_document(guest, errors)))
        case ("status", "--long"):
            lines = [f"status: {status}", "detail: DataSourceAzure [seed=/dev/sr0]"]
            return printed("\n".join(lines + [f"errors:\n\t- {one}" for one in errors]), code)
        case ("status",):
            return printed(f"status: {status}", code)
        case _:
            return complaint("cloud-init: this simulated guest knows `status` only", 2)


def _cloud_init_document(guest: SimulatedGuest, errors: list[str]) -> dict[str, Any]:
    status = guest.cloud_init
    disabled = status == "disabled"
    return {
        "boot_status_code": "disabled-by-marker-file" if disabled else "enabled-by-generator",
        "datasource": "" if disabled else "azure",
        "detail": "Cloud-init disabled" if disabled else "DataSourceAzure [seed=/dev/sr0]",
        "errors": errors,
        "extended_status": status,
        "recoverable_errors": {},
        "schemas": {},
        "status": status,
    }


def _mokutil(call: GuestCall) -> Ending:
    if call.argv[1:] not in (("--sb-state",), ("--sb",)):
        return complaint("mokutil: this simulated guest knows --sb-state only")
    return printed(f"SecureBoot {'enabled' if call.guest.machine.secure_boot else 'disabled'}")


def _uname(call: GuestCall) -> Ending:
    kernel, name = call.guest.kernel, call.guest.machine.name
    texts = {
        (): "Linux",
        ("-s",): "Linux",
        ("-n",): name,
        ("-r",): kernel,
        ("-m",): "x86_64",
        ("-a",): f"Linux {name} {kernel} #1-Ubuntu SMP x86_64 x86_64 x86_64 GNU/Linux",
    }
    text = texts.get(call.argv[1:])
    return complaint(f"uname: invalid option: {call.argv[1:]}") if text is None else printed(text)


def _device(name: str, kind: str, mount: str | None, fstype: str | None, *below: Any) -> Any:
    device = {"name": name, "type": kind, "mountpoints": [mount], "fstype": fstype}
    return {**device, "children": list(below)} if below else device


def _lsblk(call: GuestCall) -> Ending:
    if "--json" not in call.argv[1:]:
        return complaint("lsblk: this simulated guest knows --json only")
    disk = _device(
        "sda",
        "disk",
        None,
        None,
        _device("sda1", "part", "/", "ext4"),
        _device("sda15", "part", "/boot/efi", "vfat"),
    )
    return Ending(0, as_json({"blockdevices": [disk, *_temp_disks(call.guest)]}))


def _temp_disks(guest: SimulatedGuest) -> list[Any]:
    """The temporary disk.

    The set-up has it at /mnt on LUKS; until then it is not mounted. Where nobody told cloud-init
    otherwise, that mounts it at /mnt as it is.
    """
    if not guest.machine.gpus:
        return []
    opened = _device("ccgpu-temp", "crypt", "/mnt", "ext4")
    if guest.is_measured:  # plain dm-crypt, with a key of this boot: no header on the disk
        return [_device("sdb", "disk", None, None, opened)]
    if guest.setup is None:
        return [_device("sdb", "disk", None, None, _device("sdb1", "part", "/mnt", "ext4"))]
    if guest.setup.is_done("temp-disk"):
        return [_device("sdb", "disk", None, "crypto_LUKS", opened)]
    return [_device("sdb", "disk", None, None)]


def _df(call: GuestCall) -> Ending:
    """Free space of `/`, in the columns that were asked for, by default those of `df`."""
    used = _ROOT_BYTES - call.guest.freed_bytes
    used = used if call.guest.settings["disk_full"] else _USED_BYTES
    cells = {
        "source": ("Filesystem", "/dev/root"),
        "size": ("1B-blocks", str(_ROOT_BYTES)),
        "used": ("Used", str(used)),
        "avail": ("Avail", str(_ROOT_BYTES - used)),
        "pcent": ("Use%", f"{used * 100 // _ROOT_BYTES}%"),
        "target": ("Mounted on", "/"),
    }
    given = [one for one in call.argv[1:] if one.startswith("--output=")]
    names = given[0].partition("=")[2].split(",") if given else list(cells)
    unknown = [name for name in names if name not in cells]
    if unknown:
        return complaint(f"df: option --output: field '{unknown[0]}' unknown")
    rows = ["  ".join(cells[name][row] for name in names) for row in (0, 1)]
    return printed("\n".join(rows))


def _python(call: GuestCall) -> Ending:
    """`python3 -I -c TEXT`, where the text only imports a part of cryptography."""
    match call.argv[1:]:
        case ("-I", "-c", text) if _IMPORT.fullmatch(text):
            if call.guest.settings["opener"] != "crypto.absent":
                return Ending(0)
            return complaint("ModuleNotFoundError: No module named 'cryptography'")
        case _:
            return complaint("python3: this simulated guest runs no programs", 2)


SYSTEM: CommandTable = {
    "python3": _python,
    "cloud-init": _cloud_init,
    "mokutil": _mokutil,
    "uname": _uname,
    "lsblk": _lsblk,
    "df": _df,
    "swapon": lambda _: Ending(0),
}
