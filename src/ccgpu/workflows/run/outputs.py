"""The outputs of a job: offered by the script in the VM, copied, counted, and put into place."""

import shutil
from functools import partial
from pathlib import Path

from ccgpu.domain.plain_text import one_line
from ccgpu.domain.run_outcome import FetchedOutputs
from ccgpu.errors import ConnectionLost, CopyFailed, GuestUnreachable
from ccgpu.guest.workload_answers import OutputsOffered
from ccgpu.guest.workload_requests import OfferOutputs
from ccgpu.store.folders import path_beside
from ccgpu.workflows.run.guest_calls import WorkloadGuest

_OFFER = 300.0  # seconds
_TRIES, _PAUSE = 3, 5.0


def fetch_outputs(guest: WorkloadGuest, name: str, folder: Path) -> FetchedOutputs:
    """Copy a workload's outputs into a folder that is new or empty.

    They are copied beside it first, as `FOLDER.part`, and moved there once all are complete.

    Raises:
        CopyFailed: Some could not be copied; those that were are in `FOLDER.part`.
        And as `WorkloadGuest.ask`.
    """
    guest.task.tell("begin", "fetching the outputs")
    offered = guest.ask(OfferOutputs(name=name), OutputsOffered, _OFFER)
    for left in offered.left:
        guest.task.note(f"not fetched, since it is neither a file nor a folder: {one_line(left)}")
    part = path_beside(folder, ".part")
    if offered.files:
        _copy(guest, offered.path, part)
    else:
        _make_empty(part)
    files = _list_files(part)
    if len(files) != offered.files or sum(files.values()) != offered.bytes:
        raise CopyFailed(
            f"the outputs are not complete: {len(files)} of {offered.files} files and "
            f"{sum(files.values())} of {offered.bytes} bytes were copied to {part}"
        )
    return FetchedOutputs(str(_put_in_place(part, folder)), files)


def _copy(guest: WorkloadGuest, source: str, part: Path) -> None:
    """Copy the folder `source` of the VM to `part`; again if the connection ends meanwhile."""
    for attempt in range(1, _TRIES + 1):
        try:
            shutil.rmtree(part, ignore_errors=True)
            part.parent.mkdir(parents=True, exist_ok=True)
            guest.task.complete(partial(guest.channel.get, source, part, recursive=True))
        except (ConnectionLost, GuestUnreachable) as err:
            if attempt == _TRIES:
                raise CopyFailed(f"the outputs could not be copied: {err}") from err
            guest.task.pause(_PAUSE, "fetching the outputs")
        except OSError as err:
            raise CopyFailed(f"the outputs could not be written: {part}: {err.strerror}") from err
        else:
            return


def _make_empty(part: Path) -> None:
    """The copy of a folder without files."""
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    except OSError as err:
        raise CopyFailed(f"the outputs could not be written: {part}: {err.strerror}") from err


def _list_files(folder: Path) -> dict[str, int]:
    """The files below a folder, by their paths below it: bytes."""
    found = sorted(one for one in folder.rglob("*") if one.is_file() and not one.is_symlink())
    return {one.relative_to(folder).as_posix(): one.stat().st_size for one in found}


def _put_in_place(part: Path, folder: Path) -> Path:
    """Move the complete copy to its name; refuses a folder that has got files meanwhile."""
    try:
        if folder.exists():
            folder.rmdir()
        part.rename(folder)
    except OSError as err:
        raise CopyFailed(
            f"the outputs are complete in {part}, and could not be moved to {folder}: "
            f"{err.strerror}"
        ) from err
    return folder
