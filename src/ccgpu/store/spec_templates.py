"""The spec templates that ship with ccgpu: commented files that document the format."""

from dataclasses import dataclass
from importlib import resources

from ccgpu.errors import UsageProblem


@dataclass(frozen=True, slots=True)
class Template:
    """A shipped spec. Its summary is the comment on its first line."""

    name: str
    summary: str
    text: str


def templates() -> list[Template]:
    """All shipped specs, by name."""
    folder = resources.files("ccgpu") / "templates" / "specs"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".yaml")]
    return sorted((_template(f.name, f.read_text("utf-8")) for f in files), key=lambda t: t.name)


def named(name: str) -> Template:
    """The shipped spec of this name."""
    known = {each.name: each for each in templates()}
    if name not in known:
        raise UsageProblem(
            f"there is no template {name!r}", hint=f"choose one of {', '.join(known)}"
        )
    return known[name]


def _template(file_name: str, text: str) -> Template:
    return Template(file_name.removesuffix(".yaml"), text.partition("\n")[0].strip("# "), text)
