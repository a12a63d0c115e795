"""The scripts that ship with ccgpu to be run in a VM. They are public, so any machine may see them.

To a VM whose host key is not known, nothing else is sent.
"""

from importlib import resources

from ccgpu.guest import collector

_FOLDER = ("templates", "guest")


def is_public(data: bytes) -> bool:
    """Whether these are the bytes of a script in `templates/guest`, or of the collector."""
    folder = resources.files("ccgpu").joinpath(*_FOLDER)
    if not folder.is_dir():
        return False
    files = (one for one in folder.iterdir() if one.name.endswith(".py") and one.is_file())
    return any(file.read_bytes() == data for file in files) or data == collector.script()
