"""Container images: pulled, and known by their digest, so that exactly what is measured runs."""

import json
import re
from typing import Any

from ccgpu.templates.guest.workload.base import Vm, WorkloadError, complaint, progress, run_program

ENGINE = "docker"  # Docker, or podman under its name
REFERENCE = re.compile(r"[A-Za-z0-9][\w./:@-]{0,511}", re.ASCII)
# The container images in a measured image, by tag: `image build` writes the file.
INCLUDED = "usr/lib/ccgpu/containers.json"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)


def engine(vm: Vm, *words: str, seconds: float | None = None) -> Any:
    """Run the engine to its end."""
    if not (vm.root / "usr/bin" / ENGINE).exists():
        raise WorkloadError("engine.absent", "the VM has no Docker: /usr/bin/docker is missing")
    return run_program(vm, ENGINE, words, code="engine.error", seconds=seconds)


def find_image(vm: Vm, reference: str, *, pull: bool, seconds: float) -> tuple[str, str]:
    """The word of the run line that means exactly one image, and that image's digest.

    The word is `REPOSITORY@sha256:…`; for an image that no registry has, its id.
    """
    reference = included(vm, reference)
    repository, _, wanted = reference.partition("@")
    found = inspect(vm, reference)
    if pull and (found is None or not wanted):
        progress("pull")
        done = engine(vm, "pull", "--quiet", reference, seconds=seconds)
        if done.returncode != 0:
            raise WorkloadError("image.pull", f"{reference} was not pulled: {complaint(done)}")
        found = inspect(vm, reference)
    if found is None:
        raise WorkloadError("image.absent", f"the VM has no image {reference}")
    digests = digests_of(found, repository)
    if wanted and wanted not in digests:
        raise WorkloadError("image.absent", f"the image of {reference} has not that digest")
    if wanted or digests:
        digest = wanted or digests[0]
        return f"{without_tag(repository)}@{digest}", digest
    if pull:
        raise WorkloadError("image.absent", f"the engine knows no digest of {reference}")
    identity = str(found.get("Id", ""))
    identity = identity if identity.startswith("sha256:") else f"sha256:{identity}"
    if not DIGEST.fullmatch(identity):
        raise WorkloadError("engine.error", f"the engine tells no id of {reference}")
    return identity, identity


def included(vm: Vm, reference: str) -> str:
    """The reference by digest of a tag that a measured image has; else as it is."""
    try:
        digests = json.loads((vm.root / INCLUDED).read_bytes())
    except FileNotFoundError:
        return reference
    except (OSError, ValueError) as err:
        raise WorkloadError("engine.error", f"/{INCLUDED} cannot be read: {err}") from err
    name, _, wanted = reference.partition("@")
    if full_name(without_tag(name)) == full_name(name):
        return reference  # it names no tag
    for tag, digest in digests.items():
        if full_name(tag) == full_name(name) and wanted in ("", digest):
            return f"{without_tag(name)}@{digest}"
    return reference


def inspect(vm: Vm, reference: str) -> dict[str, Any] | None:
    """What the engine knows of an image; None if it has none."""
    done = engine(vm, "image", "inspect", reference)
    if done.returncode != 0:
        text = done.stderr.decode("utf-8", "replace").lower()
        if "no such" in text or "not known" in text or "unable to find" in text:
            return None
        raise WorkloadError("engine.error", f"{reference} was not looked up: {complaint(done)}")
    try:
        (document,) = json.loads(done.stdout)
        names = document["RepoDigests"] or []
        return {**document, "RepoDigests": [str(one) for one in names]}
    except (ValueError, TypeError, KeyError) as err:
        message = f"what the engine tells of {reference} cannot be read: {err}"
        raise WorkloadError("engine.error", message) from err


def digests_of(image: dict[str, Any], repository: str) -> list[str]:
    """The digests of an image in its repository, in order."""
    found = set()
    for one in image["RepoDigests"]:
        name, _, digest = one.partition("@")
        if full_name(name) == full_name(without_tag(repository)) and DIGEST.fullmatch(digest):
            found.add(digest)
    return sorted(found)


def without_tag(repository: str) -> str:
    """A reference without its tag; a colon before the last slash is that of a port."""
    path, slash, last = repository.rpartition("/")
    return f"{path}{slash}{last.partition(':')[0]}"


def full_name(repository: str) -> str:
    """A repository's name with the registry that Docker leaves out."""
    first = repository.partition("/")[0]
    if "." not in first and ":" not in first and first != "localhost":
        repository = f"docker.io/{repository}"
    host, _, path = repository.partition("/")
    if host == "docker.io" and "/" not in path:
        path = f"library/{path}"
    return f"{host}/{path}"
