"""What became of the secrets of a spec, by their names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SecretsOutcome:
    """The names of the secrets that were released now, and of those that the VM held already."""

    released: tuple[str, ...] = ()
    held: tuple[str, ...] = ()


NO_SECRETS = SecretsOutcome()
