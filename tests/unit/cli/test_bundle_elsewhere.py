"""A saved bundle on another machine: the same checks and verdict, and the same bytes each time."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.attesting import Attester
from support.saved_bundles import saved_bundle


@pytest.fixture
def other(shell):
    """The machine of somebody who has the bundle, and nothing else."""
    (shell.folder / "work" / "b.json").write_text(saved_bundle().text)
    return shell


def test_a_bundle_has_all_that_the_verdict_needs(other):
    saved = saved_bundle()
    done = other(f"verify b.json --backend fake {saved.words} -o json")
    assert done.code == 0, done.err
    for name in ("verdict", "simulated", "checks", "reasons", "policy", "at"):
        assert done.document[name] == saved.answer[name]
    told = {name: fact for name, fact in saved.answer["facts"].items() if name != "challenge sent"}
    assert done.document["facts"] == told


def test_simulated_evidence_is_judged_at_its_own_time(other):
    """Whoever gives no time has not the simulation's clock; real evidence is judged as of now."""
    saved = saved_bundle()
    words = re.sub(r"--at \S+", "", saved.words)
    done = other(f"verify b.json --backend fake {words} -o json")
    assert done.code == 0, done.err
    assert done.document["at"] == saved.answer["at"]
    assert done.document["checks"] == saved.answer["checks"]
    assert done.document["unsafe"] == ["at_bundle"]
    assert other(f"verify b.json {words} -o json").document["unsafe"] == []


def test_a_bundle_notes_how_it_was_judged(other):
    saved = saved_bundle()
    noted = saved.document
    assert noted["verdict"]["checks"] == saved.answer["checks"]
    assert noted["verdict"]["verdict"] == "accepted"
    assert "to_do" not in noted["verdict"]  # it has paths of the machine that judged
    assert noted["collector"] == "simulated guest"
    assert noted["tool"].startswith("ccgpu ")
    assert noted["sent_at"] <= noted["made_at"]
    (other.folder / "policy.json").write_text(json.dumps(noted["policy_content"]))
    line = f"verify b.json --backend fake {saved.words} --policy {other.folder}/policy.json"
    assert other(f"{line} -o json").document["checks"] == saved.answer["checks"]


@pytest.mark.slow
def test_a_bundle_notes_the_golden_values(other):
    """They can be taken out of it, and given again."""
    line = f"verify b.json --backend fake --policy strict {saved_bundle().words}"
    assert other(f"{line} --record pins.json").code == 0
    first = other(f"{line} --pins pins.json --save c.json -o json")
    assert first.code == 0, first.err
    noted = json.loads(Path("c.json").read_text())["reference_values"]
    Path("noted.json").write_text(json.dumps(noted))
    again = other(f"{line.replace('b.json', 'c.json')} --pins noted.json -o json")
    assert again.document["checks"] == first.document["checks"]


@pytest.mark.slow
def test_what_is_recorded_on_this_machine_is_the_same_bundle(shell):
    demo = Attester(shell).make()
    done = demo("--save b.json")
    assert Path(done.document["bundle"]).read_text() == Path("b.json").read_text()


