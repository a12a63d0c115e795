"""What a create has tried at Azure, and what Azure said."""

from dataclasses import dataclass

from ccgpu.domain.capacity import place_name


@dataclass(frozen=True, slots=True)
class FailedTry:
    """A candidate that Azure had no room for. seconds: until the VM was gone again."""

    region: str
    zone: str | None
    code: str
    message: str
    seconds: float

    @property
    def place(self) -> str:
        """Region and zone, for people."""
        return place_name(self.region, self.zone)
