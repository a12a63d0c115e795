"""A secret that a user gives or has is in nothing that ccgpu prints, keeps, or sends to Azure."""

import json
from pathlib import Path

import pytest

from support.cli import CommandResult, Shell

_CREATE = "create demo --region eastus2 --ssh-from 203.0.113.7/32"
_CANARY = "hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5"
_KEY = f"-----BEGIN OPENSSH PRIVATE KEY-----\n{_CANARY}\n-----END OPENSSH PRIVATE KEY-----\n"


class _Watched:
    """Everything that commands print, that they write to the home and the state, and send."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.results: list[CommandResult] = []
        self.sent: list[bytes] = []
        shell.arm.on_commit = lambda request, _: self._note(request.url, request.body)

    def _note(self, url: str, body: bytes | None) -> None:
        self.sent.append(url.encode() + (body or b""))

    def __call__(self, line: str) -> CommandResult:
        self.results.append(self.shell(line))
        return self.results[-1]

    def places(self) -> list[str]:
        """Where the canary is."""
        seen = {f"sent {number}": data for number, data in enumerate(self.sent)}
        for one in self.results:
            seen[f"printed by {one.line}"] = (one.out + one.err).encode()
        for folder in (self.shell.state, self.shell.home):
            for file in folder.rglob("*"):
                seen[f"name of {file}"] = str(file).encode()
                if file.is_file():
                    seen[str(file)] = file.read_bytes()
        seen["requests"] = json.dumps(self.shell.arm.show()["requests"]).encode()
        return [place for place, data in seen.items() if _CANARY.encode() in data]


@pytest.fixture
def watched(shell, monkeypatch) -> _Watched:
    """A user whose environment has the canary in it."""
    for name in ("HF_TOKEN", "AZURE_CLIENT_SECRET", "SSH_ASKPASS"):
        monkeypatch.setenv(name, _CANARY)
    return _Watched(shell)


@pytest.fixture
def work() -> Path:
    """The current folder, which the user's own files are in."""
    return Path()


@pytest.mark.slow
def test_the_watch_sees_what_it_is_there_for(watched):
    """The canary as a tag, which is no secret, is found in all kinds of places."""
    assert watched(f"{_CREATE} --tag note={_CANARY} --events ndjson -o json").code == 0
    kinds = {place.split()[0] for place in watched.places()}
    assert {"sent", "printed"} < kinds
    assert any(place.endswith("demo.json") for place in watched.places())


@pytest.mark.slow
def test_what_a_command_in_the_vm_reads_stays_between_the_two(watched, work):
    watched(_CREATE)
    watched.shell.stdin = _CANARY.encode()
    (work / "token").write_text(_CANARY)
    for line in (
        "exec demo -- true",
        "exec demo -- no-such",
        "exec demo --via run-command -- true",
        "cp token demo:token",
        "cp token demo:/nowhere/token",
        "doctor demo -o json",
        "logs demo --serial",
        "logs demo",
    ):
        watched(line)
    codes = [one.code for one in watched.results]
    assert codes[:3] == [0, 0, 127], codes
    assert codes[4] == 0, codes
    assert watched.shell("exec demo -- cat token").out == _CANARY, "it did arrive"
    for name in ("driver-skew", "other-host-key", "no-sshd"):
        watched(f"fake scenario {name}")
        watched("exec demo -- true")
        watched("doctor demo --fix --events ndjson")
    assert watched.places() == []


@pytest.mark.parametrize("more", ["", " --events ndjson -o json"])
def test_a_private_key_in_a_part_of_cloud_init_is_refused_without_quoting_it(watched, work, more):
    key = _KEY.replace("\n", "\n    ")
    part = f"#cloud-config\nwrite_files:\n- path: /k\n  content: |\n    {key}\n"
    (work / "part.yaml").write_text(part)
    (work / "broken.yaml").write_text(f"#cloud-config\nusers: [{{name: {_CANARY}\n")
    for part in ("part", "broken"):
        assert watched(f"{_CREATE} --cloud-init {part}.yaml{more}").code == 3
    assert watched.sent == []
    assert watched.places() == []


def test_a_secret_in_a_spec_is_refused_without_quoting_it(watched, work):
    for number, text in enumerate(
        (
            f"hf_token: {_CANARY}",
            f"guest:\n  secret: {_CANARY}",
            f"ssh_keys: [{_CANARY}]",
            f"guest:\n  cloud_init:\n  - |\n    #cloud-config\n    a: [{_CANARY}",
            f"name: [{_CANARY}",
        )
    ):
        file = work / f"{number}.yaml"
        file.write_text(text if "name: [" in text else f"name: demo\n{text}\n")
        for line in (f"create -f {file}", f"validate {file} -o json"):
            assert watched(line).code == 3, watched.results[-1]
    assert watched.places() == []


@pytest.mark.slow
def test_a_create_with_parts_keeps_the_environment_out_of_everything(watched, work):
    (work / "part.yaml").write_text("#cloud-config\npackages: [vim]\n")
    assert watched(f"{_CREATE} --cloud-init part.yaml --events ndjson -o json").code == 0
    for line in ("show demo -o json", "list -o json", "restart demo", "stop demo"):
        assert watched(line).code == 0
    assert watched("delete demo --yes").code == 0
    assert watched.places() == []
