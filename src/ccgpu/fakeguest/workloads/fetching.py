"""The action `fetch` of the simulated workload script: a model's files, by virtual download.

The files have no content here: only their folder and the digest of their manifest are kept.
"""

import hashlib
import json
from typing import Any

from ccgpu.fakeguest.commands.call import Ending
from ccgpu.fakeguest.workloads.call import WorkloadCall, WorkloadRefused, model_folder
from ccgpu.fakeguest.workloads.request import RequestProblem

# Organisations whose models the hub gives only to users who have accepted their licence.
GATED = ("meta-llama/", "google/", "black-forest-labs/")


def fetch(call: WorkloadCall) -> Ending:
    """Download a model; at once if it is there already."""
    asked = call.asked
    call.storage()
    try:
        repository, commit = str(asked["repository"]), str(asked["commit"])
        files = [dict(one) for one in asked["files"]]
        total = sum(int(one["size"]) for one in files)
    except (KeyError, TypeError, ValueError) as err:
        raise RequestProblem(f"a member is missing, or of another type: {err}") from err
    _require_access(call, repository, asked.get("token"))
    if call.guest.settings["workload"] == "model-mismatch":
        path = files[0]["path"] if files else ""
        raise WorkloadRefused("fetch.content", f"{path}: the SHA-256 is not the expected one", 20.0)
    folder = model_folder(repository, commit)
    manifest = _manifest(repository, commit, files)
    if call.runs.folders().get(folder) == manifest:
        return call.answer(folder=folder, bytes=total, fetched=0)
    call.runs.add_folder(folder, manifest)
    seconds = call.guest.machine.durations["workload.model"]
    return call.answer(seconds, folder=folder, bytes=total, fetched=total)


def _require_access(call: WorkloadCall, repository: str, token: Any) -> None:
    if token is not None and call.files.read(f"/run/ccgpu/secrets/{token}") is None:
        raise WorkloadRefused("secret.absent", f"the secret {token} is not in the VM")
    if token is None and repository.startswith(GATED):
        raise WorkloadRefused(
            "fetch.refused",
            f"{repository}: status 401: its licence has to be accepted, and a token given",
        )


def _manifest(repository: str, commit: str, files: list[dict[str, Any]]) -> str:
    """The digest of a manifest, in canonical JSON."""
    listed = sorted(
        ({key: one[key] for key in ("path", "sha256", "size")} for one in files),
        key=lambda one: str(one["path"]),
    )
    document = {"commit": commit, "files": listed, "repository": repository}
    document["schema"] = "ccgpu.model-manifest/1"
    text = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
