"""`ccgpu render`: what the plan of a spec is for other tools, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from ccgpu.fakearm import FAKE_SUBSCRIPTION, Request
from ccgpu.store import specs
from support.cli import Shell
from support.rendered import KEY, NOW, later, of_configuration, of_script, of_template

_TEMPLATES = [one.name for one in specs.templates()]
_FORMATS = {"arm": "json", "az": "sh", "terraform": "tf"}
_SSH = "--ssh-from 203.0.113.7/32"
_GROUP = f"/subscriptions/{FAKE_SUBSCRIPTION}/resourceGroups"
_SET = f"{_GROUP}/keys/providers/Microsoft.Compute/diskEncryptionSets/own"
_YEAR = 365 * 24 * 3600
_CREATE = f"create demo --region eastus2 {_SSH} --no-attest"


def put(shell, path, version, body, method="PUT"):
    """Write to the simulated subscription as somebody else does; the answer."""
    url = f"https://management.azure.com{path}?api-version={version}"
    raw = json.dumps(body).encode()
    answer = shell.arm.send(Request(method, url, {"Authorization": "Bearer me"}, raw))
    assert answer.status < 300, answer
    shell.arm.advance(60)
    return answer.body


def put_group(shell, name):
    """Create a resource group of the user's own."""
    put(shell, f"{_GROUP}/{name}", "2025-04-01", {"location": "eastus2"})


def flags_of(shell, template):
    """The flags that the template needs; what it refers to exists."""
    if template != "customer-managed-key":
        return f"--template {template} {_SSH}"
    put_group(shell, "keys")
    key = {"keyUrl": "https://own.vault.azure.net/keys/k/1"}
    properties = {"encryptionType": "ConfidentialVmEncryptedWithCustomerKey", "activeKey": key}
    identity = {"type": "SystemAssigned"}
    body = {"location": "eastus2", "identity": identity, "properties": properties}
    put(shell, _SET, "2026-03-02", body)
    return f"--template {template} {_SSH} --disk-encryption-set {_SET}"


def sent(text, form, group="ccgpu-demo"):
    """API version and body of each resource that the tool sends, by id."""
    if form == "arm":
        found = of_template(text, FAKE_SUBSCRIPTION, group)
    else:
        found = of_script(text) if form == "az" else of_configuration(text)
    return {id_: (one.api_version, one.body) for id_, one in found.items()}


def planned(shell, flags, minutes):
    """The same of `ccgpu plan`, with the tags of a run that are documented to differ."""
    rows = shell(f"plan demo {flags} -o json").document["resources"]
    return {one["id"]: (one["api_version"], with_times(one["body"], minutes)) for one in rows}


def with_times(value, minutes):
    """A body with the times of `support.rendered`, wherever it has a run's tags."""
    if isinstance(value, list):
        return [with_times(one, minutes) for one in value]
    if not isinstance(value, dict):
        return value
    times = {"ccgpu-run": "rendered", "ccgpu-created": NOW, "ccgpu-expires": later(minutes or 0)}
    return {name: times.get(name, with_times(one, minutes)) for name, one in value.items()}


def masked(text):
    """Without what changes with each release: the first boot, its hash and the version."""
    text = re.sub(r'(customData"?(?: =|:) ")[A-Za-z0-9+/=]+"', r'\1FIRST BOOT"', text)
    text = re.sub(r'(ccgpu-custom-data" *[=:] ")[0-9a-f]{64}"', r'\1SHA-256"', text)
    return re.sub(r"ccgpu \d[\w.+]*\.", "ccgpu VERSION.", text)


@pytest.mark.parametrize("form", _FORMATS)
@pytest.mark.parametrize("template", _TEMPLATES)
def test_each_template_in_each_format(shell, golden, template, form):
    flags = flags_of(shell, template)
    before = shell.writes()
    done = shell(f"render demo {flags} --format {form}")
    assert done.code == 0, done.err
    golden(f"render/{template}.{_FORMATS[form]}", masked(done.out))
    assert sent(done.out, form) == planned(shell, flags, 480 if template == "spot" else None)
    assert shell.writes() == before
    assert not shell.state.exists() or not [*shell.state.rglob("*demo*")]


