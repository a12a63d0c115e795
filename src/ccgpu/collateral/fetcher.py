"""Fetch collateral: all items concurrently, from the cache first, with retries up to a time limit.

All items that cannot be fetched are reported at the end; the policy decides whether the appraisal
can succeed without them. Nothing is verified here: an OCSP response "revoked" is returned like any
other.
"""

from collections.abc import Callable, Generator
from functools import partial
from math import inf
from random import random
from typing import Any, Literal

from ccgpu.collateral import kds, ocsp, rim
from ccgpu.collateral.attempts import Attempts
from ccgpu.collateral.cache import Cache
from ccgpu.collateral.item import CollateralItem, Payload
from ccgpu.collateral.sources import PUBLIC, Sources
from ccgpu.domain.collateral import (
    CollateralFile,
    CollateralRequest,
    FetchedCollateral,
    MissingCollateral,
)
from ccgpu.domain.events import Event, Listener, ignore_event
from ccgpu.errors import TimedOut
from ccgpu.net.fetch import NoAnswer, Web
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.durations import in_words
from ccgpu.scheduling.scheduler import Call, Scheduler, Task

# Enough for a retry after one of NVIDIA's occasional TLS failures. AMD throttles for longer than is
# worth waiting (confidential-dot-ai/c8s#627: more than two minutes).
TIME_LIMIT = 60.0
_LAST_ANSWER = 30.0  # seconds; a redirect, or an answer that drips, takes no more

_Tell = Callable[[Literal["retry", "note"], str], None]


