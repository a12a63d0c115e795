"""What must hold before anything is made: providers are registered, the regions exist.

Both are read from the same answer, once for a create; it costs two requests. Who may not read the
providers goes on: ARM refuses the first PUT then, and its error has the same hint.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial

from ccgpu.azure.long_running import send_alone, send_together
from ccgpu.azure.run import Run
from ccgpu.domain import providers
from ccgpu.domain.capacity import SizeRegions
from ccgpu.domain.providers import Provider
from ccgpu.errors import AzureRefused, Denied, InvalidFile, Problem


@dataclass(slots=True)
class Regions:
    """What is known of regions for one size; where it is offered is looked up when it is needed."""

    run: Run
    size: str
    named: frozenset[str] = frozenset()  # by the compute provider; empty if it could not be read
    _sizes: SizeRegions | None = field(default=None, init=False)

    def require(self, regions: Iterable[str]) -> None:
        """Refuse regions that do not exist, as far as that is known without a further request."""
        missing = [one for one in regions if self.named and one not in self.named]
        if missing:
            raise InvalidFile("spec", [self.problem(one) for one in missing])

    def problem(self, region: str) -> Problem:
        """What is wrong with a region that does not offer the size."""
        sizes = self._everywhere()
        known = self.named or sizes.known
        there = ", ".join(sorted(sizes.offered))
        elsewhere = (
            f"{self.size} is offered in {there}" if there else f"{self.size} is offered nowhere"
        )
        if region in known or not known:
            return Problem("regions", f"{region} does not offer {self.size}: {elsewhere}")
        near = get_close_matches(region, sorted(known), n=1, cutoff=0.7)
        meant = f", did you mean {near[0]}?" if near else ""
        what = "is not an Azure region" if self.named else "is not a region with VM sizes"
        return Problem("regions", f"{region} {what}{meant or ':'} {elsewhere}")

    def _everywhere(self) -> SizeRegions:
        if self._sizes is None:
            look = partial(self.run.cloud.queries.sizes_everywhere, self.size)
            doing = f"looking where {self.size} is offered"
            self._sizes = send_alone(self.run, look, doing)
        return self._sizes


def require_providers(run: Run) -> frozenset[str]:
    """Refuse to begin while a provider is not registered; the regions that have VMs."""
    found = _read_providers(run)
    missing = [one.namespace for one in found if not one.usable]
    if missing:
        named = " and ".join(missing)
        verb = "is" if len(missing) == 1 else "are"
        raise AzureRefused(
            f"{named} {verb} not registered in the subscription {run.cloud.subscription}",
            code=providers.NOT_REGISTERED,
            hint=providers.register_hint(missing, run.cloud.subscription),
        )
    return frozenset(region for one in found for region in one.vm_regions)


def _read_providers(run: Run) -> list[Provider]:
    """The providers, as far as the caller may read them."""
    requests = {
        f"reading whether {name} is registered": partial(_read_provider, run, name)
        for name in providers.NEEDED
    }
    answers = send_together(run, requests)
    return [one for doing in requests if (one := answers[doing]) is not None]


def _read_provider(run: Run, namespace: str) -> Provider | None:
    try:
        return run.cloud.queries.provider(namespace)
    except Denied:
        return None
