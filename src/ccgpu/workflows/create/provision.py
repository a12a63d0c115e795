"""`ccgpu create`: capacity search → plan → apply → guest up; idempotent and resumable.

The journal is locked for the whole of it, so that on one machine a second create waits and then
finds nothing to do. On failure what this run made is undone; what cannot be undone, or is not
known, outranks the cause.
"""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

from ccgpu.azure.context import AzureContext
from ccgpu.azure.long_running import NOT_FOUND_CODES
from ccgpu.azure.run import Run
from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, RunTags, desired
from ccgpu.domain.events import Listener, ignore_event
from ccgpu.domain.given import GivenFields, every_field, remember
from ccgpu.domain.in_place import never_provisioned
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.lease import stamped
from ccgpu.domain.live_spec import resumable
from ccgpu.domain.plan import Action, ForeignResource, Plan, plan
from ccgpu.domain.renewal import renewed
from ccgpu.domain.resource import (
    DEPLOYMENT,
    EXPIRES,
    RUN,
    Resource,
    key,
    location,
    tag,
)
from ccgpu.domain.spec import VmSpec
from ccgpu.errors import (
    AlreadyExists,
    CapacityUnavailable,
    CcgpuError,
    LeftBehind,
    Leftover,
    UsageProblem,
)
from ccgpu.scheduling.clock import rfc3339
from ccgpu.store.journals import JournalFile
from ccgpu.workflows.apply import apply_plan
from ccgpu.workflows.create.boot import authorized_keys, complete_boot
from ccgpu.workflows.create.effective_spec import (
    EffectiveSpec,
    announce_defaults,
    effective_spec,
    lease_wish,
)
from ccgpu.workflows.create.existing_group import with_existing_group
from ccgpu.workflows.create.failure import possible_resources, rollback_and_raise, run_resources
from ccgpu.workflows.create.placement import (
    Candidate,
    combined_refusal,
    existing_placement,
    find_candidates,
    with_location,
)
from ccgpu.workflows.create.references import require_new_references
from ccgpu.workflows.create.replacement import needs_approval, refuse_replacing
from ccgpu.workflows.discovery.leftovers import (
    converting_interrupt,
    recall_leftovers,
    reporting_leftovers,
)
from ccgpu.workflows.discovery.owned_resources import read_owned_resources
from ccgpu.workflows.discovery.snapshot import (
    Actual,
    deployment_ids,
    possible_ids,
    read_deployment_settled,
    unwanted_resources,
)
from ccgpu.workflows.extend import set_expiry
from ccgpu.workflows.journal_writer import JournalWriter

# Confidential OS-disk encryption takes up to half an hour (azure-cgpu-onboarding, FAQ).
TIMEOUT = 3600.0
_PLANS = 3  # each further one is another machine's create that came in between

