"""`ccgpu doctor` without a name: is everything in order, before a cent is spent? It only reads.

Each check is made even if others fail. Those of Azure need a sign-in; those of a VM need a spec.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.finding import Finding, SetupReport, failed, good, unknown, warned
from ccgpu.domain.forecast import ExpectedEnd, by_date
from ccgpu.domain.given import RequestedSpec
from ccgpu.domain.price import max_price_warnings
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import CcgpuError
from ccgpu.store import policies
from ccgpu.workflows.check_setup import account, preflight
from ccgpu.workflows.check_setup.local_machine import LocalMachine
from ccgpu.workflows.forecast import driver_of, forecast, shipped_endings
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.prices import price_of_spec
from ccgpu.workflows.secrets import WantedRelease

TIMEOUT = time_limits.DOCTOR_ALONE
_OF_ACCOUNT = ("subscription", "clock", "providers")
_OF_SPEC = ("preflight", "permissions", "references", "region", "image", "ssh-from")
_NO_SIGN_IN = "not looked at: it needs a sign-in"
_NO_SPEC = "not looked at: it needs a valid spec"


@dataclass(frozen=True, slots=True)
class SetupQuestion:
    """What is checked: the spec, or why it is refused; this machine; and the way to the VM.

    now: this machine's time. guest: how the VM would be looked into. release: how the spec's
    secrets would be read; None if it has none.
    """

    requested: RequestedSpec | CcgpuError
    machine: LocalMachine
    now: Callable[[], float]
    guest: Callable[[AzureContext], GuestOptions]
    release: WantedRelease | None = None

    @property
    def spec(self) -> VmSpec | None:
        """The spec, if it is valid."""
        return None if isinstance(self.requested, CcgpuError) else self.requested.spec


def check_setup(
    connect: Callable[[], AzureContext],
    question: SetupQuestion,
    timeout: float = TIMEOUT,
    listen: Listener = ignore_event,
) -> SetupReport:
    """Make all checks, those of Azure within `timeout` seconds."""
    findings = [_check_spec(question.requested), *question.machine.findings(question.spec)]
    findings += _guarded("secrets", partial(_check_sources, question.release))
    endings = by_date(shipped_endings(question.spec))
    try:
        cloud = connect()
        run = Run.begin(cloud, timeout, listen)
        findings.append(account.check_sign_in(run))
    except CcgpuError as err:
        findings.append(failed("sign-in", err))
        findings += [unknown(step, _NO_SIGN_IN) for step in (*_OF_ACCOUNT, *_OF_SPEC)]
        at, signed_in_with = question.now(), None
    else:
        findings += _check_account(run)
        more, told = _check_wish(run, question)
        findings, endings = [*findings, *more], told or endings
        at = run.server_clock.time() or cloud.now()
        signed_in_with = cloud.session.signed_in_with
    when = datetime.fromtimestamp(at, UTC)
    findings += _check_data(question.spec, endings, when)
    return SetupReport(tuple(findings), endings, when, signed_in_with)


def _check_spec(requested: RequestedSpec | CcgpuError) -> Finding:
    if isinstance(requested, CcgpuError):
        hint = requested.hint or "`ccgpu schema spec` prints every field"
        requested.hint = f"{hint}; a field of a newer ccgpu needs that ccgpu"
        return failed("spec", requested)
    return good("spec", f"{requested.spec.size} in {', '.join(requested.spec.regions)}")


def _check_account(run: Run) -> Iterator[Finding]:
    yield from _guarded("subscription", lambda: [account.check_subscription(run)])
    yield account.check_clock(run)
    yield from _guarded("providers", lambda: [account.check_providers(run)])


def _check_wish(
    run: Run, question: SetupQuestion
) -> tuple[list[Finding], tuple[ExpectedEnd, ...] | None]:
    """The checks of a spec at Azure, and the forecast if there is a placement."""
    requested = question.requested
    if isinstance(requested, CcgpuError):
        return [unknown(step, _NO_SPEC) for step in _OF_SPEC], None
    spec = requested.spec
    guest = partial(question.guest, run.cloud)
    done = preflight.Preflight.run(run, requested, guest, policies.load())
    planned = done.planned
    passes = planned is not None
    findings = [
        done.finding,
        *_guarded("permissions", lambda: account.check_permissions(run, spec)),
        *_guarded("references", lambda: [preflight.check_references(run, spec)]),
        *_guarded("region", lambda: preflight.check_regions(run, spec, passes=passes)),
        *_guarded("image", lambda: preflight.check_images(run, spec, planned)),
        *_guarded("ssh-from", lambda: [preflight.check_ssh_source(run, spec)]),
        *_guarded("price", lambda: [_check_price(run, spec)]),
    ]
    if planned is None:
        return findings, None
    place = planned.candidate.placement
    return findings, forecast(run, planned.effective_spec.spec, place.region, place.image)


def _guarded(step: str, check: Callable[[], Iterable[Finding]]) -> list[Finding]:
    """The findings of a check; its error is one of them, and stops no other check."""
    found: list[Finding] = []
    try:
        found.extend(check())
    except CcgpuError as err:
        found.append(failed(step, err))
    return found


def _check_sources(release: WantedRelease | None) -> Iterator[Finding]:
    """Whether the sources of the spec's secrets are there; no value is read."""
    if release is not None and release.sources:
        release.require_readable()
        names = ", ".join(source.name for source in release.sources)
        yield good("secrets", f"the sources of {names} are there; no value was read")


def _check_price(run: Run, spec: VmSpec) -> Finding:
    price = price_of_spec(run.cloud.prices, spec, spec.regions[0], run.deadline.left())
    if price.hourly is None:
        remedy = "a create needs no price; let this machine reach https://prices.azure.com"
        return warned("price", price.summary, remedy)
    if above := max_price_warnings(price, spec.max_price):
        return warned("price", "; ".join(above), "give a higher one: `--max-price USD`, or none")
    return good("price", f"{spec.regions[0]}: {price.summary}")


def _check_data(
    spec: VmSpec | None, endings: Iterable[ExpectedEnd], at: datetime
) -> Iterator[Finding]:
    """What will stop working soon, and what is known of the spec's driver."""
    told = False
    for one in endings:
        if one.is_soon(at):
            told = True
            yield warned("forecast", one.text(at), one.remedy)
    if not told:
        yield good("forecast", "nothing that is known ends within 60 days")
    driver = driver_of(spec)
    if driver is not None:
        known = set(driver.expiry_warnings(at))  # of the forecast
        remedy = "choose another driver: `ccgpu drivers` lists them"
        yield from (
            warned("driver", one, remedy) for one in driver.warnings(at) if one not in known
        )
