"""Pins a model: a name becomes a manifest of files, each with size and SHA-256, at one commit.

It happens on the user's machine, before the VM is asked for anything. Large files (LFS) are pinned
by the SHA-256 that huggingface.co lists; small ones are fetched here and hashed. A lock file that
was written by an earlier run is used without asking anybody, and nothing else is then accepted.
"""

import hashlib
from collections.abc import Callable, Generator, Sequence
from functools import partial
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ccgpu.domain.events import Event, Listener, ignore_event
from ccgpu.domain.hub_listing import HOST, HubFile, HubListing, blob_id, parse_listing, wanted_files
from ccgpu.domain.model_manifest import ModelFile, ModelManifest, make_manifest
from ccgpu.domain.workload.words import COMMIT
from ccgpu.errors import ModelUnavailable, UsageProblem
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer, Web
from ccgpu.net.retry import retry_delay
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.scheduler import Call, Scheduler
from ccgpu.store import model_lock

TIME_LIMIT = 60.0  # seconds that one answer may take, retries included
_LISTING_LIMIT = 4 * 1024 * 1024
# huggingface.co stores larger files in LFS (its documentation of repositories: 10 MB).
MAX_SMALL_FILE = 11 * 1024 * 1024
MAX_SMALL_FILES = 64 * 1024 * 1024


_HINT_ANONYMOUS = "check the name; a gated model needs a token of yours, as the secret hf-token"
_HINT_REFUSED = "the token in hf-token may not read it: accept the licence on the model's page"


class Hub:
    """huggingface.co, over `web`. token: of a user, for gated models; it is sent to HOST alone.

    deadline: of the command; None if an answer may take `time_limit` anyway.
    """

    def __init__(
        self,
        web: Callable[[], Web],
        scheduler: Scheduler,
        token: str | None = None,
        time_limit: float = TIME_LIMIT,
        deadline: Deadline | None = None,
    ) -> None:
        self._web = web
        self._scheduler = scheduler
        self._token = token
        self._time_limit = time_limit
        self._deadline = deadline

    def within(self, deadline: Deadline) -> "Hub":
        """The same, as a part of a command."""
        return Hub(self._web, self._scheduler, self._token, self._time_limit, deadline)

    def listing(self, repository: str, revision: str) -> HubListing:
        """The files of a model at a revision: a commit, a branch or a tag.

        Raises:
            ModelUnavailable: there is no such model or revision, or huggingface.co cannot be asked.
        """
        where = f"https://{HOST}/api/models/{repository}/revision/{quote(revision, safe='')}"
        request = self._request(f"{where}?blobs=true", _LISTING_LIMIT, "application/json")
        with self._web() as web:
            (raw,) = self._scheduler.gather([self._get(web, request, repository)])
        try:
            listing = parse_listing(raw)
        except ValueError as err:
            raise ModelUnavailable(f"{HOST} {err} for {repository}") from err
        if listing.repository.casefold() != repository.casefold():
            raise ModelUnavailable(
                f"{repository} is called {listing.repository} now", hint="use that name"
            )
        if COMMIT.fullmatch(revision) and listing.commit != revision:
            raise ModelUnavailable(f"{HOST} answered with another commit than {revision}")
        return listing

    def small_files(self, listing: HubListing, files: Sequence[HubFile]) -> list[ModelFile]:
        """The files that are not in LFS, fetched and hashed."""
        where = f"https://{HOST}/{listing.repository}/resolve/{listing.commit}"
        requests = [
            self._request(f"{where}/{quote(each.path)}", MAX_SMALL_FILE, "*/*", redirects=1)
            for each in files
        ]
        with self._web() as web:
            contents = self._scheduler.gather(
                self._get(web, request, listing.repository) for request in requests
            )
        return [_checked(*pair) for pair in zip(files, contents, strict=True)]

    def _request(self, url: str, limit: int, accept: str, redirects: int = 0) -> HttpRequestSpec:
        return HttpRequestSpec(url, limit, accept, bearer=self._token, redirects=redirects)

    def _get(
        self, web: Web, request: HttpRequestSpec, repository: str
    ) -> Generator[Call, Any, bytes]:
        after, attempt = 0.0, 0
        deadline = self._deadline or Deadline.after(self._scheduler.clock, inf)
        deadline = deadline.within(self._time_limit)
        doing = f"looking up {repository} at {HOST}"
        while True:
            try:
                body: bytes = yield Call(partial(web.get, request), after, deadline, doing)
            except NoAnswer as err:
                attempt += 1
                after = retry_delay(attempt, err.retry_after)
                if not err.transient or after >= deadline.left():
                    raise self._refusal(repository, err) from err
            else:
                return body

    def _refusal(self, repository: str, err: NoAnswer) -> ModelUnavailable:
        text = f"{repository} cannot be looked up: {HOST} {err}"
        if any(code in str(err) for code in ("401", "403")):
            return ModelUnavailable(
                text, hint=_HINT_ANONYMOUS if self._token is None else _HINT_REFUSED
            )
        if "404" in str(err):
            return ModelUnavailable(text, hint="check the name and the revision")
        if "redirects" in str(err):
            return ModelUnavailable(text, hint="it may have been renamed: look it up there")
        return ModelUnavailable(
            text, hint="try again later, or use --model-lock with a file of before"
        )


