"""Fetch collateral: all items at once, from the cache first, with retries until a time limit.

What cannot be fetched is reported at the end, all of it. Policy decides which of it a verdict can
do without. Nothing is judged here: an OCSP answer that says "revoked" is collateral like any other.
"""

from collections.abc import Callable, Generator
from functools import partial
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
from ccgpu.net.fetch import NoAnswer, Web
from ccgpu.scheduling.scheduler import Call, Scheduler, Task

# NVIDIA's TLS fails now and then, and the next attempt succeeds. AMD throttles for longer than
# anybody waits (confidential-dot-ai/c8s#627: two minutes were not enough).
_TIME_LIMIT = 60.0

_Tell = Callable[[Literal["retry", "note"], str], None]


class CollateralFetcher:
    """Fetches from `sources` over `web`. Remembers which mirrors are unreachable.

    Args:
        web: The HTTP client; the network's or a simulated one.
        scheduler: Its clock is the time of every answer.
        cache: None for no cache.
        sources: The addresses of the services.
        time_limit: Seconds to retry one item for.
    """

    def __init__(
        self,
        web: Web,
        scheduler: Scheduler,
        cache: Cache | None = None,
        sources: Sources = PUBLIC,
        time_limit: float = _TIME_LIMIT,
    ) -> None:
        self._web = web
        self._scheduler = scheduler
        self._cache = cache
        self._sources = sources
        self._time_limit = time_limit
        self._unreachable: set[str] = set()

    def fetch(
        self, request: CollateralRequest, listen: Listener = ignore_event
    ) -> FetchedCollateral:
        """Fetch everything. Raises `EvidenceUnavailable` only for what no source can be asked."""
        started = self.now()
        items, found = self._items(request, started)
        missing: dict[str, MissingCollateral] = {}

        def tell(what: Literal["retry", "note"], text: str) -> None:
            listen(Event(what, round(self.now() - started, 3), text))

        for item in items.values():
            self._scheduler.add(self._fetch_item(item, found, missing, tell))
        self._scheduler.run()
        self._fall_back(request, found, missing, tell)
        names = [*items, *(name for name in found if name not in items)]
        collateral = tuple(found[name] for name in names if name in found)
        return FetchedCollateral(
            collateral, tuple(missing[name] for name in items if name in missing)
        )

    def _items(
        self, request: CollateralRequest, now: float
    ) -> tuple[dict[str, CollateralItem], dict[str, CollateralFile]]:
        """What needs an HTTP request, and what the evidence has already; each once, by name."""
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

    def _fall_back(
        self,
        request: CollateralRequest,
        found: dict[str, CollateralFile],
        missing: dict[str, MissingCollateral],
        tell: _Tell,
    ) -> None:
        """Take the VCEK in the evidence where AMD has no answer: it never changes."""
        for chip in request.chips:
            lacked = missing.get(chip.name)
            vcek = (
                None if lacked is None else kds.vcek_from_evidence(request.veks, chip, self.now())
            )
            if lacked is not None and vcek is not None:
                tell("note", f"{lacked.what}: the evidence's, because {'; '.join(lacked.reasons)}")
                found[vcek.name] = vcek
                del missing[chip.name]

    def _fetch_item(
        self,
        item: CollateralItem,
        found: dict[str, CollateralFile],
        missing: dict[str, MissingCollateral],
        tell: _Tell,
    ) -> Task[None]:
        kept = self._cache.get(item) if self._cache is not None and item.cached else None
        if kept is not None and self.now() <= kept.fresh:
            found[item.name] = kept.collateral
            return
        outcome = yield from self._ask_sources(item, tell)
        if isinstance(outcome, CollateralFile):
            found[item.name] = outcome
        elif kept is not None and self.now() <= kept.usable:
            tell("note", f"{item.what}: as it was kept, because {'; '.join(outcome)}")
            found[item.name] = kept.collateral
        else:
            missing[item.name] = MissingCollateral(item.what, outcome)

    def _ask_sources(
        self, item: CollateralItem, tell: _Tell
    ) -> Generator[Call, Any, CollateralFile | tuple[str, ...]]:
        """Ask the sources in order, and retry. Returns the collateral, or why there is none.

        The last source is the vendor's own. An expired answer is used only if no source has a
        newer one; the verdict then says so.
        """
        attempts = Attempts(item.requests, self._unreachable, self.now())
        expired: CollateralFile | None = None
        end = self.now() + self._time_limit
        while (request := attempts.next()) is not None:
            due = attempts.due[request]
            if due > end:
                break
            try:
                body = yield Call(partial(self._web.get, request), max(0.0, due - self.now()))
                payload = item.parse(body, self.now())
            except NoAnswer as err:
                if attempts.record_failure(request, err, self.now()):
                    tell("retry", f"{item.what}: {request.host} {err}")
                continue
            collateral = CollateralFile(item.name, payload.data, request.url, self.now())
            if self.now() <= payload.usable:
                self._keep(item, collateral, payload)
                return collateral
            expired = collateral
            attempts.drop(request, "its answer is out of date")
        return expired or attempts.reasons()

    def _keep(self, item: CollateralItem, collateral: CollateralFile, payload: Payload) -> None:
        if self._cache is not None and item.cached:
            self._cache.put(collateral, payload)

    def now(self) -> float:
        """The time on the scheduler's clock."""
        return self._scheduler.clock.now()
