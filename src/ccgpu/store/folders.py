"""The folders of ccgpu's own files: the user's state, cache and configuration folders."""

from collections.abc import Mapping
from pathlib import Path


def state() -> Path:
    """The state folder (journals, the simulated subscription, generated keys)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("ccgpu", appauthor=False))


def config() -> Path:
    """The file of the user's defaults."""
    import platformdirs

    return Path(platformdirs.user_config_dir("ccgpu", appauthor=False)) / "config.yaml"


def cache() -> Path:
    """The cache folder, whose files can be fetched again."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ccgpu", appauthor=False))


def fake_state(state: Path, environ: Mapping[str, str]) -> Path:
    """The file that stores the simulated subscription."""
    return Path(environ.get("CCGPU_FAKE_STATE") or state / "fake.sqlite")


def fake_journals(path: Path) -> Path:
    """The folder of the journals of the simulated subscription in the file `path`."""
    return path.with_name(f"{path.name}.journals")
