"""`ccgpu create`: capacity search → plan → apply → guest up; idempotent and resumable.

The journal is locked for the whole of it, so that on one machine a second create waits and then
finds nothing to do. On failure what this run made is undone; what cannot be undone, or is not
known, outranks the cause.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NoReturn

from ccgpu.domain.catalog import Kind
from ccgpu.domain.desired import Names, Stamp, desired
from ccgpu.domain.events import Listener, ignored
from ccgpu.domain.given import GivenFields, every_field, remember
from ccgpu.domain.journal import Journal, Record
from ccgpu.domain.lease import stamped
from ccgpu.domain.live_spec import resumable
from ccgpu.domain.plan import Action, ForeignResource, Plan, plan
from ccgpu.domain.renewal import renewed
from ccgpu.domain.resource import DEPLOYMENT, RUN, Resource, ResourceId, key, location, tag
from ccgpu.domain.spec import VmSpec
from ccgpu.errors import (
    AlreadyExists,
    CapacityUnavailable,
    CcgpuError,
    Interrupted,
    LeftBehind,
    UsageProblem,
)
from ccgpu.store.journals import JournalFile
from ccgpu.workflows import engine
from ccgpu.workflows.asked_spec import FittedSpec, announce, fitted
from ccgpu.workflows.clock import rfc3339
from ccgpu.workflows.cloud import Cloud
from ccgpu.workflows.finish import authorized_keys, finish
from ccgpu.workflows.inventory import left_behind, remembered, reported
from ccgpu.workflows.keeper import Keeper
from ccgpu.workflows.placement import Candidate, candidates, combined, of_existing
from ccgpu.workflows.requests import REFERS_TO_NOTHING, Run
from ccgpu.workflows.survey import Actual, deployment_ids, leftovers, nameable_ids, survey
from ccgpu.workflows.undo import undo

# Confidential OS-disk encryption takes up to half an hour (azure-cgpu-onboarding, FAQ).
TIMEOUT = 3600.0
_PLANS = 3  # each further one is another machine's create that came in between

Approve = Callable[[Plan], None]


@dataclass(frozen=True, slots=True)
class Options:
    """How a create goes about it; what it makes stands in the spec.

    `default_keys` gives the SSH public keys of a new VM whose spec names none. `given` are the
    fields of the spec that somebody gave; None: all of them.
    """

    default_keys: Callable[[], tuple[str, ...]]

    timeout: float = TIMEOUT
    wait: bool = True
    replace: bool = False
    keep_on_failure: bool = False
    skip_preflight: bool = False
    given: GivenFields | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A plan, made or carried out, where, and for which spec."""

    plan: Plan
    candidate: Candidate
    fitted: FittedSpec


def preview(cloud: Cloud, spec: VmSpec, options: Options, listen: Listener = ignored) -> Outcome:
    """The plan of a create; nothing is written, here or at Azure."""
    run = Run(cloud, cloud.now() + options.timeout, listen)
    work = _Work(run, spec, options)
    actual = survey(run, deployment_ids(work.names))
    work = work.fitted_to(actual)
    candidate = next(work.candidates(actual))
    stamp = Stamp("preview", rfc3339(run.server_now()), work.expiry())
    return Outcome(work.plan(candidate, actual, stamp), candidate, work.fitted)


def create(
    cloud: Cloud,
    spec: VmSpec,
    options: Options,
    listen: Listener = ignored,
    approve: Approve = lambda _: None,
) -> Outcome:
    """Bring the deployment into being, or to what the spec now says: the plan that was done.

    `approve` is asked before anything is deleted; it raises to refuse.
    """
    run = Run(cloud, cloud.now() + options.timeout, listen)

    def waiting() -> None:
        run.tell("note", f"another ccgpu is working on {spec.name}: waiting for it")

    with cloud.journals.locked(cloud.subscription, spec.name, waiting) as file:
        work = _Work(run, spec, options)
        keeper = _keeper(file, cloud, work.names)
        try:
            with reported(run, lambda: _ids(keeper.journal, work.names), spec.name):
                return _create(work, keeper, approve)
        except KeyboardInterrupt as err:
            raise Interrupted(
                f"interrupted: {spec.name} is not complete",
                hint=f"`ccgpu create {spec.name}` goes on, `ccgpu delete {spec.name}` removes it",
                resources=remembered(keeper, {}),
            ) from err


