"""The base of every section of a spec, and of the spec itself."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict

from ccgpu.domain.spec.rules import FieldRule


class Section(BaseModel):
    """Refuses unknown fields; its values never change; an error never quotes what was given."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    # What must hold between fields of this section. Paths in them start at the section.
    rules: ClassVar[tuple[FieldRule[Any], ...]] = ()
