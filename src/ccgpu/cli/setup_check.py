"""`ccgpu doctor` without a name: the check of the user's set-up."""

from typing import TYPE_CHECKING

from ccgpu.cli.access_options import WayOptions
from ccgpu.cli.options import ProgressOptions
from ccgpu.cli.releasing import wanted_release
from ccgpu.cli.runtime import ConnectionOptions, OutputOptions, Runtime
from ccgpu.cli.spec_options import SpecRequest
from ccgpu.errors import CcgpuError, UsageProblem

if TYPE_CHECKING:
    from ccgpu.azure.context import AzureContext
    from ccgpu.domain.given import RequestedSpec

_NAME = "set-up-check"  # of a spec that has no name; no deployment is made under it


def check_and_tell(
    runtime: Runtime,
    request: SpecRequest,
    output: OutputOptions,
    connection: ConnectionOptions,
    how: tuple[WayOptions, ProgressOptions],
    *,
    fix: bool,
) -> None:
    """Check the set-up, print the findings, and raise the error of the first that has failed."""
    from ccgpu.domain.finding import require_good_findings
    from ccgpu.store.keys import Keys
    from ccgpu.views import set_up as view
    from ccgpu.views.signed_in import with_sign_in
    from ccgpu.workflows.check_setup.check import TIMEOUT, SetupQuestion, check_setup
    from ccgpu.workflows.check_setup.local_machine import LocalMachine
    from ccgpu.workflows.guest_access import GuestOptions

    if fix:
        raise UsageProblem(
            "--fix mends the inside of a VM, and no VM is named",
            hint="`ccgpu doctor NAME --fix`",
        )
    (way, progress_options), backend = how, runtime.backend(connection)
    requested = _requested(runtime, request)
    name = _NAME if isinstance(requested, CcgpuError) else requested.spec.name
    keys = Keys(runtime.state, name, runtime.home)
    machine = LocalMachine(keys, backend.require_channel)

    def guest(cloud: "AzureContext") -> GuestOptions:
        access = way.access(cloud, name)
        return GuestOptions(backend.channels, access, keys, backend.require_channel)

    release = None
    if not isinstance(requested, CcgpuError):
        release = wanted_release(runtime, requested.spec.secrets)
    question = SetupQuestion(requested, machine, backend.scheduler.clock.now, guest, release)
    with progress_options.shown(runtime) as progress:
        timeout = progress_options.timeout or TIMEOUT
        report = check_setup(backend.connect, question, timeout, progress)
    report = view.with_commands(report, runtime.complete)
    runtime.answer(
        output,
        lambda: view.as_text(report),
        lambda: with_sign_in(view.as_json(report), report.signed_in_with),
    )
    require_good_findings(report.findings)


def _requested(runtime: Runtime, request: SpecRequest) -> "RequestedSpec | CcgpuError":
    try:
        return request.resolve(lambda _: None, runtime, default_name=_NAME)
    except CcgpuError as err:
        return err
