"""The folders of ccgpu's own files: the user's state, cache and configuration folders."""

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
