"""All documents: their schemas, and the commands that answer with them.

`ccgpu schema output` prints the schemas. Every document that a command prints or writes is here;
what is in Azure's format (`role`, `keyvault policy`) is not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from ccgpu.domain import bundle
from ccgpu.views.schemas import (
    checks,
    deployments,
    files,
    images,
    key_vault,
    places,
    plans,
    secrets,
    simulated,
    streams,
    verdicts,
    workloads,
)

# By name: a document of the name NAME says `"schema": "ccgpu.NAME/1"`, or another version.
SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "attest": verdicts.attest,
    "attest-round": verdicts.attest_round,
    "bundle": bundle.schema,
    "capacity": places.capacity,
    "collateral": files.collateral,
    "collateral-fetch": files.collateral_fetch,
    "config": files.config,
    "create": deployments.create,
    "delete": deployments.delete,
    "deletes": deployments.deletes,
    "doctor": checks.doctor,
    "drivers": checks.drivers,
    "error": streams.error,
    "event": streams.event,
    "extend": deployments.extend,
    "fake": simulated.fake,
    "fake-serve": simulated.fake_serve,
    "gc": deployments.gc,
    "image": images.image,
    "image-measured": images.image_measured,
    "image-shown": images.image_shown,
    "init": files.init,
    "keyvault-check": key_vault.check,
    "keyvault-key": key_vault.key,
    "list": deployments.list_,
    "logs": deployments.logs,
    "model-manifest": files.model_manifest,
    "models": checks.models,
    "plan": plans.plan,
    "price": places.price,
    "quota": places.quota,
    "reference-values": files.reference_values,
    "request": streams.request,
    "run": workloads.run,
    "run-plan": workloads.run_plan,
    "secret": secrets.secret,
    "show": deployments.show,
    "templates": files.templates,
    "tunnel": deployments.tunnel,
    "validate": files.validate,
    "verdict": verdicts.verdict,
    "verdicts": verdicts.verdicts,
    "workload-event": files.workload_event,
    "workload-stopped": workloads.workload_stopped,
    "workload-template": workloads.workload_template,
    "workload-templates": workloads.workload_templates,
    "workloads": workloads.workloads,
}

# The documents that each command with `-o json` may answer with.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "attest": ("attest", "attest-round", "verdict"),
    "capacity": ("capacity",),
    "collateral fetch": ("collateral-fetch",),
    "config get": ("config",),
    "config list": ("config",),
    "config set": ("config",),
    "config unset": ("config",),
    "create": ("create", "plan", "run"),
    "delete": ("delete", "deletes"),
    "doctor": ("doctor",),
    "drivers": ("drivers",),
    "extend": ("extend",),
    "fake add": ("fake",),
    "fake advance": ("fake",),
    "fake reset": ("fake",),
    "fake scenario": ("fake",),
    "fake serve": ("fake-serve",),
    "fake show": ("fake",),
    "gc": ("gc",),
    "init": ("init",),
    "image measure": ("image-measured",),
    "image show": ("image-shown",),
    "keyvault check": ("keyvault-check",),
    "keyvault create-key": ("keyvault-key",),
    "list": ("list",),
    "logs": ("logs",),
    "models": ("models",),
    "plan": ("plan",),
    "price": ("price",),
    "ps": ("workloads",),
    "quota": ("quota",),
    "restart": ("show",),
    "run": ("run", "run-plan", "workload-stopped"),
    "secret list": ("secret",),
    "secret put": ("secret",),
    "secret rm": ("secret",),
    "show": ("show",),
    "start": ("show",),
    "stop": ("show",),
    "templates": ("templates",),
    "tunnel": ("tunnel",),
    "validate": ("validate",),
    "verify": ("verdict", "verdicts"),
    "wait": ("show",),
    "workloads": ("workload-templates", "workload-template"),
}


def document_name(title: str) -> str:
    """The name of the document with this `schema`: `show` of `ccgpu.show/1`, and of `show`."""
    return title.removeprefix("ccgpu.").partition("/")[0]
