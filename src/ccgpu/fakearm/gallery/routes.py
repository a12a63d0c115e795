"""The routes of galleries. Reading an image that a setting makes is `catalog`'s."""

from functools import partial

from ccgpu.fakearm import catalog
from ccgpu.fakearm.call import ArmCall, Handler, Routes
from ccgpu.fakearm.gallery import definitions, galleries, versions
from ccgpu.fakearm.resources import tracked
from ccgpu.fakearm.wire import Response


def _or_configured(stored: Handler, configured: Handler, call: ArmCall) -> Response:
    """The answer about a stored image, or in a gallery of the setting `galleries`."""
    within = "/".join(call.names[1:3]).lower()
    home = call.world.subscription.lower() == call.world.home.lower()
    made = call.world.settings.value("galleries")
    if home and any(key.lower().startswith(f"{within}/") for key in made):
        return configured(call)
    return stored(call)


def _either(stored: Handler, configured: Handler) -> Handler:
    return partial(_or_configured, stored, configured)


ROUTES: Routes = {
    **tracked.kind_routes(galleries.RULES, galleries.put, get=galleries.get),
    **tracked.kind_routes(
        definitions.RULES,
        definitions.put,
        get=_either(
            partial(tracked.get, definitions.RULES), partial(catalog.get_definition, "private")
        ),
    ),
    **tracked.kind_routes(
        versions.RULES,
        versions.put,
        get=_either(versions.get, partial(catalog.get_version, "private")),
        list=_either(
            partial(tracked.list_, versions.RULES), partial(catalog.list_versions, "private")
        ),
    ),
}
