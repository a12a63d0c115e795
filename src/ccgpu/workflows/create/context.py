"""The state of one `ccgpu create`: its request, its options, and the outcome so far."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, RememberedSpec, every_field, remember
from ccgpu.domain.plan import Plan
from ccgpu.domain.secrets_outcome import NO_SECRETS, SecretsOutcome
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.tries import FailedTry
from ccgpu.errors import CcgpuError
from ccgpu.workflows.create.effective_spec import EffectiveSpec, effective_spec, remembered_notes
from ccgpu.workflows.create.placement import Candidate
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot
from ccgpu.workflows.guest_access import GuestOptions
from ccgpu.workflows.journal_writer import JournalWriter

if TYPE_CHECKING:
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.secrets import WantedRelease

# Confidential OS-disk encryption takes up to half an hour (azure-cgpu-onboarding, FAQ).
TIMEOUT = time_limits.CREATE

# Called before anything is deleted; raises an error to refuse.
Approve = Callable[[Plan], None]


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """The options of a create that are not part of the spec.

    default_keys: Returns the SSH public keys of a new VM whose spec names none.
    given: Which fields of the spec the user gave; None if all of them count as given.
    guest: How to look into the VM; None if the create ends without looking.
    attest: What attests the VM at the end; None if it is not attested.
    release: How the secrets of the spec are read and released; None if none is.
    wait_for_capacity: For how many seconds to try again if Azure has no room; None: not at all.
    """

    default_keys: Callable[[], tuple[str, ...]]

    timeout: float = TIMEOUT
    wait: bool = True
    replace: bool = False
    keep_on_failure: bool = False
    skip_preflight: bool = False
    given: GivenFields | None = None
    guest: GuestOptions | None = None
    attest: "AttestMeans | None" = None
    release: "WantedRelease | None" = None
    wait_for_capacity: float | None = None

    @property
    def time_limit(self) -> float:
        """The seconds that the create may take: waiting for capacity does not count."""
        return self.timeout + (self.wait_for_capacity or 0.0)


@dataclass(frozen=True, slots=True)
class CreateOutcome:
    """A plan, made or carried out; its placement, its spec, and the resources read meanwhile.

    warnings: what users should know before the plan is carried out. tries: where Azure had no room.
    problem: why the last stage has failed, although the deployment stands; to be raised once the
    deployment was shown. secrets: what became of the spec's secrets.
    """

    plan: Plan
    candidate: Candidate
    effective_spec: EffectiveSpec
    snapshot: Snapshot
    warnings: tuple[str, ...] = ()
    tries: tuple[FailedTry, ...] = ()
    problem: CcgpuError | None = None
    secrets: SecretsOutcome = NO_SECRETS

    @property
    def notes(self) -> tuple[str, ...]:
        """What to say about a plan: what comes from the last create, and the warnings."""
        return (*remembered_notes(self.effective_spec), *self.warnings)


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """The requested spec, and (`fitted`) the spec adapted to the existing resources."""

    run: Run
    requested: VmSpec
    options: CreateOptions
    fitted: EffectiveSpec | None = None

    @property
    def effective(self) -> EffectiveSpec:
        """The spec to carry out: the requested one, until it is adapted to what exists."""
        return self.fitted or EffectiveSpec(self.requested, every_field(self.requested))

    @property
    def spec(self) -> VmSpec:
        """The `VmSpec` to carry out."""
        return self.effective.spec

    @property
    def names(self) -> Names:
        """The ids of the deployment's resources."""
        return Names(self.run.cloud.subscription, self.requested.group, self.requested.name)

    def to_remember(self) -> RememberedSpec:
        """The spec that this machine remembers for the next create."""
        return remember(self.requested, self.effective.given)

    def fitted_to(self, actual: Actual) -> "CreateRequest":
        """The same request; fields that the user did not give take the values of what exists."""
        fit = effective_spec(self.run, self.requested, self.options.given, self.names, actual)
        return replace(self, fitted=fit)


@dataclass(frozen=True, slots=True)
class CreateContext:
    """The input and the output of a stage of a create.

    journal: the deployment's journal, locked by this process. outcome: that of the first stage.
    boots: whether the VM may still be booting, because this run created it, or a run that was
    interrupted. is_open: whether the stage could not be carried out for now, so that its end is not
    journalled, and the create ends without the stages after it.
    """

    request: CreateRequest
    journal: JournalWriter
    approve: Approve
    outcome: CreateOutcome | None = None
    boots: bool = False
    is_open: bool = False

    @property
    def run(self) -> Run:
        """The command under way."""
        return self.request.run

    @property
    def provisioned(self) -> CreateOutcome:
        """The outcome of the first stage, which the later stages need."""
        if self.outcome is None:
            raise RuntimeError("no stage has provisioned anything")
        return self.outcome

    def left_open(self) -> "CreateContext":
        """The same context, for a stage that a later create carries out."""
        return replace(self, is_open=True)

    def in_stage(self, name: str) -> "CreateContext":
        """The same context; its events carry the name of the stage."""
        run = replace(self.run, stage=name)
        return replace(self, request=replace(self.request, run=run))
