"""The folders of ccgpu's own files: the user's state and cache folders."""

from pathlib import Path


def state() -> Path:
    """The state folder (journals, the simulated subscription, generated keys)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("ccgpu", appauthor=False))


def cache() -> Path:
    """The cache folder, whose files can be fetched again."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ccgpu", appauthor=False))
