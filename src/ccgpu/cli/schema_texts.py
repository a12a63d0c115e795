"""The texts of `ccgpu schema`: JSON Schemas of file formats, and of the documents of commands."""

import json
from enum import StrEnum

from ccgpu.cli.suggestions import suggest
from ccgpu.errors import UsageProblem


class Schema(StrEnum):
    """The file formats that have a JSON Schema, and the documents of commands."""

    SPEC = "spec"
    POLICY = "policy"
    BUNDLE = "bundle"
    WORKLOAD = "workload"
    CONFIG = "config"
    OUTPUT = "output"


def output_schema_text(document: str | None) -> str:
    """The schema of this document, or the names of all."""
    from ccgpu.views.schemas.table import SCHEMAS, document_name

    if document is None:
        return "\n".join(SCHEMAS)
    name = document_name(document)
    schema = SCHEMAS[name]() if name in SCHEMAS else {}
    if document not in (name, schema.get("title")) or not schema:
        raise UsageProblem(
            f"there is no document {document!r}.{suggest(name, SCHEMAS)}",
            hint="`ccgpu schema output` lists them",
        )
    return json.dumps(schema, indent=2)


def schema_text(of: Schema) -> str:
    """The schema of a file format as text; `init` writes the same text."""
    from ccgpu.domain import bundle, policy, user_config
    from ccgpu.domain.spec import schema as spec
    from ccgpu.domain.workload import template

    schemas = {
        Schema.SPEC: spec.schema,
        Schema.POLICY: policy.schema,
        Schema.BUNDLE: bundle.schema,
        Schema.WORKLOAD: template.schema,
        Schema.CONFIG: user_config.schema,
    }
    return json.dumps(schemas[of](), indent=2)