def _ids(journal: Journal, names: Names) -> dict[ResourceId, Kind]:
    """Where to look after a failure; nowhere, if this machine has made nothing."""
    made = {record.id: record.kind for record in journal.records}
    return nameable_ids(names) | made if made else {}


@dataclass(frozen=True, slots=True)
class _Work:
    """One create: what is to be made (as it was asked for, until it is fitted), and how."""

    run: Run
    asked: VmSpec
    options: Options
    fit: FittedSpec | None = None

    @property
    def fitted(self) -> FittedSpec:
        return self.fit or FittedSpec(self.asked, every_field(self.asked))

    @property
    def spec(self) -> VmSpec:
        return self.fitted.spec

    def fitted_to(self, actual: Actual) -> "_Work":
        return replace(
            self, fit=fitted(self.run, self.asked, self.options.given, self.names, actual)
        )

    @property
    def names(self) -> Names:
        return Names(self.run.cloud.subscription, self.asked.group, self.asked.name)

    def expiry(self) -> str | None:
        ttl = self.spec.ttl
        end = rfc3339(self.run.server_now() + ttl.total_seconds()) if ttl else None
        return end or self.fitted.expires

    def remember(self, keeper: Keeper, todo: Plan | None = None) -> None:
        """Keep what was asked for; and while a VM is replaced, what it was like."""
        given = self.fitted.given
        if todo is not None and todo.of(Action.REPLACE):
            keeper.remember(resumable(self.asked, given, self.spec))
        else:
            keeper.remember(remember(self.asked, given))

    def stamped(self, resource: Resource) -> Resource:
        """The resource as it is sent now: its time to live begins with its PUT."""
        return stamped(resource, rfc3339(self.run.server_now()), self.expiry())

    def candidates(self, actual: Actual) -> Iterator[Candidate]:
        """Where the VM is, if it is there and the spec agrees; else where it can go."""
        vm = actual.get(key(self.names.vm))
        if vm is not None and (there := of_existing(vm, self.spec)):
            return iter([Candidate(there)])
        return candidates(
            self.run,
            self._begun_region_first(actual),
            skip_preflight=self.options.skip_preflight,
            leaves=location(vm["location"]) if vm else None,
        )

    def plan(self, candidate: Candidate, actual: Actual, stamp: Stamp) -> Plan:
        spec, subscription = self.spec, self.names.subscription
        wanted = desired(self._with_keys(actual), subscription, candidate.placement, stamp)
        try:
            return plan(wanted, actual, spec.name, extra=leftovers(self.names, actual))
        except ForeignResource as err:
            whose = f"the deployment {err.owner}" if err.owner else "somebody else"
            raise UsageProblem(
                f"{err.id} is there already, and belongs to {whose}",
                hint="give the deployment another name, or another `--resource-group`",
            ) from err

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


def _create(work: _Work, keeper: Keeper, approve: Approve) -> Outcome:
    refusals: list[CcgpuError] = []
    actual = survey(work.run, deployment_ids(work.names))
    work = work.fitted_to(actual)
    announce(work.run, work.fitted)
    for candidate in work.candidates(actual):
        if refusals:
            actual = survey(work.run, deployment_ids(work.names))
        try:
            outcome = _attempt(work, candidate, actual, keeper, approve)
        except CapacityUnavailable as err:
            if work.options.keep_on_failure or keeper.journal.of_run():
                raise
            refusals.append(err)
            work.run.tell("note", f"{candidate.placement.region} has no capacity")
            continue
        if work.options.wait:
            finish(work.run, work.names, keeper)
        return outcome
    raise combined(refusals)


