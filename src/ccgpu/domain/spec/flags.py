"""The command-line flag of a spec field, as metadata of the field.

`Annotated[int, Field(description="Size in GiB."), Flag(metavar="GIB")]` gives a field its flag. The
command line makes the options from it; nothing here depends on the parser.
"""

from dataclasses import dataclass

MACHINE, ACCESS, DISKS, AZURE = "Machine", "Access", "Disks", "Azure"


@dataclass(frozen=True, slots=True)
class ParentFlag:
    """A second flag, for the resource that contains the one that the field names.

    Where it is given, the field is `PARENT/child/VALUE`.
    """

    name: str
    help: str
    child: str


@dataclass(frozen=True, slots=True)
class Flag:
    """The command-line option of a field.

    help: its help text; by default the description of the field.
    metavar: the word for its value; none for booleans and enumerations.
    names: its names; by default `--` and the path of the field.
    panel: the heading it is listed under; by default `Machine`, or the name of its section.
    rank: flags of a higher rank are listed later; those of one rank in the order of the fields.
    parent: a flag for the resource that contains the one named here.
    of_run: whether it is an option of `ccgpu run`, and not of the commands that take a spec.
    """

    help: str | None = None
    metavar: str | None = None
    names: tuple[str, ...] = ()
    panel: str | None = None
    rank: int = 0
    parent: ParentFlag | None = None
    of_run: bool = False


RESOURCE_GROUP = Flag(
    "Resource group. Default: the deployment's, or ccgpu-NAME for a new one.",
    "GROUP",
    ("--resource-group", "-g"),
    AZURE,
)
