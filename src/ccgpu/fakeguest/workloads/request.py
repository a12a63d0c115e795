"""A request to start a workload, read as the guest's own script reads it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PORT = re.compile(r"127\.0\.0\.1:([0-9]{1,5}):[0-9]{1,5}")
_REFUSED = (
    *("-d", "--detach", "--restart", "--cidfile", "--env-file", "--env", "--volume", "--mount"),
    *("--volumes-from", "-P", "--publish", "--publish-all"),
)


class RequestProblem(Exception):
    """The request cannot be carried out as it stands; the message says why."""


class Mount(NamedTuple):
    """A `-v` option: absolute paths in the guest and in the container, and `ro` or nothing."""

    source: str
    target: str
    mode: str


@dataclass(frozen=True, slots=True)
class StartRequest:
    """A request to start; mounts, ports and variables are read from its options.

    model: None, or its repository, commit, manifest and files. outputs: None, or its owner.
    files: names and texts of files that the guest keeps. attempts: how often it is started again,
    each time after `delay` seconds.
    """

    name: str
    image: str
    options: tuple[str, ...]
    arguments: tuple[str, ...]
    secrets: tuple[str, ...]
    model: Mapping[str, Any] | None
    outputs: Mapping[str, Any] | None
    files: tuple[tuple[str, str], ...]
    attempts: int
    delay: float
    pull: bool
    os_disk: bool
    replace: bool

    @classmethod
    def read(cls, asked: Mapping[str, Any]) -> "StartRequest":
        """The request in a document; raises `RequestProblem`."""
        try:
            request = cls(
                name=read_name(asked),
                image=str(asked["image"]),
                options=tuple(map(str, asked["options"])),
                arguments=tuple(map(str, asked["arguments"])),
                secrets=tuple(map(str, asked["secrets"])),
                model=asked["model"],
                outputs=asked["outputs"],
                files=tuple((str(one["name"]), str(one["text"])) for one in asked["files"]),
                attempts=int(asked["restart"]["attempts"]),
                delay=float(asked["restart"]["delay_seconds"]),
                pull=bool(asked["pull"]),
                os_disk=bool(asked["os_disk"]),
                replace=bool(asked["replace"]),
            )
        except (KeyError, TypeError, ValueError) as err:
            raise RequestProblem(f"a member is missing, or of another type: {err}") from err
        request._check()
        return request

    def _check(self) -> None:
        words = [word.partition("=")[0] for word in self.options]
        for refused in _REFUSED:
            if refused in words:
                raise RequestProblem(f"{refused} is not taken")
        named = f"--name=ccgpu-{self.name}" in self.options or f"ccgpu-{self.name}" in [
            *self._values("--name")
        ]
        if "--rm" not in self.options or not named:
            raise RequestProblem(f"options need --rm and --name ccgpu-{self.name}")
        if any(not (one.source + one.target).startswith("/") for one in self.mounts):
            raise RequestProblem("a mount is SOURCE:TARGET[:ro] with absolute paths")
        if any(_PORT.fullmatch(one) is None for one in self._values("-p")):
            raise RequestProblem("a port is 127.0.0.1:PORT:PORT")

    def _values(self, flag: str) -> Iterator[str]:
        """The words that follow this option."""
        pairs = zip(self.options, self.options[1:], strict=False)
        return (value for word, value in pairs if word == flag)

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The mounts, in order."""
        parts = [one.split(":") for one in self._values("-v")]
        if any(len(one) not in (2, 3) for one in parts):
            raise RequestProblem("a mount is SOURCE:TARGET[:ro] with absolute paths")
        return tuple(Mount(one[0], one[1], *(one[2:] or [""])) for one in parts)

    @property
    def mount_words(self) -> list[str]:
        """The mounts as they are given."""
        return [*self._values("-v")]

    @property
    def ports(self) -> tuple[int, ...]:
        """The ports at which it listens; none for a job."""
        found = (_PORT.fullmatch(one) for one in self._values("-p"))
        return tuple(int(one[1]) for one in found if one)

    @property
    def variables(self) -> list[str]:
        """The names of its variables, in order."""
        return [one.partition("=")[0] for one in self._values("-e")]

    @property
    def wants_gpu(self) -> bool:
        """Whether it is given the GPU."""
        devices = (*self._values("--device"), *self.options)
        return any("nvidia.com/gpu" in one for one in devices)

    @property
    def model_name(self) -> str:
        """What its server calls the model."""
        words = self.arguments
        for word, value in pairwise(words):
            if word == "--served-model-name":
                return value
        return str(self.model["repository"]) if self.model else "simulated"


def read_name(asked: Mapping[str, Any]) -> str:
    """The workload's name; raises `RequestProblem`."""
    name = asked.get("name")
    if not isinstance(name, str) or NAME.fullmatch(name) is None:
        raise RequestProblem("name is not a workload's name")
    return name


def digest_in(image: str) -> str | None:
    """The digest in an image's reference, if it has one."""
    digest = image.partition("@")[2]
    return digest if _DIGEST.fullmatch(digest) else None