Approve = Callable[[Plan], None]


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How a create goes about it; what it makes stands in the spec.

    `default_keys` gives the SSH public keys of a new VM whose spec names none.
    """

    default_keys: Callable[[], tuple[str, ...]]

    timeout: float = TIMEOUT
    wait: bool = True
    replace: bool = False
    keep_on_failure: bool = False
    skip_preflight: bool = False
    given: GivenFields | None = None


@dataclass(frozen=True, slots=True)
class CreateOutcome:
    """A plan, made or carried out, where, and for which spec."""

    plan: Plan
    candidate: Candidate
    effective_spec: EffectiveSpec


def preview(
    cloud: AzureContext, spec: VmSpec, options: CreateOptions, listen: Listener = ignore_event
) -> CreateOutcome:
    """The plan of a create; nothing is written, here or at Azure."""
    run = Run.begin(cloud, options.timeout, listen)
    work = _Work(run, with_existing_group(run, spec, options.given), options)
    actual = work.survey()
    work = work.fitted_to(actual)
    candidate = next(work.candidates(actual))
    stamp = RunTags("preview", rfc3339(run.server_clock.now()), work.expiry())
    journal = cloud.journals.peek(cloud.subscription, spec.name)
    todo = work.renewed(work.plan(candidate, actual, stamp), actual, journal)
    return CreateOutcome(todo, candidate, work.fitted)


def create(
    cloud: AzureContext,
    spec: VmSpec,
    options: CreateOptions,
    listen: Listener = ignore_event,
    approve: Approve = lambda _: None,
) -> CreateOutcome:
    """Bring the deployment into being, or to what the spec now says: the plan that was done.

    `approve` is asked before anything is deleted; it raises to refuse.
    """
    run = Run.begin(cloud, options.timeout, listen)

    def waiting() -> None:
        run.tell("note", f"another ccgpu is working on {spec.name}: waiting for it")

    keepers: list[JournalWriter] = []

    def known() -> tuple[Leftover, ...]:
        names = Names(cloud.subscription, spec.group, spec.name)
        return recall_leftovers(run, names, keepers[-1] if keepers else None)

    hint = f"`ccgpu create {spec.name}` goes on, `ccgpu delete {spec.name}` removes it"
    locked = cloud.journals.locked(cloud.subscription, spec.name, waiting)
    with converting_interrupt(f"{spec.name} is not complete", hint, known):
        spec = with_existing_group(run, spec, options.given)
        work = _Work(run, spec, options)
        with reporting_leftovers(run, partial(possible_ids, work.names), spec.name), locked as file:
            keeper = _keeper(file, cloud, work.names)
            keepers.append(keeper)
            ids = partial(possible_resources, keeper, work.names)
            with (
                reporting_leftovers(run, ids, spec.name, partial(run_resources, keeper)),
                work.kept_for(keeper),
            ):
                return _create(work, keeper, approve)


@dataclass(frozen=True, slots=True)
class _Work:
    """One create: what is to be made (as it was asked for, until it is fitted), and how."""

    run: Run
    asked: VmSpec
    options: CreateOptions
    fit: EffectiveSpec | None = None

    @property
    def fitted(self) -> EffectiveSpec:
        return self.fit or EffectiveSpec(self.asked, every_field(self.asked))

    @property
    def spec(self) -> VmSpec:
        return self.fitted.spec

    def fitted_to(self, actual: Actual) -> "_Work":
        return replace(
            self, fit=effective_spec(self.run, self.asked, self.options.given, self.names, actual)
        )

    @property
    def names(self) -> Names:
        return Names(self.run.cloud.subscription, self.asked.group, self.asked.name)

    def survey(self) -> Actual:
        """All that is there and that the spec is compared with."""
        return read_deployment_settled(self.run, self.names, len(self.spec.data_disks))

    def expiry(self) -> str | None:
        ttl = self.spec.ttl
        end = rfc3339(self.run.server_clock.now() + ttl.total_seconds()) if ttl else None
        return end or self.fitted.expires

    def renewed(self, todo: Plan, actual: Actual, journal: Journal | None) -> Plan:
        """The plan with the lease that is asked for now."""
        wish = lease_wish(self.asked, self.fitted.given, journal)
        return renewed(todo, actual, rfc3339(self.run.server_clock.now()), self.expiry(), wish)

    def remember(self, keeper: JournalWriter, todo: Plan | None = None) -> None:
        """Keep what was asked for; and while a VM is replaced, what it was like."""
        given = self.fitted.given
        if todo is not None and todo.of(Action.REPLACE):
            keeper.remember(resumable(self.asked, given, self.spec))
        else:
            keeper.remember(remember(self.asked, given))

    @contextmanager
    def kept_for(self, keeper: JournalWriter) -> Iterator[None]:
        """What an interrupted create asked for is remembered even before anything was made."""
        try:
            yield
        except KeyboardInterrupt:
            if not keeper.journal.records:
                keeper.remember(remember(self.asked, self.fitted.given))
            raise

    def stamped(self, resource: Resource) -> Resource:
        """The resource as it is sent now: its time to live begins with its PUT."""
        return stamped(resource, rfc3339(self.run.server_clock.now()), self.expiry())

    def candidates(
        self, actual: Actual, refusals: list[CcgpuError] | None = None
    ) -> Iterator[Candidate]:
        """Where the VM is, if it is there and the spec agrees; else where it can go.

        Why a region is passed over is added to `refusals`.
        """
        vm = actual.get(key(self.names.vm))
        if vm is not None and (there := existing_placement(vm, self.spec)):
            return iter([Candidate(there)])
        return find_candidates(
            self.run,
            self._begun_region_first(actual),
            refusals if refusals is not None else [],
            skip_preflight=self.options.skip_preflight,
            leaves=location(vm["location"]) if vm else None,
        )

    def plan(self, candidate: Candidate, actual: Actual, stamp: RunTags) -> Plan:
        spec, subscription = self.spec, self.names.subscription
        wanted = desired(self._with_keys(actual), subscription, candidate.placement, stamp)
        try:
            todo = plan(wanted, actual, spec.name, extra=unwanted_resources(self.names, actual))
        except ForeignResource as err:
            whose = f"the deployment {err.owner}" if err.owner else "somebody else"
            raise UsageProblem(
                f"{err.id} is there already, and belongs to {whose}",
                hint="give the deployment another name, or another `--resource-group`",
            ) from err
        if not candidate.checked:
            vm = actual.get(key(self.names.vm))
            require_new_references(self.run, spec, candidate.placement.region, todo, vm)
        return todo

    def _begun_region_first(self, actual: Actual) -> VmSpec:
        """An unfinished create goes on where it began, if the spec still allows the region."""
        there = {
            location(body["location"])
            for id_, body in actual.items()
            if id_ in map(key, self.names.shared) and tag(body, DEPLOYMENT) == self.spec.name
        }
        regions = sorted(self.spec.regions, key=lambda region: region not in there)
        return self.spec.model_copy(update={"regions": tuple(regions)})

    def _with_keys(self, actual: Actual) -> VmSpec:
        """A spec that names no key means any: the VM's own, if there is one, else the user's."""
        if self.spec.ssh_keys:
            return self.spec
        vm = actual.get(key(self.names.vm))
        keys = authorized_keys(vm) if vm else self.options.default_keys()
        return self.spec.model_copy(update={"ssh_keys": keys})


def _create(work: _Work, keeper: JournalWriter, approve: Approve) -> CreateOutcome:
    refusals: list[CcgpuError] = []
    failed = False
    actual = work.survey()
    work = work.fitted_to(actual)
    announce_defaults(work.run, work.fitted)
    unfinished = _go_on(work, keeper, actual)
    for candidate in work.candidates(actual, refusals):
        if failed:
            actual = work.survey()
        try:
            outcome = _attempt(work, candidate, actual, keeper, approve)
        except CapacityUnavailable as err:
            if work.options.keep_on_failure or keeper.journal.of_run():
                raise
            refusals.append(err)
            failed = True
            work.run.tell("note", f"{candidate.placement.region} has no capacity")
            continue
        _lease_the_rest(work, outcome.plan)
        if work.options.wait:
            complete_boot(work.run, work.names, keeper, made=unfinished or _makes_vm(outcome.plan))
        return outcome
    raise combined_refusal(refusals)


def _go_on(work: _Work, keeper: JournalWriter, actual: Actual) -> bool:
    """Begin a new run where a VM is there already; whether a run of ours may have left it booting.

    What this command makes is its own to undo; a VM that was there before it is not.
    """
    vm = actual.get(key(work.names.vm))
    if vm is None or never_provisioned(vm) or tag(vm, DEPLOYMENT) != work.spec.name:
        return False
    unfinished = tag(vm, RUN) == keeper.journal.run and not keeper.journal.finished
    keeper.new_run(secrets.token_hex(8), rfc3339(work.run.cloud.now()))
    return unfinished


def _lease_the_rest(work: _Work, done: Plan) -> None:
    """A new end of the lease is written on what Azure made with the VM, too: the latest counts."""
    ends = {
        one.wanted
        for step in done.of(Action.UPDATE)
        for one in step.reasons
        if one.path == f"tags.{EXPIRES}"
    }
    if len(ends) == 1 and not _makes_vm(done):
        set_expiry(work.run, read_owned_resources(work.run, work.names, {}), ends.pop())


def _makes_vm(done: Plan) -> bool:
    made = done.of(Action.CREATE, Action.REPLACE)
    return any(step.resource.kind is Kind.VM for step in made)


def _attempt(
    work: _Work, candidate: Candidate, actual: Actual, keeper: JournalWriter, approve: Approve
) -> CreateOutcome:
    """Plan and apply; and again if somebody else's create came in between."""
    for _ in range(_PLANS):
        keeper.adopt(*_ours(work.names, actual))
        stamp = RunTags(keeper.journal.run, keeper.journal.created, work.expiry())
        todo = work.plan(candidate, actual, stamp)
        refuse_replacing(todo, asked=work.options.replace)
        todo = work.renewed(todo, actual, keeper.journal)
        if needs_approval(todo):
            approve(todo)
        work.remember(keeper, todo)
        try:
            done = apply_plan(todo, work.run, keeper, work.stamped, wait_for_vm=work.options.wait)
        except CcgpuError as err:
            changed = _changed_meanwhile(work, actual, err)
            if changed is None:
                place = candidate.placement
                found = with_location(err, place.region, place.zone)
                rollback_and_raise(work.run, keeper, found, todo, keep=work.options.keep_on_failure)
            work.run.tell("note", f"somebody else has changed it meanwhile: {err}")
            actual, work = changed, work.fitted_to(changed)
            candidate = next(work.candidates(changed))
        else:
            work.remember(keeper)
            return CreateOutcome(done, candidate, work.fitted)
    raise LeftBehind(f"{work.spec.name} keeps being changed by somebody else")


