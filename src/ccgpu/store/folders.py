"""Where `ccgpu` keeps what it has to remember: the user's own folders, never the current one."""

from pathlib import Path


def state() -> Path:
    """The state folder (journals, the simulated subscription, generated keys)."""
    import platformdirs

    return Path(platformdirs.user_state_dir("ccgpu", appauthor=False))


def cache() -> Path:
    """The cache folder: only what can be had again."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("ccgpu", appauthor=False))
