"""What a VM gets at its first boot: its customData, and what to say or refuse about it."""

from collections.abc import Iterable
from datetime import UTC, datetime

from ccgpu.domain.action import Action
from ccgpu.domain.catalog import Kind
from ccgpu.domain.first_boot import FirstBoot
from ccgpu.domain.guest_tag import PREFIX, installed_driver, live_guest
from ccgpu.domain.image import Marketplace
from ccgpu.domain.measured_boot import MeasuredBoot, measured_boot, says_measured
from ccgpu.domain.plan import Plan
from ccgpu.domain.published_image import MANIFEST_TAG
from ccgpu.domain.resource import GUEST, GUEST_CONFIG, Body, tag
from ccgpu.domain.spec.guest import is_unknown_part
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.domain.vm_view import image_reference
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


def boot_data(spec: VmSpec, manifest_sha256: str | None) -> FirstBoot | MeasuredBoot:
    """What the VM gets at its boot; manifest_sha256: of its measured image, which is not set up."""
    if manifest_sha256 is not None:
        return measured_boot(spec, manifest_sha256)
    return first_boot(spec)


def require_known_image(spec: VmSpec, todo: Plan, vm: Body | None) -> None:
    """Refuse to make a VM anew from a measured image whose manifest is not given.

    It would be made as an ordinary one: with an agent, and with data that no verdict names.

    Raises:
        InvalidFile: The spec names the gallery image of the existing VM, and not its manifest.
    """
    if vm is None or spec.measured_image is not None or not says_measured(vm):
        return
    same = str(image_reference(vm).get("id")).casefold() == spec.image.casefold()
    if same and any(
        step.resource.kind is Kind.VM for step in todo.of(Action.CREATE, Action.REPLACE)
    ):
        problem = Problem("image", f"of {spec.name} is a measured one, and its manifest is needed")
        hint = "give it: `--image measured:FILE@ID`, with the file image.json and the gallery's id"
        raise InvalidFile("the existing VM", [problem], hint=hint)


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
    if says_measured(vm.body):
        manifest, config = tag(vm.body, MANIFEST_TAG), tag(vm.body, GUEST_CONFIG)
        return (_MEASURED.format(spec.name, manifest, config),)
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
_MEASURED = (
    "{} boots a measured image: its manifest has SHA-256 {}, and the config that it is given {}"
)
_ONLY_CHECKED = (
    "{} is not an image that ccgpu sets up (Canonical's Ubuntu 22.04 or 24.04): nothing is "
    "installed in it"
)
