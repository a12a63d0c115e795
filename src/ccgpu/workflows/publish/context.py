"""The state of one `ccgpu image publish`: what is wanted, how it is recorded, and the outcome."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ccgpu.azure.run import Run
from ccgpu.domain import time_limits
from ccgpu.domain.publication import Publication, PublicationStamp
from ccgpu.domain.resource import ResourceId, key
from ccgpu.store.image_files import DiskFile
from ccgpu.workflows.journal_writer import JournalWriter

TIMEOUT = time_limits.PUBLISH

# Called with the ids that stay, before one is created; raises an error to refuse.
ApproveNew = Callable[[Sequence[ResourceId]], None]


@dataclass(frozen=True, slots=True)
class PublishRequest:
    """What the user asks for.

    folder: of `image build`. gallery: its name or ARM id. name: of the definition; None for the
    image's. regions: none for that of the gallery. replicas: None for one, or as they are.
    """

    folder: Path
    gallery: str
    group: str | None = None
    name: str | None = None
    regions: tuple[str, ...] = ()
    replicas: int | None = None
    timeout: float = TIMEOUT


@dataclass(frozen=True, slots=True)
class PublishContext:
    """What the steps of one publication share."""

    run: Run
    wanted: Publication
    stamp: PublicationStamp
    journal: JournalWriter
    disk: DiskFile
    approve: ApproveNew

    @property
    def version_is_begun(self) -> bool:
        """Whether the journal says that the version was begun, and was not seen complete.

        Its disk is deleted then; a later change of the version's copies is recorded without it.
        """
        recorded = {key(one.id) for one in self.journal.journal.records}
        return recorded >= {key(self.wanted.version_id), key(self.wanted.disk_id)}
