"""Azure's public price list: the Retail Prices API. It needs no sign-in, and is no part of ARM.

Source: Microsoft Learn, "Azure Retail Prices overview". Prices are authoritative in US dollars;
those in other currencies are for reference.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf
from typing import Any
from urllib.parse import quote

from ccgpu.domain.price import (
    HOST,
    BillablePart,
    Price,
    PriceRecord,
    price_of,
    unknown_price,
)
from ccgpu.domain.price_page import parse_page
from ccgpu.errors import TimedOut
from ccgpu.net.fetch import HttpRequestSpec, NoAnswer, Web
from ccgpu.net.retry import retry_delay
from ccgpu.scheduling.clock import rfc3339
from ccgpu.scheduling.deadline import Deadline
from ccgpu.scheduling.durations import in_words
from ccgpu.scheduling.scheduler import Call, Scheduler, Task
from ccgpu.store.price_cache import PriceCache

_URL = f"https://{HOST}/api/retail/prices"
_PAGE_LIMIT = 4 * 1024 * 1024  # bytes; a page has at most 1000 records of about 700 bytes
_MAX_PAGES = 20
_CONNECT = 2.0  # seconds; a network that lets nobody through must cost no more
TIME_LIMIT = 10.0  # seconds for all of it: a price is never worth waiting for


class RetailPrices:
    """Reads prices over HTTPS, from the cache first.

    web: opens the client when it is needed. cache: None for no cache. time_limit: seconds that a
    read may take.
    """

    def __init__(
        self,
        web: Callable[[], Web],
        scheduler: Scheduler,
        cache: PriceCache | None = None,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._web = web
        self._scheduler = scheduler
        self._cache = cache
        self._time_limit = time_limit

    def read(
        self,
        wanted: Sequence[Sequence[BillablePart]],
        currency: str = "USD",
        within: float = inf,
    ) -> list[Price]:
        """The price of each group of parts. What cannot be read has a reason instead.

        within: the seconds that it may take at most; `time_limit` holds anyway.
        """
        queries = sorted({part.query for parts in wanted for part in parts})
        if not queries:
            return [Price(currency, ()) for _ in wanted]
        with self._web() as web:
            deadline = Deadline.after(self._scheduler.clock, min(self._time_limit, within))
            answers = self._scheduler.gather(
                self._read(web, query, currency, deadline) for query in queries
            )
        read = dict(zip(queries, answers, strict=True))
        now = self._scheduler.clock.now()
        return [_combine(currency, parts, read, now) for parts in wanted]

    def _read(self, web: Web, query: str, currency: str, deadline: Deadline) -> Task["_Answer"]:
        """The records of one query, of today's cache or of the service."""
        began = self._scheduler.clock.now()
        key = f"{currency} {query}"
        kept = None if self._cache is None else self._cache.get(key, began)
        if kept is not None:
            try:
                return _Answer(_records(kept.pages, currency), kept.fetched)
            except ValueError:
                pass  # it is fetched again
        try:
            pages = yield from self._fetch(web, query, currency, deadline)
            answer = _Answer(_records(pages, currency), began)
        except (NoAnswer, ValueError) as err:
            return _Answer((), began, f"the price list cannot be read: {HOST} {err}")
        except TimedOut:
            allowed = in_words(deadline.allowed)
            return _Answer((), began, f"{HOST} did not show the price list within {allowed}")
        if self._cache is not None:
            self._cache.put(key, pages, began)
        return answer

    def _fetch(
        self, web: Web, query: str, currency: str, deadline: Deadline
    ) -> Generator[Call, Any, tuple[bytes, ...]]:
        """All pages of a query; raises `NoAnswer`, or `ValueError` for what is no page."""
        link: str | None = f"{_URL}?currencyCode='{currency}'&$filter={quote(query)}"
        pages: list[bytes] = []
        while link is not None:
            if len(pages) == _MAX_PAGES:
                raise ValueError(f"has more than {_MAX_PAGES} pages")
            spec = HttpRequestSpec(link, _PAGE_LIMIT, "application/json", connect=_CONNECT)
            pages.append((yield from self._request(web, spec, deadline)))
            link = parse_page(pages[-1], currency).next_link
        return tuple(pages)

    def _request(
        self, web: Web, spec: HttpRequestSpec, deadline: Deadline
    ) -> Generator[Call, Any, bytes]:
        after, attempt = 0.0, 0
        while True:
            try:
                body: bytes = yield Call(partial(web.get, spec), after, deadline)
            except NoAnswer as err:
                attempt += 1
                after = retry_delay(attempt, err.retry_after)
                if not err.transient or err.unreachable or after >= deadline.left():
                    raise
            else:
                return body


@dataclass(frozen=True, slots=True)
class _Answer:
    """What one query gave: records, or why there are none."""

    records: tuple[PriceRecord, ...]
    as_of: float
    problem: str | None = None


def _records(pages: Sequence[bytes], currency: str) -> tuple[PriceRecord, ...]:
    return tuple(record for page in pages for record in parse_page(page, currency).records)


def _combine(
    currency: str, parts: Sequence[BillablePart], read: Mapping[str, _Answer], now: float
) -> Price:
    answers = [read[part.query] for part in parts]
    if problem := next((one.problem for one in answers if one.problem is not None), None):
        return unknown_price(currency, parts, problem)
    records = [record for one in answers for record in one.records]
    oldest = min((one.as_of for one in answers), default=now)
    return price_of(currency, parts, records, rfc3339(now), oldest)