class CollateralFetcher:
    """Fetches from `sources` over `web`. Remembers which mirrors are unreachable.

    Args:
        web: The HTTP client; the network's or a simulated one.
        scheduler: Runs the requests; its clock provides the time of each response.
        cache: None for no cache.
        sources: The addresses of the services.
        time_limit: Seconds to retry one item for; the last answer may take `_LAST_ANSWER` more.
        within: Seconds from now on after which no request is made, and none is waited for.
        jitter: A number from 0 to 1 for each retry: several that fail together come back apart.
    """

    def __init__(
        self,
        web: Web,
        scheduler: Scheduler,
        cache: Cache | None = None,
        sources: Sources = PUBLIC,
        time_limit: float = TIME_LIMIT,
        within: float = inf,
        jitter: Callable[[], float] = random,
    ) -> None:
        self._jitter = jitter
        self._web = web
        self._scheduler = scheduler
        self._cache = cache
        self._sources = sources
        self._time_limit = time_limit
        self._end = self.now() + within
        self._unreachable: set[str] = set()

    def fetch(
        self, request: CollateralRequest, listen: Listener = ignore_event
    ) -> FetchedCollateral:
        """Fetch all requested collateral, and report what is missing.

        1. Take from the evidence what it contains.
        2. Fetch the other items concurrently.
        3. For a VCEK that AMD does not return, fall back to the evidence's.

        Raises:
            EvidenceUnavailable: The request names an item that no source can have.
        """
        started = self.now()
        items, fetched = self._make_items(request, started)
        missing: dict[str, MissingCollateral] = {}

        def tell(what: Literal["retry", "note"], text: str) -> None:
            listen(Event(what, round(self.now() - started, 3), text))

        self._scheduler.gather(
            self._fetch_item(item, fetched, missing, tell) for item in items.values()
        )
        self._use_veks_in_evidence(request, fetched, missing, tell)
        names = [*items, *(name for name in fetched if name not in items)]
        collateral = tuple(fetched[name] for name in names if name in fetched)
        return FetchedCollateral(
            collateral, tuple(missing[name] for name in items if name in missing)
        )

    def _make_items(
        self, request: CollateralRequest, now: float
    ) -> tuple[dict[str, CollateralItem], dict[str, CollateralFile]]:
        """The items that need an HTTP request, and the collateral in the evidence, by name."""
        at_hand: dict[str, CollateralFile] = {}
        items = [rim.rim_item(each, self._sources, request.region) for each in request.rims]
        items += [ocsp.ocsp_item(each, self._sources, request.region) for each in request.ocsp]
        for chip in request.chips:
            vcek = kds.vcek_from_thim(request.thim, chip, now) if request.thim else None
            if vcek is None:
                items.append(kds.vcek_item(chip, self._sources))
            else:
                at_hand[vcek.name] = vcek
        items += [kds.crl_item(product, self._sources) for product in request.crls]
        return {item.name: item for item in items}, at_hand

    def _use_veks_in_evidence(
        self,
        request: CollateralRequest,
        collateral: dict[str, CollateralFile],
        missing: dict[str, MissingCollateral],
        tell: _Tell,
    ) -> None:
        """Use the evidence's VCEK of each chip for which AMD has not returned one."""
        for chip in request.chips:
            lack = missing.get(chip.name)
            vcek = None if lack is None else kds.vcek_from_evidence(request.veks, chip, self.now())
            if lack is not None and vcek is not None:
                tell("note", f"{lack.what}: the evidence's, because {'; '.join(lack.reasons)}")
                collateral[vcek.name] = vcek
                del missing[chip.name]

    def _fetch_item(
        self,
        item: CollateralItem,
        collateral: dict[str, CollateralFile],
        missing: dict[str, MissingCollateral],
        tell: _Tell,
    ) -> Task[None]:
        """Put an item into `collateral` or `missing`.

        A fresh cache entry is used at once, a usable one only if no source answers.
        """
        cached = self._cache.get(item) if self._cache is not None and item.cached else None
        if cached is not None and self.now() <= cached.fresh:
            collateral[item.name] = cached.collateral
            return
        outcome = yield from self._request_from_sources(item, tell)
        if isinstance(outcome, CollateralFile):
            collateral[item.name] = outcome
        elif cached is not None and self.now() <= cached.usable:
            tell("note", f"{item.what}: as it was kept, because {'; '.join(outcome)}")
            collateral[item.name] = cached.collateral
        else:
            missing[item.name] = MissingCollateral(item.what, outcome)

    def _request_from_sources(
        self, item: CollateralItem, tell: _Tell
    ) -> Generator[Call, Any, CollateralFile | tuple[str, ...]]:
        """Send the item's requests in order, with retries; returns collateral or the failures.

        The last source is the vendor's own. Expired collateral is returned only if no source has
        newer; the appraisal then reports that it has expired.
        """
        attempts = Attempts(item.requests, self._unreachable, self.now(), self._jitter)
        expired: CollateralFile | None = None
        end = min(self.now() + self._time_limit, self._end)
        limit = min(self._time_limit + _LAST_ANSWER, max(0.0, self._end - self.now()))
        deadline = Deadline.after(self._scheduler.clock, limit)
        while (request := attempts.next()) is not None:
            due = attempts.due[request]
            if due > end or due >= self._end:
                break
            get = partial(self._web.get, request)
            try:
                body = yield Call(get, max(0.0, due - self.now()), deadline)
                payload = item.parse(body, self.now())
            except TimedOut:
                late = f"{request.host} did not answer within {in_words(limit)}"
                return expired or (*attempts.reasons(), late)
            except NoAnswer as err:
                if attempts.record_failure(request, err, self.now()):
                    tell("retry", f"{item.what}: {request.host} {err}")
                continue
            collateral = CollateralFile(item.name, payload.data, request.url, self.now())
            if self.now() <= payload.usable:
                self._store_in_cache(item, collateral, payload)
                return collateral
            expired = collateral
            attempts.drop(request, "its answer is out of date")
        return expired or attempts.reasons() or ("the time limit has passed",)

    def _store_in_cache(
        self, item: CollateralItem, collateral: CollateralFile, payload: Payload
    ) -> None:
        if self._cache is not None and item.cached:
            self._cache.put(collateral, payload)

    def now(self) -> float:
        """Unix time of the scheduler's clock."""
        return self._scheduler.clock.now()