@pytest.mark.slow
def test_each_run_of_verify_prints_the_same_bytes(tmp_path):
    """In new processes, with an empty state folder, another folder, zone, locale, hash seed."""
    saved, answers = saved_bundle(), []
    changes = [
        {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "1"},
        {"TZ": "Pacific/Chatham", "LC_ALL": "tr_TR.UTF-8", "PYTHONHASHSEED": "2"},
    ]
    for number, changed in enumerate(changes):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "b.json").write_text(saved.text)
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), **changed}
        words = f"verify b.json --backend fake {saved.words} -o json".split()
        done = subprocess.run(
            [sys.executable, "-m", "ccgpu", *words],
            cwd=folder,
            env=environ,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answers.append(done.stdout)
    assert answers[0] == answers[1]
    answer = json.loads(answers[0])
    assert (answer["verdict"], answer["simulated"]) == ("accepted", True)
    assert answer["checks"] == saved.answer["checks"]


def _refused(done):
    return done.code == 9 and {*done.document["reasons"]} >= {"snp.ark.pinned"}


@pytest.mark.slow
def test_without_the_flag_the_roots_are_unknown(other):
    done = other(f"verify b.json {saved_bundle().words} -o json")
    assert _refused(done)
    assert done.document["simulated"] is False


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CCGPU_BACKEND", "fake"),
        ("CCGPU_VERIFY_BACKEND", "fake"),
        ("CCGPU_SIMULATED", "1"),
        ("CCGPU_FAKE_STATE", "fake.sqlite"),
    ],
)
def test_no_variable_makes_simulated_roots_count(other, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    assert _refused(other(f"verify b.json {saved_bundle().words} -o json"))


@pytest.mark.slow
def test_the_machine_with_the_simulated_subscription_does_not_trust_it_either(shell):
    demo = Attester(shell).make()
    demo("--save b.json")
    made_at = json.loads(Path("b.json").read_text())["made_at"]
    assert demo.shell(f"verify b.json --backend fake --at {made_at}").code == 0
    assert _refused(demo.shell(f"verify b.json --at {made_at} -o json"))


def test_no_file_makes_simulated_roots_count(other):
    """Collateral that carries them, a folder around the bundle, settings of the user."""
    saved, words = saved_bundle(), saved_bundle().words
    fetched = other.folder / "collateral"
    for name, root in saved.document["simulated_roots"].items():
        (fetched / "amd").mkdir(parents=True, exist_ok=True)
        (fetched / "amd" / f"{name}.der").write_bytes(_bytes(root))
    (fetched / "amd" / "chain.pem").write_bytes(_bytes(saved.document["cpu"]["chain"]))
    for folder in (other.home / ".config" / "ccgpu", other.state, other.folder / "work"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("config.yaml", "config.toml", "config.json", "roots.json", "ccgpu.yaml"):
            (folder / name).write_text('{"backend": "fake", "simulated": true}')
    assert _refused(other(f"verify b.json {words} --collateral {fetched} -o json"))
    bare = other.folder / "folder"
    bare.mkdir()
    (bare / "b.json").write_text(saved.text)
    assert other(f"verify {bare} {words} -o json").code in (3, 9)
    assert other(f"verify {bare} {words} --each -o json").code in (3, 9)


@pytest.mark.parametrize(
    "field",
    ["simulated", "simulated_roots", "backend", "roots", "unsafe_simulated", "trust_anchors"],
)
def test_no_field_of_a_policy_makes_simulated_roots_count(other, field):
    policy = saved_bundle().document["policy_content"] | {field: True}
    (other.folder / "policy.json").write_text(json.dumps(policy))
    done = other(f"verify b.json {saved_bundle().words} --policy {other.folder}/policy.json")
    assert done.code == 3


def test_no_flag_but_one_makes_simulated_roots_count(other):
    """All flags that loosen a verdict, together."""
    loose = (
        "--unsafe-short-nonce --unsafe-skip-ocsp --unsafe-known-nonce "
        "--unsafe-trust-bundle-identity --unsafe-trust-bundle-nonce --at bundle"
    )
    assert _refused(other(f"verify b.json {loose} -o json"))
    for backend in ("azure", "Fake", "FAKE"):
        assert other(f"verify b.json {saved_bundle().words} --backend {backend}").code in (2, 9)


@pytest.mark.slow
def test_another_verdict_than_the_noted_one_is_told(other):
    done = other(f"verify b.json {saved_bundle().words}")
    assert "noted another verdict than this one: ACCEPTED" in done.err
    agreed = other(f"verify b.json --backend fake {saved_bundle().words}")
    assert "noted" not in agreed.err


def _bytes(text):
    return base64.b64decode(text)