@pytest.mark.slow
def test_a_key_that_create_would_make_is_left_open(tmp_path):
    shell = Shell(tmp_path)
    for form in _FORMATS:
        done = shell(f"render demo {_SSH} --format {form}")
        assert done.code == 0, done.err
        (vm,) = (body for id_, (_, body) in sent(done.out, form).items() if id_.endswith("/demo"))
        (key,) = vm["properties"]["osProfile"]["linuxConfiguration"]["ssh"]["publicKeys"]
        assert key["keyData"] == KEY
        assert KEY not in done.out
    assert not (shell.state / "keys").exists()


@pytest.mark.parametrize("form", _FORMATS)
def test_a_group_that_exists_is_left_as_it_is(shell, form):
    put_group(shell, "research")
    line = f"{_SSH} --resource-group research"
    done = shell(f"render demo {line} --format {form}")
    assert done.code == 0, done.err
    wanted = planned(shell, line, None)
    del wanted[f"{_GROUP}/research"]
    assert sent(done.out, form, "research") == wanted


@pytest.mark.parametrize("form", _FORMATS)
@pytest.mark.parametrize("end", ["delete demo --yes", "gc --yes"])
def test_ccgpu_manages_what_a_tool_made(shell, form, end):
    line = f"demo {_SSH} --region eastus2"
    done = shell(f"render {line} --ttl 8h --format {form}")
    for id_, (version, body) in sent(done.out, form).items():
        put(shell, id_, version, body)
    shell.arm.advance(3600)
    (listed,) = shell("list -o json").document["deployments"]
    assert (listed["name"], listed["state"], listed["expires"]) == ("demo", "ready", later(480))
    assert "nothing to do" in shell(f"plan {line}").out
    assert "nothing has expired" in shell("gc").out
    if end.startswith("gc"):
        shell.arm.advance(_YEAR)
    assert shell(end).code == 0
    assert shell.kinds() == []


def test_it_is_written_to_a_new_file(shell):
    done = shell(f"render demo {_SSH} --format arm --out demo.json")
    assert (done.code, done.out) == (0, "")
    assert sent(Path("demo.json").read_text(), "arm")
    again = shell(f"render demo {_SSH} --format arm --out demo.json")
    assert again.code == 2
    assert "demo.json already exists" in again.err


def test_it_says_what_is_not_in_the_text(shell, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("x")
    Path("vm.yaml").write_text(f"name: demo\nsecrets:\n  - {{name: hf, file: {secret}}}\n")
    done = shell("render -f vm.yaml --format terraform")
    assert done.code == 0, done.err
    assert "Azure has no such image version" in done.err
    assert re.search(r"SSH is allowed from [\d.]+/32, your address now", done.err)
    assert "secrets are not rendered: `ccgpu secret put` releases hf" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("form", ["arm", "terraform"])
def test_what_exists_is_rendered_with_its_lease(shell, form):
    assert shell(f"{_CREATE} --ttl 8h").code == 0
    (made,) = (one for one in shell("list -o json").document["deployments"])
    done = shell(f"render demo --format {form} --tag team=x --fresh {_SSH}")
    assert done.code == 0, done.err
    assert "demo exists, at least in part" in done.err
    found = sent(done.out, form)
    assert len(found) == 4
    for _, body in found.values():
        assert body["tags"]["team"] == "x"
        assert body["tags"]["ccgpu-expires"] == made["expires"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (f"--format az {_SSH}", "exists, and the script would create it"),
        (f"--format arm {_SSH} --region westeurope", "the plan would replace"),
        (f"--format arm {_SSH} --driver 550.144.03", "the plan would replace"),
    ],
)
def test_what_a_tool_cannot_carry_out_is_refused(shell, line, told):
    assert shell(_CREATE).code == 0
    done = shell(f"render demo {line}")
    assert (done.code, done.out) == (2, "")
    assert told in done.err


@pytest.mark.slow
def test_another_first_boot_of_an_existing_vm_is_refused(shell):
    assert shell(_CREATE).code == 0
    path = f"{_GROUP}/ccgpu-demo/providers/Microsoft.Compute/virtualMachines/demo"
    tags = put(shell, path, "2026-04-01", {}, "PATCH")["tags"]
    tags |= {"ccgpu-custom-data": "0" * 64}
    put(shell, path, "2026-04-01", {"tags": tags}, "PATCH")
    done = shell(f"render demo --format arm {_SSH}")
    assert (done.code, done.out) == (2, "")
    assert "created with other customData, which Azure never changes" in done.err


def test_the_format_has_to_be_said(shell):
    done = shell(f"render demo {_SSH}")
    assert done.code == 2
    assert "--format" in done.err
