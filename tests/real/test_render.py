"""A rendered script, run by Azure's own CLI on `ccgpu fake serve`, makes what `create` makes."""

import json
import re
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain.catalog import API_VERSIONS
from ccgpu.domain.resource import kind_of, name_of
from ccgpu.fakearm import FAKE_SUBSCRIPTION
from support.azure_cli import signed_in
from support.public_keys import ed25519_line
from support.served import Served, serving

pytestmark = pytest.mark.slow
GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups/ccgpu-demo"
SPEC = ("--region", "eastus2", "--ssh-from", "203.0.113.7/32", "--tag", "team=$(id) ${x} `id` [y]")
# What Azure decides anew for each resource, and the tags of a run.
RANDOM = {"etag", "vmId", "resourceGuid", "uniqueId", "timeCreated", "ipAddress"}
RANDOM |= {"macAddress", "internalDomainNameSuffix"}
RESOURCES = {"ccgpu-demo", "demo", "demo-nsg", "demo-vnet", "demo-osdisk"}
RESOURCES |= {"demo-nic-SUFFIX", "demo-ip-SUFFIX"}
SUFFIX = re.compile(r"((?:nic|ip)-)[0-9a-f]{8}", re.IGNORECASE)  # of an inline NIC and its IP
OF_RUN = {"ccgpu-run", "ccgpu-created", "ccgpu-expires"}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server whose virtual time is ten minutes a second."""
    with serving(tmp_path_factory.mktemp("render"), "--speed", "600") as found:
        yield found


@pytest.fixture(scope="module")
def environment(served, tmp_path_factory) -> dict[str, str]:
    """That of a shell in which `az` is signed in."""
    az = signed_in(served, tmp_path_factory.mktemp("home"))
    return az.for_scripts | {"CCGPU_INTERVAL": "1"}


def ccgpu(served: Served, *words: str) -> str:
    """What `ccgpu WORDS` prints; it has to succeed."""
    which = () if words[0] == "fake" else ("--backend", "fake")
    out, err = (command := served.ccgpu(*words, *which)).communicate(timeout=300)
    assert command.returncode == 0, err
    return out


def run(script: str, environment: dict[str, str]) -> None:
    """Run a rendered script; it has to succeed."""
    command = ["sh", "-s"]
    done = subprocess.run(
        command, input=script, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def values(served: Served) -> dict[str, Any]:
    """Each value of each resource of the deployment, by path, without what is random."""
    listed = served.ask(f"{GROUP}/resources?api-version=2025-04-01")[1]["value"]
    found: dict[str, Any] = {}
    for id_ in [GROUP, *(one["id"] for one in listed)]:
        kind = kind_of(id_)
        assert kind is not None
        status, body = served.ask(f"{id_}?api-version={API_VERSIONS[kind]}")
        assert status == 200
        at, known = json.loads(SUFFIX.sub(r"\1SUFFIX", json.dumps([id_, body])))
        found |= {f"{name_of(at)}{path}": value for path, value in flat(known).items()}
    return found


def flat(value: Any, path: str = "") -> dict[str, Any]:
    """Each value of a JSON document by its path, without what is random."""
    if isinstance(value, dict):
        items = [(name, one) for name, one in value.items() if name not in RANDOM | OF_RUN]
    elif isinstance(value, list):
        items = [(str(at), one) for at, one in enumerate(value)]
    else:
        return {path: value}
    return {at: one for name, inner in items for at, one in flat(inner, f"{path}/{name}").items()}


def deployments(served: Served) -> list[tuple[str, str]]:
    """Name and state of what `ccgpu list` shows."""
    listed = json.loads(ccgpu(served, "list", "-o", "json"))["deployments"]
    return [(one["name"], one["state"]) for one in listed]


def test_a_script_makes_what_create_makes(served, environment):
    """Its values are the same, but for the tags of a run; and `delete` deletes it all."""
    keys = Path(served.environment["HOME"], ".ssh")
    keys.mkdir()
    keys.joinpath("id_ed25519.pub").write_text(ed25519_line() + "\n")
    ccgpu(served, "create", "demo", *SPEC, "--no-attest")
    created = values(served)
    ccgpu(served, "delete", "demo", "--yes")

    run(ccgpu(served, "render", "demo", *SPEC, "--format", "az"), environment)

    rendered = values(served)
    assert {at.partition("/")[0] for at in rendered} == RESOURCES
    assert rendered == created
    assert deployments(served) == [("demo", "ready")]
    assert "nothing to do" in ccgpu(served, "plan", "demo", *SPEC)
    ccgpu(served, "delete", "demo", "--yes")
    assert deployments(served) == []
    assert served.ask(f"{GROUP}?api-version=2025-04-01")[0] == 404


def test_gc_deletes_what_a_script_made_once_its_lease_is_over(served, environment):
    """Its lease is by the simulated clock, and its key one that only the script is given."""
    line = ("render", "demo", *SPEC, "--format", "az", "--ttl", "30d")
    keys = Path(served.environment["HOME"], ".ssh", "id_ed25519.pub")
    keys.unlink(missing_ok=True)
    script = ccgpu(served, *line)
    now = json.loads(ccgpu(served, "fake", "show", "-o", "json"))["now"]
    ends = (datetime.fromisoformat(now) + timedelta(days=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    given = {"CCGPU_SSH_PUBLIC_KEY": ed25519_line(), "CCGPU_EXPIRES": ends}
    run(script, environment | given | {"CCGPU_CREATED": now})
    assert "nothing has expired" in ccgpu(served, "gc")
    ccgpu(served, "fake", "advance", "31d")
    assert "demo" in ccgpu(served, "gc", "--yes")
    assert deployments(served) == []
