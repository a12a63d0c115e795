"""`ccgpu create` with a valid spec: SSH key, confirmation, output, hint for the next step."""

import shlex
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from ccgpu.cli.consent import Consent
from ccgpu.cli.options import ProgressOptions
from ccgpu.cli.runtime import OutputOptions, Runtime

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.deployment import Deployment
    from ccgpu.domain.given import RequestedSpec
    from ccgpu.domain.plan import Plan
    from ccgpu.domain.spec.vm import VmSpec
    from ccgpu.store.keys import Keys
    from ccgpu.views.progress import Progress


@dataclass(frozen=True, slots=True)
class CreateFlags:
    """The flags of `create` that are not fields of the spec."""

    replace: bool
    wait: bool
    keep_on_failure: bool
    skip_preflight: bool


@dataclass(frozen=True, slots=True)
class Creation:
    """One `ccgpu create` whose spec is valid."""

    runtime: Runtime
    cloud: "AzureContext"
    requested: "RequestedSpec"
    flags: CreateFlags
    progress_options: ProgressOptions
    consent: Consent

    @property
    def spec(self) -> "VmSpec":
        """The spec to create."""
        return self.requested.spec

    def carry_out(self, output: OutputOptions) -> None:
        """Create the deployment and print it."""
        from ccgpu.store.keys import Keys
        from ccgpu.views import created as view
        from ccgpu.views.signed_in import with_sign_in
        from ccgpu.workflows.create.context import TIMEOUT, CreateOptions
        from ccgpu.workflows.create.stages import create
        from ccgpu.workflows.show import show_created

        cloud, spec = self.cloud, self.spec
        keys = Keys(self.runtime.state, spec.name, self.runtime.home)
        # 1. Create, with progress on stderr.
        with self.progress_options.shown(self.runtime) as progress:
            options = CreateOptions(
                default_keys=lambda: self._default_keys(keys, progress),
                timeout=self.progress_options.timeout or TIMEOUT,
                given=self.requested.given,
                **asdict(self.flags),
            )
            outcome = create(
                cloud, spec, options, progress, lambda todo: self._approve(todo, progress)
            )
            made = show_created(cloud, outcome.snapshot)
        # 2. Print the deployment on stdout, then the hint on stderr.
        ssh, remembered = self._ssh_command(made, keys), outcome.effective_spec.remembered
        more = {"remembered": remembered, "warnings": outcome.warnings}
        self.runtime.answer(
            output,
            lambda: view.as_text(outcome.plan, made, simulated=cloud.simulated),
            lambda: with_sign_in(
                view.as_json(outcome.plan, made, simulated=cloud.simulated, **more) | {"ssh": ssh},
                cloud.session.signed_in_with,
            ),
        )
        self._hint_next_step(made, ssh)

    def _default_keys(self, keys: "Keys", progress: "Progress") -> tuple[str, ...]:
        lines = keys.default()
        if keys.identity:
            progress.note(f"created an SSH key for {keys.deployment}: {keys.identity}")
        return lines

    def _approve(self, todo: "Plan", progress: "Progress") -> None:
        from ccgpu.domain.plan import Action
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

    def _ssh_command(self, made: "Deployment", keys: "Keys") -> str | None:
        """The ssh command to log in; None without a public IP address or a user name."""
        if made.public_ip is None or made.admin_user is None:
            return None
        identity = keys.identity if not self.spec.ssh_keys else None
        key = ["-i", str(identity)] if identity else []
        return shlex.join(["ssh", *key, f"{made.admin_user}@{made.public_ip}"])

    def _hint_next_step(self, made: "Deployment", ssh: str | None) -> None:
        """Print how to start a stopped VM, or how to log in."""
        from ccgpu.domain.status import State

        if made.state is State.STOPPED:
            self.progress_options.hint(
                self.runtime, f"{made.name} is stopped: `ccgpu start {made.name}`"
            )
        elif ssh is not None:
            self.progress_options.hint(self.runtime, f"`{ssh}`")
