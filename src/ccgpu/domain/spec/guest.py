"""The section `guest`: what is set up in the VM at its first boot.

All of it happens at the first boot only: to change it, the VM is replaced.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from ccgpu.domain import sshkey
from ccgpu.domain.spec.flags import Flag
from ccgpu.domain.spec.section import Section

CLOUD_CONFIG = "#cloud-config"
_SHEBANG = "#!"
MAX_PARTS = 8
MAX_PART_BYTES = 32 * 1024  # all parts and ccgpu's own share 65,535 bytes
# cloud-init, "Merging user-data sections": with these a part would replace ccgpu's own lists.
_MERGING = re.compile(r"^[\"']?(merge_how|merge_type)[\"']?\s*:", re.MULTILINE)

_DRIVER = r"[1-9][0-9]{2}(\.[0-9]{1,4}){0,2}"
_SNAPSHOT = r"[0-9]{8}T[0-9]{6}Z"
_UNKNOWN_PART = "sha256:"


class Updates(StrEnum):
    """Which packages the VM upgrades by itself."""

    SECURITY = "security"
    NONE = "none"


class TempDisk(StrEnum):
    """What becomes of the temporary disk."""

    ENCRYPTED = "encrypted"
    NONE = "none"


class Ready(StrEnum):
    """When the GPU is set ready for CUDA."""

    AFTER_ATTESTATION = "after-attestation"
    AT_BOOT = "at-boot"


def _driver(value: str) -> str:
    if not re.fullmatch(_DRIVER, value, re.ASCII):
        raise ValueError("must be a driver branch such as 595, or a version such as 595.71.05")
    return value


def _driver_text(value: Any) -> Any:
    """A branch as text: JSON and callers may give a number."""
    return str(value) if type(value) is int else value


def _snapshot(value: str) -> str:
    if value == "none":
        return value
    try:
        datetime.strptime(value, "%Y%m%dT%H%M%S%z")
    except ValueError:
        usable = False
    else:
        usable = re.fullmatch(_SNAPSHOT, value, re.ASCII) is not None
    if not usable:
        raise ValueError("must be a time such as 20260615T120000Z (UTC), or none")
    return value


def _part(value: str) -> str:
    if sshkey.is_private(value):
        raise ValueError("holds a private key: Azure and the host can read what is given here")
    if not (value.split("\n", 1)[0].rstrip() == CLOUD_CONFIG or value.startswith(_SHEBANG)):
        raise ValueError(f"must begin with {CLOUD_CONFIG} (alone in its line) or with #!")
    if len(value.encode("utf-8", "replace")) > MAX_PART_BYTES:
        raise ValueError(f"is longer than {MAX_PART_BYTES // 1024} KiB: fetch what is large later")
    if re.search(r"[^\t\n\r -~\u00a0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", value):
        raise ValueError("has a control character, remove it")
    if value.startswith(CLOUD_CONFIG) and _MERGING.search(value):
        raise ValueError("may not say how it is merged (merge_how): lists are always appended")
    return value


def unknown_part(digest: str) -> str:
    """What stands for extra parts of which only the hash is known. No spec file can hold it."""
    return f"{_UNKNOWN_PART}{digest}"


def is_unknown_part(part: str) -> bool:
    """Whether a part is `unknown_part`."""
    return part.startswith(_UNKNOWN_PART)


_PANEL = "Guest"


class Guest(Section):
    """What is set up in the VM at its first boot."""

    # The fields that only count for images that ccgpu sets up.
    SET_UP: ClassVar[tuple[str, ...]] = (
        *("driver", "docker", "container_toolkit", "openssl"),
        *("apt_snapshot", "updates", "temp_disk"),
    )

    driver: Annotated[
        Annotated[
            str,
            AfterValidator(_driver),
            BeforeValidator(_driver_text),
            WithJsonSchema({"type": ["string", "integer"], "examples": ["595", "595.71.05"]}),
        ],
        Field(
            description="NVIDIA driver: a branch, or an exact version. Only drivers that can be "
            "attested: `ccgpu drivers` lists them."
        ),
        Flag("GPU driver: branch or exact version.", "VERSION", ("--driver",), _PANEL),
    ] = "595"
    docker: Annotated[
        bool,
        Field(description="Install Docker, from Ubuntu's archive."),
        Flag("Docker.", names=("--docker",), panel=_PANEL),
    ] = True
    container_toolkit: Annotated[
        bool,
        Field(
            description="Install NVIDIA's container toolkit, so that containers reach the GPU by "
            "CDI (nvidia.com/gpu=all). It serves Docker, and other engines that know CDI."
        ),
    ] = True
    openssl: Annotated[
        bool,
        Field(
            description="Install a newer OpenSSL beside Ubuntu's (/opt/openssl), for CUDA alone: "
            "it doubles the speed of copies to and from the GPU."
        ),
    ] = True
    apt_snapshot: Annotated[
        Annotated[
            str,
            AfterValidator(_snapshot),
            WithJsonSchema({"type": "string", "pattern": f"^({_SNAPSHOT}|none)$"}),
        ],
        Field(
            description="The state of Ubuntu's archive that kernel and driver are installed from, "
            "as a time: 20260615T120000Z. none: today's."
        ),
    ] = "20260615T120000Z"  # Azure/az-cgpu-onboarding V4.3.3, step-0-prepare-kernel.sh
    updates: Annotated[
        Updates,
        Field(
            description="security: security updates install themselves, but for kernel and driver. "
            "none: nothing does."
        ),
    ] = Updates.SECURITY
    temp_disk: Annotated[
        TempDisk,
        Field(
            description="encrypted: the temporary disk is encrypted with a key of this boot. "
            "none: it is not used. The host can read it unless it is encrypted."
        ),
    ] = TempDisk.ENCRYPTED
    cloud_init: Annotated[
        tuple[Annotated[str, AfterValidator(_part)], ...],
        Field(
            max_length=MAX_PARTS,
            description="Further cloud-init parts: files, or texts, that begin with #cloud-config "
            "or #!. They are not secret: Azure and the host can read them.",
        ),
        Flag("Cloud-init file to add (#cloud-config or #!).", "FILE", ("--cloud-init",), _PANEL),
    ] = ()
    ready: Annotated[
        Ready,
        Field(
            description="after-attestation: the GPU runs CUDA only once a verdict has accepted it. "
            "at-boot: at every boot, before anything is proved."
        ),
        Flag("When the GPU runs CUDA.", names=("--ready",), panel=_PANEL),
    ] = Ready.AFTER_ATTESTATION
    lockdown: Annotated[
        bool,
        Field(
            description="Close what is not needed after the set-up: VM extensions, Run Command, "
            "cloud-init at later boots, password logins, core dumps."
        ),
        Flag("Close other ways in after the set-up.", names=("--lockdown",), panel=_PANEL),
    ] = True
