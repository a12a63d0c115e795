"""What a VM gets at its first boot: its customData, and what to say or refuse about it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.first_boot import FirstBoot
from ccgpu.domain.guest_tag import PREFIX, installed_driver, live_guest
from ccgpu.domain.image import Marketplace
from ccgpu.domain.plan import Plan
from ccgpu.domain.resource import GUEST, tag
from ccgpu.domain.spec.guest import is_unknown_part
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import InvalidFile, Problem
from ccgpu.guest import cloud_init
from ccgpu.guest.files import shipped_files
from ccgpu.store import driver_table


def first_boot(spec: VmSpec) -> FirstBoot:
    """What the VM of this spec gets at its first boot.

    The driver may be one that is not offered any more, and extra parts may be known by their hash
    alone: those of an existing VM, whose customData is not sent again. `require_complete` refuses
    them for a new one.
    """
    parts = tuple(part for part in spec.guest.cloud_init if not is_unknown_part(part))
    guest = spec.guest.model_copy(update={"cloud_init": parts})
    if not spec.is_set_up:
        return FirstBoot(cloud_init.prebuilt_image(guest))
    version = driver_table.shipped().branches.get(guest.driver, guest.driver)
    return FirstBoot(cloud_init.set_up_image(guest, version, shipped_files()), version)


def require_complete(spec: VmSpec, todo: Plan) -> None:
    """Raise `InvalidFile` if the plan makes a VM whose first boot is not fully known.

    That is so if a field was taken from the existing VM and cannot be given to a new one.
    """
    if not any(step.resource.kind is Kind.VM for step in todo.of(Action.CREATE, Action.REPLACE)):
        return
    problems = []
    if any(map(is_unknown_part, spec.guest.cloud_init)):
        message = "are not known on this machine: give the VM's extra parts again, or none"
        problems.append(Problem(f"{PREFIX}cloud_init", message))
    if spec.is_set_up:
        try:
            driver_table.shipped().resolve(spec.guest.driver)
        except ValueError as err:
            problems.append(Problem(f"{PREFIX}driver", str(err)))
    if problems:
        hint = "`--cloud-init FILE` and `--driver VERSION` replace what the existing VM has"
        raise InvalidFile("the existing VM", problems, hint=hint)


def warnings(spec: VmSpec, todo: Plan, now: float, given: Iterable[str]) -> tuple[str, ...]:
    """What to say ahead of a create, at the time `now` (Unix time).

    About the driver: of a new VM that of the spec, of an existing one that of its tag; nothing if
    the image brings one along. About the fields in `given` that cannot be compared.
    """
    vm = next((step.resource for step in todo.steps if step.resource.kind is Kind.VM), None)
    if vm is None:
        return ()
    if tag(vm.body, GUEST) is None:
        unknown = ", ".join(sorted(field for field in given if field.startswith(PREFIX)))
        return (_NOT_COMPARED.format(spec.name, unknown),) if unknown else ()
    if not spec.is_set_up:
        is_market = isinstance(spec.image_reference, Marketplace)
        return (_ONLY_CHECKED.format(spec.image),) if is_market else ()
    return driver_warnings(installed_driver(vm.body) or live_guest(vm.body).get("driver"), now)


def driver_warnings(driver: str | None, now: float) -> tuple[str, ...]:
    """What may make `verify` reject this driver (a version or a branch), at `now` (Unix time)."""
    if driver is None:
        return ()
    table = driver_table.shipped()
    try:
        found = table.resolve(driver)
    except ValueError as err:
        return (f"the driver {err}",)
    return table.warnings(found, datetime.fromtimestamp(now, UTC))


_NOT_COMPARED = (
    "{} was made by an earlier ccgpu, which did not record how it is set up: {} is not compared"
)
_ONLY_CHECKED = (
    "{} is not an image that ccgpu sets up (Canonical's Ubuntu 22.04 or 24.04): nothing is "
    "installed in it"
)
