"""What one `ccgpu create` is about: what was asked for, how, and how far it has come."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ccgpu.azure.run import Run
from ccgpu.domain.desired import Names
from ccgpu.domain.given import GivenFields, RememberedSpec, every_field, remember
from ccgpu.domain.plan import Plan
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.workflows.create.effective_spec import EffectiveSpec, effective_spec
from ccgpu.workflows.create.placement import Candidate
from ccgpu.workflows.discovery.snapshot import Actual, Snapshot
from ccgpu.workflows.journal_writer import JournalWriter

# Confidential OS-disk encryption takes up to half an hour (azure-cgpu-onboarding, FAQ).
TIMEOUT = 3600.0

# Is asked before anything is deleted; raises to refuse.
Approve = Callable[[Plan], None]


@dataclass(frozen=True, slots=True)
class CreateOptions:
    """How a create goes about it; what it creates stands in the spec.

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
    """A plan, made or carried out, where, and for which spec; and what has been read meanwhile."""

    plan: Plan
    candidate: Candidate
    effective_spec: EffectiveSpec
    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """What is asked for, and the spec that comes of it once it is known what is there."""

    run: Run
    asked: VmSpec
    options: CreateOptions
    fitted: EffectiveSpec | None = None

    @property
    def effective(self) -> EffectiveSpec:
        """The spec that is carried out: as asked for, until it is fitted to what is there."""
        return self.fitted or EffectiveSpec(self.asked, every_field(self.asked))

    @property
    def spec(self) -> VmSpec:
        """The VM that is wanted."""
        return self.effective.spec

    @property
    def names(self) -> Names:
        """The ids of the deployment's resources."""
        return Names(self.run.cloud.subscription, self.asked.group, self.asked.name)

    def to_remember(self) -> RememberedSpec:
        """What this machine keeps of it for the next create."""
        return remember(self.asked, self.effective.given)

    def fitted_to(self, actual: Actual) -> "CreateRequest":
        """The same request, in which fields that nobody gave take what is there."""
        fit = effective_spec(self.run, self.asked, self.options.given, self.names, actual)
        return replace(self, fitted=fit)


@dataclass(frozen=True, slots=True)
class CreateContext:
    """What a stage is handed, and what it hands on to the next.

    journal: the deployment's, held by this process alone. outcome: what the first stage has done.
    boots: whether the VM has been created just now, or by a run that ended before its boot.
    """

    request: CreateRequest
    journal: JournalWriter
    approve: Approve
    outcome: CreateOutcome | None = None
    boots: bool = False

    @property
    def run(self) -> Run:
        """The command under way."""
        return self.request.run

    @property
    def provisioned(self) -> CreateOutcome:
        """What the first stage has done; the later ones go on from it."""
        if self.outcome is None:
            raise RuntimeError("no stage has provisioned anything")
        return self.outcome

    def in_stage(self, name: str) -> "CreateContext":
        """The same, whose events name the stage."""
        run = replace(self.run, stage=name)
        return replace(self, request=replace(self.request, run=run))
