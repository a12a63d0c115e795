"""The measured image that a VM is held to: its manifest, and the config that the VM was given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ccgpu.domain.image_manifest import ImageFile
from ccgpu.domain.image_pcrs import config_digest, expected_events
from ccgpu.domain.reference_values import RecordedEvent

_NAMED = 12  # packages and others that a fact names; the manifest has them all


@dataclass(frozen=True, slots=True)
class GivenConfig:
    """A file of config, byte for byte as the VM was given it: its path and SHA-256 (hex)."""

    path: str
    sha256: str


@dataclass(frozen=True, slots=True)
class GivenImage:
    """A manifest and a config; `config`: None for a VM that was given none."""

    file: ImageFile
    config: GivenConfig | None = None

    @property
    def events(self) -> Mapping[int, Sequence[RecordedEvent]]:
        """What is measured to each PCR by the end of the boot, in order."""
        given = config_digest(None) if self.config is None else bytes.fromhex(self.config.sha256)
        return expected_events(self.file.manifest.uki, given)

    @property
    def facts(self) -> Mapping[str, str]:
        """What the image is, by its manifest, for display beside a verdict."""
        manifest = self.file.manifest
        packages = [f"{each.name} {each.version}" for each in manifest.packages]
        containers = [f"{each.reference} {each.digest}" for each in manifest.containers]
        return {
            "image": f"{manifest.name} {manifest.version}",
            "image manifest (SHA-256)": self.file.sha256,
            "image root (dm-verity)": manifest.root.hash,
            "image lock (SHA-256)": manifest.lock_sha256,
            "image packages": _listed(packages),
            "image containers": _listed(containers),
            "config (SHA-256)": "none was given" if self.config is None else self.config.sha256,
        }


def _listed(names: Sequence[str]) -> str:
    if not names:
        return "none"
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{len(names)}: {', '.join(names[:_NAMED])}{rest}"
