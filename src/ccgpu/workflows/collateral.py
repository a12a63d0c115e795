"""Fetching what a verdict needs: all at once, from the cache first, with patience that ends.

What cannot be had is told at the end, all of it: which of it a verdict can do without is for its
policy to say. Nothing here judges: a revoked certificate's OCSP answer is as good as any.
"""

from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from ccgpu.collateral import kds, ocsp, rim
from ccgpu.collateral.attempts import Attempts
from ccgpu.collateral.cache import Cache
from ccgpu.collateral.needs import Fetched, Missing, Needs
from ccgpu.collateral.sources import PUBLIC, Sources
from ccgpu.collateral.want import Found, Piece, Want
from ccgpu.domain.events import Event, Listener, ignore_event
from ccgpu.net.fetch import NoAnswer, Web
from ccgpu.scheduling.clock import RealClock
from ccgpu.scheduling.scheduler import Call, Scheduler, Task

# NVIDIA's TLS fails now and then, and the next attempt succeeds. AMD throttles for longer than
# anybody waits (confidential-dot-ai/c8s#627: two minutes were not enough).
_BUDGET = 60.0
_THREADS = 8  # as many as one round of a verdict has requests

_Tell = Callable[[Literal["retry", "note"], str], None]


@contextmanager
def online(cache: Path | None) -> Iterator["Fetching"]:
    """The network, real time and threads; what comes is kept in the folder `cache`."""
    with Web(PUBLIC.hosts()) as web:
        pool = ThreadPoolExecutor(max_workers=_THREADS)
        try:
            kept = None if cache is None else Cache(cache)
            yield Fetching(web, Scheduler(RealClock(), pool), kept)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Fetching:
    """The outside of a fetch: whom to ask, and how. Remembers which mirrors are not there."""

    def __init__(
        self,
        web: Web,
        schedule: Scheduler,
        cache: Cache | None = None,
        sources: Sources = PUBLIC,
        budget: float = _BUDGET,
    ) -> None:
        self._web = web
        self._schedule = schedule
        self._cache = cache
        self._sources = sources
        self._budget = budget
        self._absent: set[str] = set()

    def fetch(self, needs: Needs, listen: Listener = ignore_event) -> Fetched:
        """Fetch it. `EvidenceUnavailable` only for what nobody can even be asked for."""
        started = self.now()
        wants, found = self._wants(needs, started)
        missing: dict[str, Missing] = {}

        def tell(what: Literal["retry", "note"], text: str) -> None:
            listen(Event(what, round(self.now() - started, 3), text))

        for want in wants.values():
            self._schedule.add(self._obtain(want, found, missing, tell))
        self._schedule.run()
        self._fall_back(needs, found, missing, tell)
        names = [*wants, *(name for name in found if name not in wants)]
        pieces = tuple(found[name] for name in names if name in found)
        return Fetched(pieces, tuple(missing[name] for name in wants if name in missing))

    def _wants(self, needs: Needs, now: float) -> tuple[dict[str, Want], dict[str, Piece]]:
        """What must be asked for, and what is at hand; each once."""
        at_hand: dict[str, Piece] = {}
        wants = [rim.want(each, self._sources, needs.region) for each in needs.rims]
        wants += [ocsp.want(each, self._sources, needs.region) for each in needs.ocsp]
        for chip in needs.chips:
            piece = kds.from_thim(needs.thim, chip, now) if needs.thim else None
            if piece is None:
                wants.append(kds.vcek(chip, self._sources))
            else:
                at_hand[piece.name] = piece
        wants += [kds.crl(product, self._sources) for product in needs.crls]
        return {want.name: want for want in wants}, at_hand

    def _fall_back(
        self, needs: Needs, found: dict[str, Piece], missing: dict[str, Missing], tell: _Tell
    ) -> None:
        """A certificate of a chip never changes: the evidence's will do where AMD has no answer."""
        for chip in needs.chips:
            lacked = missing.get(chip.name)
            piece = None if lacked is None else kds.from_evidence(needs.veks, chip, self.now())
            if lacked is not None and piece is not None:
                tell("note", f"{lacked.what}: the evidence's, because {'; '.join(lacked.reasons)}")
                found[piece.name] = piece
                del missing[chip.name]

    def _obtain(
        self,
        want: Want,
        found: dict[str, Piece],
        missing: dict[str, Missing],
        tell: _Tell,
    ) -> Task[None]:
        kept = self._cache.get(want) if self._cache is not None and want.keep else None
        if kept is not None and self.now() <= kept.fresh:
            found[want.name] = kept.piece
            return
        outcome = yield from self._asked(want, tell)
        if isinstance(outcome, Piece):
            found[want.name] = outcome
        elif kept is not None and self.now() <= kept.usable:
            tell("note", f"{want.what}: as it was kept, because {'; '.join(outcome)}")
            found[want.name] = kept.piece
        else:
            missing[want.name] = Missing(want.what, outcome)

    def _asked(self, want: Want, tell: _Tell) -> Generator[Call, Any, Piece | tuple[str, ...]]:
        """Ask one source after the other, and again; the piece, or why there is none.

        The last source is the vendor's own. An answer that is out of date is only taken when
        nobody has another: then the verifier says so.
        """
        attempts = Attempts(want.asks, self._absent, self.now())
        stale: Piece | None = None
        until = self.now() + self._budget
        while (ask := attempts.next()) is not None:
            due = attempts.due[ask]
            if due > until:
                break
            try:
                body = yield Call(partial(self._web.get, ask), max(0.0, due - self.now()))
                answer = want.read(body, self.now())
            except NoAnswer as err:
                if attempts.failed(ask, err, self.now()):
                    tell("retry", f"{want.what}: {ask.host} {err}")
                continue
            piece = Piece(want.name, answer.data, ask.url, self.now())
            if self.now() <= answer.usable:
                self._keep(want, piece, answer)
                return piece
            stale = piece
            attempts.over(ask, "its answer is out of date")
        return stale or attempts.reasons()

    def _keep(self, want: Want, piece: Piece, answer: Found) -> None:
        if self._cache is not None and want.keep:
            self._cache.put(piece, answer)

    def now(self) -> float:
        """The time, by the clock that the scheduler waits on."""
        return self._schedule.clock.now()
