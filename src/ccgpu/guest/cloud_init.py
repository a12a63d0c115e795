"""Renders what cloud-init gets at the first boot of a VM: its customData.

Pure: the same section, driver and files give the same text. It holds nothing secret, because
Azure and the host can read it. There are two templates: for the images that ccgpu sets up, and for
those that bring the driver along.
"""

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from ccgpu.domain.catalog import MAX_CUSTOM_DATA
from ccgpu.domain.spec.guest import CLOUD_CONFIG, Guest
from ccgpu.errors import InvalidFile, Problem
from ccgpu.guest.files import GuestFile

if TYPE_CHECKING:
    from jinja2 import Environment

ENV_PATH = "/etc/ccgpu/guest.env"
# What starts at the first boot, and at each later one. A step of the set-up enables the unit of
# the temporary disk, if the settings want it.
UNITS = ("ccgpu-setup.service", "ccgpu-drift.service")
_SETUP_ID_DIGITS = 16
# What a value in `guest.env` may consist of: nothing that a shell expands or splits.
_PLAIN = re.compile(r"[A-Za-z0-9._-]*", re.ASCII)
# cloud-init, "Merging user-data sections": parts add to ccgpu's lists, and replace nothing.
_MERGE_TYPE = "list(append)+dict(no_replace,recurse_list)+str()"


def set_up_image(guest: Guest, driver: str, files: Sequence[GuestFile]) -> str:
    """The customData of a VM whose image ccgpu sets up.

    driver: the exact version of the driver. files: those to install, in order.

    Raises:
        InvalidFile: with the extra parts it is larger than Azure takes.
    """
    text = _rendered(
        "canonical.yaml.j2",
        env_path=ENV_PATH,
        env=guest_env(guest, driver, files),
        files=files,
        units=UNITS,
    )
    return _with_parts(text, guest.cloud_init)


def prebuilt_image(guest: Guest) -> str:
    """The customData of a VM whose image brings driver and tools along.

    Raises:
        InvalidFile: with the extra parts it is larger than Azure takes.
    """
    return _with_parts(_rendered("prebuilt.yaml.j2"), guest.cloud_init)


def guest_env(guest: Guest, driver: str, files: Sequence[GuestFile]) -> str:
    """`/etc/ccgpu/guest.env`: the settings as shell assignments, every variable always there.

    The last one, CCGPU_SETUP_ID, is a hash of the others and of the files.
    """
    settings = {
        "DRIVER_BRANCH": driver.split(".", maxsplit=1)[0],
        "DRIVER_VERSION": driver,
        "CONTAINER_TOOLKIT": _flag(guest.container_toolkit),
        "DOCKER": _flag(guest.docker),
        "OPENSSL": _flag(guest.openssl),
        "APT_SNAPSHOT": "" if guest.apt_snapshot == "none" else guest.apt_snapshot,
        "UPDATES": guest.updates.value,
        "TEMP_DISK": guest.temp_disk.value,
        "READY": guest.ready.value,
        "LOCKDOWN": _flag(guest.lockdown),
    }
    if wrong := [name for name, value in settings.items() if not _PLAIN.fullmatch(value)]:
        raise ValueError(f"{wrong} may not stand in a shell assignment")
    lines = "".join(f"CCGPU_{name}={value}\n" for name, value in settings.items())
    return f"{lines}CCGPU_SETUP_ID={_setup_id(lines, files)}\n"


def _flag(value: bool) -> str:
    return "1" if value else "0"


def _setup_id(lines: str, files: Sequence[GuestFile]) -> str:
    parts = [lines, *(part for file in files for part in (file.path, file.mode, file.text))]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return digest[:_SETUP_ID_DIGITS]


def _with_parts(text: str, parts: Sequence[str]) -> str:
    """The configuration alone, or with the extra parts as MIME multipart (cloud-init's format)."""
    whole = _multipart(text, parts) if parts else text
    size = len(whole.encode())
    if size > MAX_CUSTOM_DATA:
        own, extra = len(text.encode()), [len(part.encode()) for part in parts]
        sizes = ", ".join(f"part {number}: {each:,}" for number, each in enumerate(extra, 1))
        message = (
            f"makes the first-boot configuration {size:,} bytes, and Azure takes "
            f"{MAX_CUSTOM_DATA:,}: shorten the parts by {size - MAX_CUSTOM_DATA:,} bytes ({sizes}; "
            f"ccgpu's own: {own:,})"
        )
        raise InvalidFile("the spec", [Problem("guest.cloud_init", message)])
    return whole


def _multipart(text: str, parts: Sequence[str]) -> str:
    """Ccgpu's configuration, then the extra parts. The boundary occurs in none of them."""
    boundary = hashlib.sha256(json.dumps([text, *parts]).encode()).hexdigest()[:32]
    sections = [_section(text, "ccgpu.yaml", ""), *map(_extra_section, range(len(parts)), parts)]
    head = f'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="{boundary}"\n\n'
    return head + "".join(f"--{boundary}\n{one}\n" for one in sections) + f"--{boundary}--\n"


def _extra_section(index: int, part: str) -> str:
    is_config = part.startswith(CLOUD_CONFIG)
    merging = f"Merge-Type: {_MERGE_TYPE}\n" if is_config else ""
    return _section(part, f"part-{index + 1}", merging, is_config=is_config)


def _section(text: str, name: str, headers: str, *, is_config: bool = True) -> str:
    kind = "cloud-config" if is_config else "x-shellscript"
    encoding, body = ("7bit", text) if text.isascii() else ("base64", _base64(text))
    return (
        f'Content-Type: text/{kind}; charset="utf-8"\nContent-Transfer-Encoding: {encoding}\n'
        f'Content-Disposition: attachment; filename="{name}"\n{headers}\n{body}'
    )


def _base64(text: str) -> str:
    """UTF-8 in base64: cloud-init reads the whole as text first, and so breaks 8-bit parts."""
    return base64.encodebytes(text.encode()).decode("ascii")


def _rendered(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(  # noqa: S701  # no HTML: every value passes through a filter below
        loader=PackageLoader("ccgpu", "templates/cloud-init"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["scalar"] = _scalar
    environment.filters["block"] = _block
    return environment


def _scalar(value: str) -> str:
    """A text as a YAML scalar on one line: JSON's strings are YAML's (YAML 1.2.2, 1.3)."""
    if not value.isprintable():
        raise ValueError(f"{value!r} has a character that cannot be printed")
    return json.dumps(value, ensure_ascii=False)


def _block(text: str, indent: int) -> str:
    """A text as a YAML literal block (YAML 1.2.2, 8.1.2) whose lines are indented by `indent`."""
    if not text.endswith("\n") or text.endswith("\n\n") or text.startswith((" ", "\n")):
        raise ValueError("a file must begin with text and end with one newline")
    if bad := re.search(r"[^\t\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufffd]", text):
        raise ValueError(f"a file has the character {bad[0]!r}")
    lines = text[:-1].split("\n")
    return "|\n" + "\n".join(f"{' ' * indent}{line}" if line else "" for line in lines)
