"""A user with the VM `demo`, which nobody has attested."""

import pytest

from support.attesting import make_demo
from support.cli import Shell
from support.prepared import Prepared
from support.releasing import Releaser


@pytest.fixture(scope="package")
def prepared(tmp_path_factory) -> Prepared:
    """A subscription with the VM; it is made once."""
    return Prepared(tmp_path_factory.mktemp("prepared"))


@pytest.fixture
def releaser(tmp_path, prepared) -> Releaser:
    """The user."""
    return Releaser(prepared(Shell(tmp_path).with_key(), make_demo))
