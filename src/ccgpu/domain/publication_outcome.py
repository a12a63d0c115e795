"""What `image publish` has done."""

from dataclasses import dataclass
from typing import Literal

from ccgpu.domain.publication import Publication
from ccgpu.domain.publication_state import RegionCopy
from ccgpu.errors import AzureRefused

PublicationAction = Literal["published", "extended", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class PublishOutcome:
    """What was done. copies: the version in each of its regions. sent: bytes that were uploaded."""

    wanted: Publication
    action: PublicationAction
    copies: tuple[RegionCopy, ...]
    sent: int = 0

    @property
    def failure(self) -> AzureRefused | None:
        """The error if Azure could not copy the version everywhere; it stays where it is."""
        failed = [copy for copy in self.copies if copy.is_failed]
        if not failed:
            return None
        lines = [f"  {copy.region}: {copy.details or 'no reason was given'}" for copy in failed]
        return AzureRefused(
            "the image version could not be copied to every region:\n" + "\n".join(lines),
            code="ReplicationFailed",
            hint="`az sig image-version show --expand ReplicationStatus` tells how far it is",
        )