def _changed_meanwhile(work: _Work, actual: Actual, err: CcgpuError) -> Actual | None:
    """What there is now, if `err` is another machine's doing: made it first, or removed some of it.

    What the plan kept may have been garbage that was collected before it was renewed.
    """
    if isinstance(err, AlreadyExists):
        return work.survey()
    if err.code not in NOT_FOUND_CODES or work.options.keep_on_failure:
        return None
    found = work.survey()
    return None if found.keys() >= actual.keys() else found


def _ours(names: Names, actual: Actual) -> Iterator[Record]:
    """What is there already, with the run that made it: another machine's, it may be."""
    for id_, kind in deployment_ids(names).items():
        body = actual.get(key(id_))
        if tag(body, DEPLOYMENT) == names.deployment:
            yield Record(id_, kind, tag(body, RUN) or "", "done")


def _keeper(file: JournalFile, cloud: AzureContext, names: Names) -> JournalWriter:
    """The deployment's journal; a run that did not end goes on as the same run."""
    found = file.read()
    fresh = Journal(
        names.deployment,
        names.subscription,
        names.group,
        run=secrets.token_hex(8),
        created=rfc3339(cloud.now()),
    )
    if found is None or not found.records:
        return JournalWriter(file, fresh)
    if found.group.casefold() != names.group.casefold():
        raise UsageProblem(
            f"{names.deployment} is in the resource group {found.group}",
            hint=f"`--resource-group {found.group}`, or another name for a second deployment",
        )
    if found.finished:
        found = replace(found, run=fresh.run, created=fresh.created)
    return JournalWriter(file, found)
