"""`--require-attested`: what was checked over one connection holds for that connection alone."""

from dataclasses import replace

import pytest

from ccgpu.domain.access import Access
from ccgpu.errors import ConnectionLost
from ccgpu.store.keys import Keys
from ccgpu.workflows.guest_access import WantedGuest, opened_guest
from support.attesting import Attester


@pytest.mark.slow
def test_a_boot_that_begins_after_the_check_gets_nothing(releaser):
    """It shows the host key that was attested: over a new connection it would be taken for it."""
    shell = releaser.shell
    assert Attester(shell)().code == 0
    backend = releaser.backend()
    wanted = WantedGuest("demo", None, Access(), Keys(shell.state, "demo", shell.home))
    wanted = replace(wanted, attested=True)
    with opened_guest(backend.connect(), backend.channels, wanted) as channel:
        assert channel.run(["cat"], b"before", timeout=5).exit_code == 0
        assert shell("restart demo --backend fake").code == 0
        with pytest.raises(ConnectionLost):
            channel.run(["cat"], b"after", timeout=5)
