"""How a recipe names a container image: `HOST/REPOSITORY[:TAG]@sha256:DIGEST`.

Source: OCI Distribution Specification 1.1 (names, tags, digests).
"""

import re
from dataclasses import dataclass

_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,126}[a-z0-9])?(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?P<repository>{_HOST}(?:/{_PART})+)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?"
    r"@(?P<digest>sha256:[0-9a-f]{64})"
)
_MOST = 250  # characters


@dataclass(frozen=True, slots=True)
class ContainerReference:
    """A repository with its host, a tag that may be absent, and the digest, which decides."""

    repository: str
    tag: str | None
    digest: str

    @property
    def by_digest(self) -> str:
        """The name without the tag."""
        return f"{self.repository}@{self.digest}"

    @property
    def by_tag(self) -> str | None:
        """The name that workloads may use instead of the digest."""
        return f"{self.repository}:{self.tag}" if self.tag else None


def parse_reference(text: str) -> ContainerReference:
    """A reference.

    Raises:
        ValueError: it is none; as the end of a sentence.
    """
    found = _REFERENCE.fullmatch(text) if len(text) <= _MOST else None
    if found is None:
        raise ValueError("must name host, repository and digest: HOST/NAME[:TAG]@sha256:…")
    return ContainerReference(found["repository"], found["tag"], found["digest"])
