"""The prerequisites of a create: the resource providers are registered, and the regions exist.

Both are read once per create, with one request for each provider. A caller who may not read the
providers is not stopped: if one is not registered, ARM refuses the first PUT, with the same hint.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ccgpu.azure.long_running import Answers, send_alone, send_together
from ccgpu.azure.run import Run
from ccgpu.domain import providers
from ccgpu.domain.capacity import NO_REGION, NO_SIZES, SizeOffers, not_a_region, offered_in
from ccgpu.domain.providers import Provider
from ccgpu.errors import AzureRefused, Denied, InvalidFile, Problem

_READING = {name: f"reading whether {name} is registered" for name in providers.NEEDED}


@dataclass(slots=True)
class Regions:
    """The regions of Azure, and lazily those that offer one VM size."""

    run: Run
    size: str
    named: frozenset[str] = frozenset()  # of the compute provider; empty if it could not be read
    _sizes: SizeOffers | None = field(default=None, init=False)

    def require(self, regions: Iterable[str]) -> None:
        """Raise `InvalidFile` for regions that do not exist; no check if `named` is empty."""
        missing = [one for one in regions if self.named and one not in self.named]
        if missing:
            raise InvalidFile("spec", [self.problem(one) for one in missing])

    def problem(self, region: str) -> Problem:
        """The problem of a region that does not exist or does not offer the size."""
        sizes = self._size_regions()
        known = self.named or sizes.known
        elsewhere = offered_in(self.size, sizes.offered)
        if region in known or not known:
            return Problem("regions", f"{region} does not offer {self.size}: {elsewhere}")
        what = NO_REGION if self.named else NO_SIZES
        return Problem("regions", not_a_region(region, what, known, elsewhere))

    @property
    def any_listed(self) -> bool:
        """Whether Azure lists a VM size in any region."""
        return bool(self._size_regions().known)

    def _size_regions(self) -> SizeOffers:
        if self._sizes is None:
            query = partial(self.run.cloud.queries.offers, self.size)
            doing = f"looking where {self.size} is offered"
            self._sizes = send_alone(self.run, query, doing)
        return self._sizes


def require_providers(run: Run) -> frozenset[str]:
    """`require_registered`, by requests of its own."""
    return require_registered(run, send_together(run, provider_requests(run)))


def provider_requests(run: Run) -> dict[str, Callable[[], Provider | None]]:
    """The requests whose answers `require_registered` takes, by their descriptions."""
    return {doing: partial(_read_provider, run, name) for name, doing in _READING.items()}


def require_registered(run: Run, answers: Answers[Any]) -> frozenset[str]:
    """The regions that have VMs; raises `AzureRefused` if a provider is not registered.

    A provider that the caller may not read is passed over.
    """
    registrations = [one for doing in _READING.values() if (one := answers[doing]) is not None]
    missing = [one.namespace for one in registrations if not one.usable]
    if missing:
        named = " and ".join(missing)
        verb = "is" if len(missing) == 1 else "are"
        raise AzureRefused(
            f"{named} {verb} not registered in the subscription {run.cloud.subscription}",
            code=providers.NOT_REGISTERED,
            hint=providers.register_hint(missing, run.cloud.subscription),
        )
    return frozenset(region for one in registrations for region in one.vm_regions)


def _read_provider(run: Run, namespace: str) -> Provider | None:
    try:
        return run.cloud.queries.provider(namespace)
    except Denied:
        return None
