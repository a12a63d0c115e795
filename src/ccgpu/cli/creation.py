"""`ccgpu create` with a valid spec: SSH key, confirmation, output, hint for the next step."""

from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.attesting import AttestFlags, attest_means
from ccgpu.cli.consent import Consent
from ccgpu.cli.create_flags import CreateFlags
from ccgpu.cli.login import login_fields
from ccgpu.cli.options import ProgressOptions
from ccgpu.cli.releasing import wanted_release
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.errors import CcgpuError

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.access import Access
    from ccgpu.domain.deployment import Deployment
    from ccgpu.domain.given import RequestedSpec
    from ccgpu.domain.plan import Plan
    from ccgpu.domain.spec.vm import VmSpec
    from ccgpu.store.keys import Keys
    from ccgpu.views.progress import Progress
    from ccgpu.workflows.attest import AttestMeans
    from ccgpu.workflows.create.context import CreateOutcome
    from ccgpu.workflows.guest_access import GuestOptions
    from ccgpu.workflows.pin_model import Hub


class OpenedBackend:
    """The back end of one command. It is opened when it is first used."""

    def __init__(self, runtime: Runtime, connection: ConnectionOptions, way: WayOptions) -> None:
        self._open = cache(partial(runtime.backend, connection))
        self._way = way

    def connect(self) -> "AzureContext":
        """Open the subscription."""
        return self._open().connect()

    def access(self, cloud: "AzureContext", name: str) -> "Access":
        """How the VM is reached, by what is given or remembered."""
        return self._way.access(cloud, name)

    def guest(self, cloud: "AzureContext", name: str, keys: "Keys") -> "GuestOptions":
        """How to look into the VM of this deployment."""
        from ccgpu.workflows.guest_access import GuestOptions

        backend, access = self._open(), self._way.access_to_try(cloud, name)
        return GuestOptions(backend.channels, access, keys, backend.require_channel)

    def hub(self, token: str | None) -> "Hub":
        """The hub of models."""
        return self._open().hub(token)

    def attest_means(
        self, runtime: Runtime, flags: AttestFlags, spec: "VmSpec"
    ) -> "AttestMeans | None":
        """What attests the VM of the spec; None if that is not wanted."""
        if not flags.wanted:
            return None
        means = attest_means(runtime, self._open(), flags.policy, flags.golden)
        means.require_binding()
        means.require_golden_values(spec.name, has_image=spec.measured_image is not None)
        return means


