"""The back ends: where each keeps its state, whom it signs in, and what stays simulated."""

import json

import pytest

from ccgpu.cli.backends import open_backend
from ccgpu.cli.runtime import BackendName, ConnectionOptions
from ccgpu.cli.simulated_state import Simulation
from ccgpu.errors import GuestUnreachable, StateUnusable, UsageProblem
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from ccgpu.store.folders import fake_state


def _connect(options, state, environ):
    return open_backend(options, state, environ).connect()


def test_the_environment_sets_the_file_of_the_simulated_subscription(tmp_path):
    assert fake_state(tmp_path, {}) == tmp_path / "fake.sqlite"
    assert str(fake_state(tmp_path, {"CCGPU_FAKE_STATE": "x/y"})) == "x/y"


def test_the_fake_needs_no_sign_in_and_no_network(tmp_path):
    options = ConnectionOptions(BackendName.FAKE, "not-asked-for")
    cloud = _connect(options, tmp_path / "a", {})
    assert (cloud.simulated, cloud.subscription) == (True, FAKE_SUBSCRIPTION)
    with cloud.journals.locked(cloud.subscription, "demo", lambda: None) as file:
        assert file.path.is_relative_to(tmp_path / "a" / "fake.sqlite.journals")


@pytest.mark.parametrize("named", ["mine", None])
def test_azure_takes_the_subscription_of_the_flag_or_the_profile(tmp_path, named):
    profile = {"subscriptions": [{"id": "of-az", "isDefault": True}]}
    (tmp_path / "azureProfile.json").write_text(json.dumps(profile))
    options = ConnectionOptions(BackendName.AZURE, named, "usgov")
    cloud = _connect(options, tmp_path, {"AZURE_CONFIG_DIR": str(tmp_path)})
    assert (cloud.simulated, cloud.subscription) == (False, named or "of-az")
    assert cloud.session.environment.name == "usgov"
    with cloud.journals.locked(cloud.subscription, "demo", lambda: None) as file:
        assert file.path.is_relative_to(tmp_path / "journals")


def test_a_missing_subscription_has_a_hint(tmp_path):
    with pytest.raises(UsageProblem) as caught:
        _connect(ConnectionOptions(), tmp_path, {"AZURE_CONFIG_DIR": str(tmp_path)})
    assert "--subscription" in (caught.value.hint or "")


def test_an_invalid_file_of_a_simulated_subscription_is_an_error(tmp_path):
    (tmp_path / "text").write_text("not a database, and longer than a header of one" * 9)
    for path in (tmp_path / "text", tmp_path, tmp_path / "text" / "below"):
        with pytest.raises(StateUnusable):
            Simulation(path)


def test_reset_removes_the_journals_and_keeps_the_time(tmp_path):
    world = Simulation(tmp_path / "w")
    world.journals.mkdir()
    world.advance(60)
    world.reset()
    assert world.show()["now"].startswith("2026-01-01T00:01:00")
    assert not world.journals.exists()
    world.close()


def test_azure_needs_openssh_and_the_fake_does_not(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    open_backend(ConnectionOptions(BackendName.FAKE), tmp_path, {}).require_channel([])
    azure = open_backend(ConnectionOptions(subscription="mine"), tmp_path, {})
    with pytest.raises(GuestUnreachable, match="`ssh` is not installed"):
        azure.require_channel([])


def test_whoever_is_not_signed_in_learns_of_the_simulation(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
    shell.backend = lambda connection: open_backend(connection, shell.state, {})
    done = shell("create demo --region eastus2")
    assert done.code == 2
    assert "`ccgpu create demo --region eastus2 --backend fake`" in done.err
