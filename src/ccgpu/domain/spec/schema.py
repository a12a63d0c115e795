"""The JSON Schema of a spec file, for editors.

It is made from the model. It leaves out the rules between fields, which `ccgpu validate` checks.
"""

from typing import Any

from ccgpu.domain.spec.vm import VmSpec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema. A file may leave `name` to the command line."""
    body = VmSpec.model_json_schema()
    properties = {"$schema": {"type": "string"}} | body.pop("properties")
    required = [name for name in body.pop("required") if name != "name"]
    about = {"$schema": DIALECT, "title": "ccgpu spec"}
    body.pop("title")
    return about | body | {"properties": properties} | ({"required": required} if required else {})
