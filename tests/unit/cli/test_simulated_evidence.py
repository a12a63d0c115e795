"""Commands of a user from a simulated VM to a verdict: create, exec, collateral fetch, verify."""

import json

import pytest

NONCE = "5f" * 32
_COLLECT = "sudo -n python3 -I -S - ccgpu-collect"


@pytest.fixture
def user(shell, prepared):
    """A user with a simulated VM that has been set up."""
    create = "create demo --backend fake --region eastus2 --ssh-from 203.0.113.7/32 --yes"
    return prepared(shell, create)


def _collect(user, nonce=NONCE):
    """The answer of the VM's collector, in a file."""
    request = json.dumps({"nonce": nonce, "release": False})
    done = user(f"exec demo --backend fake -- {_COLLECT} '{request}'")
    assert done.code == 0, done.out
    file = user.folder / "bundle.json"
    file.write_text(done.out)
    return file


def _host_key(user):
    """The VM's host key, as `ssh-keyscan` or the VM's own file would tell it."""
    done = user("exec demo --backend fake -- cat /etc/ssh/ssh_host_ed25519_key.pub")
    file = user.folder / "vm.pub"
    file.write_text(done.out)
    return file


def _verify(user, file, **changes):
    bundle = json.loads(file.read_text())
    options = {
        "backend": "fake",
        "collateral": user.folder / "collateral",
        "at": bundle["made_at"],
        "nonce": NONCE,
        "vm-id": user("show demo --backend fake -o json").document["vm_id"],
        "host-key": _host_key(user),
    }
    options |= {name.replace("_", "-"): value for name, value in changes.items()}
    words = " ".join(f"--{name} {value}" for name, value in options.items())
    return user(f"verify {file} {words} -o json")


@pytest.mark.slow
def test_the_evidence_of_a_simulated_vm_is_accepted(user):
    file = _collect(user)
    fetched = user(f"collateral fetch {file} --backend fake --out {user.folder / 'collateral'}")
    assert fetched.code == 0, fetched.err

    judged = _verify(user, file)
    assert judged.code == 0, judged.err
    assert judged.document["simulated"] is True

    record = user.folder / "pins.json"
    assert _verify(user, file, policy="strict", record=record).code == 0
    assert _verify(user, file, policy="strict", pins=record).code == 0

    assert _verify(user, file, backend="azure").code == 9
    assert _verify(user, file, nonce="00" * 32).code == 9
    assert _verify(user, file, vm_id="11111111-2222-3333-4444-555555555555").code == 9
    assert _verify(user, file, host_key="SHA256:" + "A" * 43).code == 9


@pytest.mark.slow
def test_a_vm_in_developer_mode_is_refused(user):
    user("fake scenario devtools")
    file = _collect(user)
    assert (
        user(f"collateral fetch {file} --backend fake --out {user.folder / 'collateral'}").code == 0
    )
    judged = _verify(user, file)
    assert judged.code == 9
    assert judged.document["reasons"] == ["policy.gpu.dev-tools"]


def test_a_vm_without_a_gpu_has_no_evidence(user):
    user("fake scenario gpu-missing")
    request = json.dumps({"nonce": NONCE, "release": False})
    done = user(f"exec demo --backend fake -- {_COLLECT} '{request}'")
    assert done.code == 1
    assert done.document["code"] == "gpu.absent"
