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
    return path_beside(path, ".journals")


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone (mode 0700).

    `Path.mkdir(parents=True)` leaves those above to the umask, which may let others replace what is
    in them. Source: XDG Base Directory Specification 0.8, "Referencing this specification".
    """
    above = folder.parent
    if not above.is_dir():
        make_private(above)
    folder.mkdir(mode=0o700, exist_ok=True)


def path_beside(path: Path, suffix: str) -> Path:
    """The path with `suffix` after it. Unlike `with_name`, it takes `.` and `/`, too."""
    return Path(f"{path}{suffix}")
