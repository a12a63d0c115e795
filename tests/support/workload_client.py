"""Requests to the workload script of a simulated guest, by the client that real guests have."""

import io
from dataclasses import dataclass
from typing import Any, TypeVar

from ccgpu.domain.model_manifest import ModelFile, make_manifest
from ccgpu.domain.workload.values import RestartPolicy
from ccgpu.guest import workload
from ccgpu.guest.channel import Channel
from ccgpu.guest.workload_answers import (
    GuestWorkload,
    OneWorkload,
    WorkloadStarted,
)
from ccgpu.guest.workload_requests import (
    FollowWorkload,
    HashedFile,
    ModelFiles,
    OutputsOwner,
    StartWorkload,
    StatusOfWorkload,
    WorkloadRequest,
)

T = TypeVar("T")
IMAGE = "docker.io/library/python:3.12-slim"
PORT = 8000


@dataclass(frozen=True)
class WorkloadClient:
    """A client of one guest's script. Names of workloads are short words."""

    channel: Channel

    def ask(self, request: WorkloadRequest, form: type[T]) -> T:
        """The answer to a request; raises `WorkloadFailed`."""
        argv = workload.command_line(request)
        return workload.parse(self.channel.run(argv, b"script", timeout=5000.0), form)

    def start(self, name: str, *arguments: str, **changes: Any) -> WorkloadStarted:
        """Start a job, or with `options` whatever they say."""
        options = ("--rm", "--name", f"ccgpu-{name}", *changes.pop("options", ()))
        request = {"image": IMAGE, "options": options, "arguments": arguments} | changes
        return self.ask(StartWorkload(name=name, **request), WorkloadStarted)

    def serve(self, name: str = "server", **changes: Any) -> WorkloadStarted:
        """Start a model server that is started again if it fails."""
        options = ("-p", f"127.0.0.1:{PORT}:{PORT}", "--device", "nvidia.com/gpu=all")
        words = ("serve", "--served-model-name", "org/model")
        usual = {"options": options, "restart": RestartPolicy(attempts=3)}
        return self.start(name, *words, **usual | changes)

    def train(self, name: str = "job", **changes: Any) -> WorkloadStarted:
        """Start a job that writes outputs."""
        options = ("-v", f"/mnt/ccgpu/outputs/{name}:/outputs")
        usual = {"options": options, "outputs": OutputsOwner()}
        return self.start(name, "python", "train.py", **usual | changes)

    def status(self, name: str) -> GuestWorkload:
        """The state of a workload."""
        return self.ask(StatusOfWorkload(name=name), OneWorkload).workload

    def follow(self, name: str, **members: Any) -> tuple[list[str], GuestWorkload]:
        """The lines of a workload's log, and its state at their end."""
        out, errors = io.BytesIO(), io.BytesIO()
        argv = workload.command_line(FollowWorkload(name=name, **members))
        code = self.channel.stream(argv, io.BytesIO(b"script"), out, errors)
        answer = workload.parse_line(code, errors.getvalue(), b"", OneWorkload)
        return out.getvalue().decode().splitlines(), answer.workload


def model_files(repository: str = "org/model") -> ModelFiles:
    """A model of one file."""
    file = ModelFile("model.safetensors", 100, "ab" * 32)
    manifest = make_manifest(repository, "c0" * 20, {file.path: file})
    files = tuple(HashedFile(one.path, one.size, one.sha256) for one in manifest.files)
    return ModelFiles(repository, manifest.commit, manifest.digest, files)
