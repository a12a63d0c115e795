"""A gate that refuses, and guests that answer otherwise than they should."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from ccgpu.domain.events import Event
from ccgpu.domain.secret import Secret
from ccgpu.guest.channel import Channel, Completed
from support.attesting import WrappedChannel
from support.releasing import Releaser

TOKEN = Secret("hf-token", b"hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5Mp0Yc", 1000)
Answer = Callable[[Channel, Sequence[str], bytes], Completed]


def refuse(
    releaser: Releaser,
    error: type[BaseException] | tuple[type[BaseException], ...],
    words: str = "",
) -> Any:
    """The release is refused with that error, and no part of the value is anywhere."""
    with pytest.raises(error) as caught:
        releaser.release(TOKEN)
    assert words in str(caught.value)
    assert not releaser.has_sealed
    assert releaser.places(TOKEN) == []
    return caught.value


def answering(releaser: Releaser, name: str, answer: Answer) -> None:
    """From now on the VM answers a script of that name so."""

    def wrap(inner: Channel) -> Channel:
        def run(argv: Sequence[str], stdin: bytes, timeout: float) -> Completed:
            if name not in argv:
                return inner.run(argv, stdin, timeout=timeout)
            return answer(inner, argv, stdin)

        return WrappedChannel(inner, run)

    releaser.wrap = wrap


def printed(document: Any) -> Completed:
    """A document that a script has printed."""
    return Completed(0, json.dumps(document).encode(), b"")


def after_verdict(releaser: Releaser, deed: Callable[[], object]) -> None:
    """Do it when the verdict is made, before the gate connects again."""

    def listen(event: Event) -> None:
        if (event.what, event.action) == ("done", "attest"):
            deed()

    releaser.listen = listen
