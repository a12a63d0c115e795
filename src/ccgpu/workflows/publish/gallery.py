"""The gallery and the definition of an image: found, or made. Both stay."""

from collections.abc import Iterator, Sequence
from functools import partial

from ccgpu.azure.long_running import send_alone, send_with_retry, write_and_wait
from ccgpu.azure.run import Run
from ccgpu.domain.capacity import NO_REGION, not_a_region
from ccgpu.domain.catalog import REGIONS, Kind
from ccgpu.domain.providers import COMPUTE
from ccgpu.domain.publication import GalleryPlace
from ccgpu.domain.publication_checks import definition_problems, distinct_regions
from ccgpu.domain.resource import Body, Resource
from ccgpu.errors import Denied, InvalidFile, Problem, UsageProblem
from ccgpu.scheduling.scheduler import Task
from ccgpu.workflows.publish.context import PublishContext


def read_gallery(run: Run, place: GalleryPlace) -> Task[Body | None]:
    """The gallery; None if there is none."""
    get = partial(run.cloud.arm.get, Kind.GALLERY, place.id)
    return (yield from send_with_retry(run, get, f"reading {place.id}"))


def regions_of(given: tuple[str, ...], gallery: Body | None) -> tuple[str, ...]:
    """The regions to publish in: the given ones, else that of the gallery, else the first usual."""
    at = [str(gallery["location"])] if gallery else [REGIONS[0]]
    return distinct_regions(given or at)


def require_regions(run: Run, given: Sequence[str]) -> None:
    """Raise `InvalidFile` for a given region that does not exist.

    A caller who may not read the provider is not stopped: Azure refuses the region, if it is none.
    """
    if not given:
        return
    query = partial(run.cloud.queries.provider, COMPUTE)
    try:
        known = send_alone(run, query, "reading the regions of Azure").vm_regions
    except Denied:
        return
    missing = [one for one in distinct_regions(given) if known and one not in known]
    if missing:
        problems = [Problem("", not_a_region(one, NO_REGION, known)) for one in missing]
        raise InvalidFile("--region", problems)


def make_gallery(context: PublishContext) -> Task[None]:
    """Make the group, the gallery and the definition, if they do not exist.

    Raises:
        UsageProblem: A definition of that name is there, and cannot hold the image.
    """
    missing = yield from _find_missing(context)
    stay = [one.id for one in missing if one.kind is not Kind.GALLERY_IMAGE]
    if stay:
        context.approve(stay)
    for resource in missing:
        yield from _make(context, resource)


def _find_missing(context: PublishContext) -> Task[list[Resource]]:
    """What does not exist, in the order in which it can be made."""
    run, wanted = context.run, context.wanted
    missing: list[Resource] = []
    for resource in _resources(context):
        if missing and resource.kind is not Kind.GALLERY:
            missing.append(resource)
            continue
        get = partial(run.cloud.arm.get, resource.kind, resource.id)
        body = yield from send_with_retry(run, get, f"reading {resource.id}")
        if body is None:
            missing.append(resource)
        elif resource.kind is Kind.GALLERY_IMAGE and (problems := definition_problems(body)):
            raise UsageProblem(
                f"the image definition {wanted.name} in the gallery {wanted.gallery.name} cannot "
                f"hold a measured image: {'; '.join(problems)}",
                hint="name another definition: `--name DEFINITION`",
            )
    return missing


def _resources(context: PublishContext) -> Iterator[Resource]:
    wanted = context.wanted
    yield from (wanted.group_resource(), wanted.gallery_resource(), wanted.definition())


def _make(context: PublishContext, resource: Resource) -> Task[None]:
    run, id_ = context.run, resource.id
    run.tell("begin", f"create {id_}", id_, resource.kind, "create")
    context.journal.begin(resource)
    put = partial(run.cloud.arm.put, resource)
    yield from write_and_wait(run, resource.kind, id_, put, f"creating {id_}")
    context.journal.done((id_, resource.kind))
    run.tell("done", f"create {id_}", id_, resource.kind, "create")