def pin_model(reference: str, hub: Hub, listen: Listener = ignore_event) -> ModelManifest:
    """The manifest of `ORG/NAME` or `ORG/NAME@REVISION` (without one: `main`).

    Raises:
        ModelUnavailable: it cannot be looked up, has no files of weights, or a small file of it is
            not the one that the listing names.
    """
    repository, _, revision = reference.partition("@")
    listing = hub.listing(repository, revision or "main")
    wanted = wanted_files(listing.files)
    small = [each for each in wanted if each.sha256 is None]
    _require_small(repository, small)
    files = {each.path: _large(each) for each in wanted if each.sha256 is not None}
    files |= {each.path: each for each in hub.small_files(listing, small)}
    try:
        manifest = make_manifest(listing.repository, listing.commit, files)
    except ValueError as err:
        raise ModelUnavailable(f"{repository} cannot be pinned: it {err}") from err
    if manifest.weights == 0:
        raise ModelUnavailable(f"{repository} has no weights (*.safetensors or *.bin) to run")
    licence, gate = listing.licence or "unknown", " (gated)" if listing.gated else ""
    text = f"{repository} is pinned to {manifest.commit}; licence: {licence}{gate}"
    listen(Event("note", 0.0, text))
    return manifest


def locked_model(
    reference: str, hub: Hub, lock: Path | None, listen: Listener = ignore_event
) -> ModelManifest:
    """As `pin_model`; an existing lock file is used instead, and a missing one is written.

    Raises:
        UsageProblem: the lock file is of another model or commit than `reference` names.
    """
    if lock is None or not lock.exists():
        manifest = pin_model(reference, hub, listen)
        if lock is not None:
            model_lock.write(lock, manifest)
        return manifest
    manifest = model_lock.read(lock)
    repository, _, revision = reference.partition("@")
    if manifest.repository.casefold() != repository.casefold():
        raise UsageProblem(
            f"{lock} locks {manifest.repository}, and not {repository}",
            hint="name another lock file, or remove it to look the model up anew",
        )
    if revision and COMMIT.fullmatch(revision) and manifest.commit != revision:
        raise UsageProblem(
            f"{lock} locks commit {manifest.commit}, and not {revision}",
            hint="remove it to look the model up anew",
        )
    return manifest


def _require_small(repository: str, files: Sequence[HubFile]) -> None:
    total = sum(each.size for each in files)
    if total > MAX_SMALL_FILES or any(each.size > MAX_SMALL_FILE for each in files):
        raise ModelUnavailable(
            f"{repository} cannot be pinned: it has {total} bytes of files without a SHA-256"
        )


def _large(file: HubFile) -> ModelFile:
    return ModelFile(file.path, file.size, file.sha256 or "")


def _checked(file: HubFile, content: bytes) -> ModelFile:
    if len(content) != file.size or blob_id(content) != file.blob:
        raise ModelUnavailable(
            f"{HOST} sent another {file.path} than its listing names (Git blob {file.blob})"
        )
    return ModelFile(file.path, len(content), hashlib.sha256(content).hexdigest())
