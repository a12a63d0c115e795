"""A state that is used again and again does not grow, and forgets nothing that is asked for."""

import pytest

from ccgpu.fakearm import FakeArm, history
from support.arm import Client, pip_body, resource_path

IP = resource_path("Microsoft.Network/publicIPAddresses", "p")
TABLES = ("requests", "operations", "billing", "refs", "allocations", "gone", "buckets", "unseen")


def rows(arm: FakeArm) -> dict[str, int]:
    return {name: arm._store.row(f"SELECT count(*) FROM {name}")[0] for name in TABLES}


def cycles(arm: FakeArm, count: int) -> None:
    """Create and delete, each a minute and an hour later."""
    client = Client(arm)
    for _ in range(count):
        client.ok("PUT", IP, pip_body())
        arm.advance(60)
        client.ok("DELETE", IP)
        arm.advance(3600)


def test_many_cycles_leave_no_more_than_some(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_EVERY", 10)
    monkeypatch.setattr(history, "REQUESTS", 40)
    arm = FakeArm()
    arm.settings.set("buckets", value=True)
    Client(arm).group()
    cycles(arm, 60)
    after = rows(arm)
    cycles(arm, 120)
    assert all(count <= after[name] + 10 for name, count in rows(arm).items()), (after, rows(arm))
    assert len(arm.show()["requests"]) <= 50
    arm.close()


def test_what_runs_or_exists_stays_however_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_EVERY", 10)
    arm = FakeArm()
    client = Client(arm)
    client.group()
    client.ok("PUT", IP, pip_body())
    arm.advance(30 * 24 * 3600)
    for _ in range(25):
        client.get(IP)
    (billed,) = [one for one in arm.show()["resources"] if one["id"].endswith("/p")]
    assert billed["billed_seconds"] == pytest.approx(30 * 24 * 3600, abs=10)
    assert len(arm.show()["billing"]) == 1
    arm.close()


def test_what_vms_have_been_is_kept_as_long_as_an_index_may_lag(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The index of VMs is up to 30 hours behind; two days later nobody asks any more."""
    monkeypatch.setattr(history, "_EVERY", 1)
    arm = FakeArm()
    client = Client(arm)
    client.network()
    vm = client.machine()
    arm.settings.set("lag", value={"graph": 30 * 3600})
    client.complete("PATCH", vm, {"tags": {"n": "1"}})
    kept = []
    for _ in range(2):
        arm.advance(30 * 3600)
        client.get(vm)
        kept.append(arm._store.row("SELECT count(*) FROM past")[0] > 0)
    assert kept == [True, False]
    arm.close()