@dataclass(frozen=True, slots=True)
class Creation:
    """One `ccgpu create` whose spec is valid."""

    runtime: Runtime
    backend: OpenedBackend
    cloud: "AzureContext"
    requested: "RequestedSpec"
    flags: CreateFlags
    attest_flags: AttestFlags
    progress_options: ProgressOptions
    consent: Consent

    @property
    def spec(self) -> "VmSpec":
        """The spec to create."""
        return self.requested.spec

    def carry_out(self, output: OutputOptions) -> None:
        """Create the deployment and print it."""
        from ccgpu.views import created as view

        # 1. Create, with progress on stderr.
        means = self.attest_means()
        self._note_unreleased()
        with self.progress_options.shown(self.runtime) as progress:
            outcome, made = self.create(means, progress)
        # 2. Print the deployment on stdout, then the hint on stderr.
        cloud = self.cloud
        more = view.Notes(
            outcome.effective_spec.remembered, outcome.warnings, outcome.tries, outcome.secrets
        )
        self.runtime.answer(
            output,
            lambda: view.as_text(outcome.plan, made, more, simulated=cloud.simulated),
            lambda: self.as_json(outcome, made),
        )
        if outcome.problem is not None:
            raise outcome.problem
        self._hint_next_step(made)

    def as_json(self, outcome: "CreateOutcome", made: "Deployment") -> "dict[str, Any]":
        """The JSON document of what was created."""
        from ccgpu.views import created as view
        from ccgpu.views.signed_in import with_sign_in

        cloud, remembered = self.cloud, outcome.effective_spec.remembered
        more = view.Notes(remembered, outcome.warnings, outcome.tries, outcome.secrets)
        document = view.as_json(outcome.plan, made, more, simulated=cloud.simulated)
        login = login_fields(self.runtime, cloud, made)
        return with_sign_in(document | login, cloud.session.signed_in_with)

    def attest_means(self) -> "AttestMeans | None":
        """What attests the VM at the end; refuses what that or a release would refuse."""
        from ccgpu.workflows.create.attested import require_way
        from ccgpu.workflows.create.released import require_release

        flags, spec = self.attest_flags, self.spec
        require_release(spec, attested=flags.wanted)
        means = self.backend.attest_means(self.runtime, flags, spec)
        if means is not None and self.flags.wait:
            require_way(spec, self.backend.access(self.cloud, spec.name))
        if means is not None and spec.secrets:
            from ccgpu.workflows.release import require_release_policy  # needs the verifier

            require_release_policy(means, allow_loosened=flags.allow_loosened)
        return means

    def _note_unreleased(self) -> None:
        from ccgpu.workflows.create.released import not_released_note

        if note := not_released_note(self.spec, wait=self.flags.wait):
            self.runtime.note(f"note: {self.runtime.complete(note)}")

    def create(
        self, means: "AttestMeans | None", progress: "Progress"
    ) -> "tuple[CreateOutcome, Deployment]":
        """Carry out the stages; returns what they did, and the deployment as it is now."""
        from ccgpu.store.keys import Keys
        from ccgpu.workflows.create.context import TIMEOUT, CreateOptions
        from ccgpu.workflows.create.stages import create
        from ccgpu.workflows.show import show_created

        cloud, spec = self.cloud, self.spec
        keys = Keys(self.runtime.state, spec.name, self.runtime.home)
        options = CreateOptions(
            default_keys=lambda: self._default_keys(keys, progress),
            timeout=self.progress_options.timeout or TIMEOUT,
            given=self.requested.given,
            guest=self.backend.guest(cloud, spec.name, keys),
            attest=means,
            release=wanted_release(
                self.runtime, spec.secrets, allow_loosened=self.attest_flags.allow_loosened
            ),
            **asdict(self.flags),
        )
        ends = cloud.now() + options.time_limit
        outcome = create(cloud, spec, options, progress, lambda todo: self._approve(todo, progress))
        try:
            return outcome, show_created(cloud, outcome.snapshot, ends=ends)
        except CcgpuError as err:
            raise outcome.problem or err from err

    def _default_keys(self, keys: "Keys", progress: "Progress") -> tuple[str, ...]:
        known = keys.identity
        lines = keys.default()
        if keys.identity != known:
            progress.note(f"created an SSH key for {keys.deployment}: {keys.identity}")
        return lines

    def _approve(self, todo: "Plan", progress: "Progress") -> None:
        from ccgpu.domain.action import Action
        from ccgpu.workflows.create.replacement import shortened_lease

        if ends := shortened_lease(todo):
            doing = f"shorten the lease of {self.spec.name} from {ends[0]} to {ends[1]}"
            self.consent.require(self.runtime, progress, doing, ())
        if to_delete := todo.of(Action.REPLACE, Action.DELETE):
            count = f"{len(to_delete)} resource{'s' if len(to_delete) != 1 else ''}"
            doing = f"delete {count} of {self.spec.name} and all data"
            self.consent.require(
                self.runtime, progress, doing, [step.resource.id for step in to_delete]
            )

    def _hint_next_step(self, made: "Deployment") -> None:
        """Print how to wait for a VM, how to start a stopped one, or how to log in."""
        from ccgpu.domain.status import State

        if made.state is State.CREATING:
            self.progress_options.hint(
                self.runtime,
                f"{made.name} is still being created: `ccgpu wait {made.name} --for ready`",
            )
        elif made.state is State.STOPPED:
            self.progress_options.hint(
                self.runtime, f"{made.name} is stopped: `ccgpu start {made.name}`"
            )
        elif made.public_ip is not None and made.admin_user is not None:
            self.progress_options.hint(self.runtime, f"`ccgpu ssh {made.name}`")