def _attempt(
    work: _Work, candidate: Candidate, actual: Actual, keeper: Keeper, approve: Approve
) -> Outcome:
    """Plan and apply; and again if somebody else's create came in between."""
    for _ in range(_PLANS):
        keeper.adopt(*_ours(work.names, actual))
        stamp = Stamp(keeper.journal.run, keeper.journal.created, work.expiry())
        todo = work.plan(candidate, actual, stamp)
        _refuse_replace(work, todo, keeper)
        if todo.of(Action.REPLACE, Action.DELETE):
            approve(todo)
        work.remember(keeper, todo)
        todo = renewed(todo, actual, rfc3339(work.run.server_now()), work.expiry())
        try:
            done = engine.apply(todo, work.run, keeper, work.stamped, wait_for_vm=work.options.wait)
        except CcgpuError as err:
            changed = _changed_meanwhile(work, actual, err)
            if changed is None:
                _fail(work, keeper, err)
            work.run.tell("note", f"somebody else has changed it meanwhile: {err}")
            actual, work = changed, work.fitted_to(changed)
            candidate = next(work.candidates(changed))
        else:
            work.remember(keeper)
            return Outcome(done, candidate, work.fitted)
    raise LeftBehind(f"{work.spec.name} keeps being changed by somebody else")


def _changed_meanwhile(work: _Work, actual: Actual, err: CcgpuError) -> Actual | None:
    """What there is now, if `err` is another machine's doing: made it first, or removed some of it.

    What the plan kept may have been garbage that was collected before it was renewed.
    """
    if isinstance(err, AlreadyExists):
        return survey(work.run, deployment_ids(work.names))
    if err.code not in REFERS_TO_NOTHING or work.options.keep_on_failure:
        return None
    found = survey(work.run, deployment_ids(work.names))
    return None if found.keys() >= actual.keys() else found


def _ours(names: Names, actual: Actual) -> Iterator[Record]:
    """What is there already, with the run that made it: another machine's, it may be."""
    for id_, kind in deployment_ids(names).items():
        body = actual.get(key(id_))
        if tag(body, DEPLOYMENT) == names.deployment:
            yield Record(id_, kind, tag(body, RUN) or "", "done")


def _refuse_replace(work: _Work, todo: Plan, keeper: Keeper) -> None:
    """Replacing loses data: only when asked for, or when what is there never came to be."""
    replaced = todo.of(Action.REPLACE)
    mine = {record.id for record in keeper.journal.of_run() if record.stage == "begun"}
    if not replaced or work.options.replace:
        return
    if not keeper.journal.finished and all(step.resource.id in mine for step in replaced):
        return
    reasons = [
        f"  {step.resource.kind} {step.resource.name}: {why.path} is {why.found!r}, "
        f"and {why.wanted!r} is wanted"
        for step in replaced
        for why in step.reasons
    ]
    raise UsageProblem(
        "what is there cannot be changed into what the spec says:\n" + "\n".join(reasons),
        hint="`--replace` deletes it, with the data on its disks, and makes it anew",
    )


def _fail(work: _Work, keeper: Keeper, err: CcgpuError) -> NoReturn:
    """Undo what this run made, and raise `err`; `LeftBehind` if something is left."""
    if work.options.keep_on_failure:
        raise err
    work.run.tell("note", "undoing what was made")
    if errors := undo(work.run, keeper).errors:
        raise left_behind(
            f"{err}\nand not everything that was made could be removed",
            (err, *errors),
            hint=f"`ccgpu delete {work.spec.name}` tries again",
        ) from err
    raise err


def _keeper(file: JournalFile, cloud: Cloud, names: Names) -> Keeper:
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
        return Keeper(file, fresh)
    if found.group.casefold() != names.group.casefold():
        raise UsageProblem(
            f"{names.deployment} is in the resource group {found.group}",
            hint=f"`--resource-group {found.group}`, or another name for a second deployment",
        )
    if found.finished:
        found = replace(found, run=fresh.run, created=fresh.created)
    return Keeper(file, found)
