"""`--report` of `attest` and `verify`: a new file for every verdict, and a command to repeat it."""

import hashlib
import html
import json
import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support.attesting import Attester, another_machine
from support.cli import Shell
from support.reports import Page
from support.repository import ROOT


@pytest.fixture(scope="module")
def attester(tmp_path_factory: pytest.TempPathFactory) -> Attester:
    """A VM that is set up; the tests share it, since each asks it anew."""
    return Attester(Shell(tmp_path_factory.mktemp("user")).with_key()).make()


@pytest.fixture
def demo(attester: Attester) -> Attester:
    """The same, with nothing wrong in it."""
    attester.scenario("usual")
    return attester


@pytest.fixture(scope="module")
def bundle(attester: Attester) -> Path:
    """The evidence of the accepted VM."""
    attester.scenario("usual")
    file = attester.shell.folder / "demo.json"
    assert attester(f"--save {file}").code == 0
    return file


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """The file to write."""
    return tmp_path / "demo.html"


def _command(page: Path) -> str:
    """The command that a page gives, as a shell reads it."""
    shown = page.read_text().split("<pre><code>")[1].split("</code>")[0]
    words = shlex.split(html.unescape(shown).replace("\\\n", " "))
    assert words[0] == "ccgpu"
    return shlex.join(words[1:])


def _verdict(document):
    return {
        key: document[key]
        for key in ("verdict", "simulated", "checks", "reasons", "not_proven", "at")
    }


@pytest.mark.slow
def test_an_attestation_leaves_a_page_whose_command_gives_the_same_verdict(demo, page):
    bundle = page.with_name("my demo.json")
    done = demo(f"--save '{bundle}' --report {page}")
    assert done.code == 0, done.err
    found = Page.read(page.read_text())
    assert found.parts["nonce"] == found.parts["measurements"] == "simulated"
    for word in (
        "ACCEPTED (simulated)",
        done.document["nonce"],
        done.document["vm_id"],
        "evidence collected",
    ):
        assert word in found.text

    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in found.text

    again = demo.shell(f"{_command(page)} -o json")
    assert again.code == 0, again.err
    assert _verdict(again.document) == _verdict(done.document)


@pytest.mark.slow
def test_without_save_the_command_names_the_evidence_that_this_machine_keeps(demo, page):
    done = demo(f"--report {page}")
    assert done.document["bundle"] in _command(page)
    assert demo.shell(_command(page)).code == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "code", "word"),
    [("debuggable", 9, "REJECTED"), ("vendors-down", 8, "NO VERDICT")],
)
def test_a_verdict_that_is_not_good_leaves_a_page_too(demo, scenario, code, word, page):
    demo.scenario(scenario)
    done = demo(f"--report {page}")
    assert done.code == code, done.err
    found = Page.read(page.read_text())
    assert f"{word} (simulated)" in found.text
    assert all(reason in found.text for reason in done.document["reasons"])
    assert "failed" in found.parts.values()


def test_a_vm_without_evidence_leaves_no_page(demo, page):
    demo.scenario("tpm-absent")
    assert demo(f"--report {page}").code == 8
    assert not page.exists()


@pytest.mark.slow
def test_verify_makes_a_page_of_a_bundle(demo, bundle, page):
    at = json.loads(bundle.read_text())["made_at"]
    done = demo.shell(f"verify {bundle} --backend fake --at {at} --report {page} -o json")
    assert done.code == 0, done.err
    found = Page.read(page.read_text())
    assert "ACCEPTED (simulated)" in found.text
    assert "evidence collected" not in found.text
    assert hashlib.sha256(bundle.read_bytes()).hexdigest() in found.text
    default = (ROOT / "templates" / "policies" / "default.yaml").read_bytes()
    assert hashlib.sha256(default).hexdigest() in found.text
    again = demo.shell(f"{_command(page)} -o json")
    assert _verdict(again.document) == _verdict(done.document)


@pytest.mark.slow
def test_a_policy_file_and_other_inputs_are_in_the_page_and_its_command(
    demo, bundle, page, tmp_path
):
    policy, pins, keys = tmp_path / "my policy.yaml", tmp_path / "pins.json", tmp_path / "keys.json"
    text = (ROOT / "templates" / "policies" / "default.yaml").read_text()
    policy.write_text(text.replace("name: default", "name: mine"))
    pins.write_text('{"image": "x", "pcrs": {"0": "' + "00" * 32 + '"}}')
    keys.write_text('{"keys": []}')
    folder, at = tmp_path / "collateral", json.loads(bundle.read_text())["made_at"]
    assert demo.shell(f"collateral fetch {bundle} --backend fake --out {folder}").code == 0
    options = f"--collateral {folder} --policy '{policy}' --pins {pins}"
    options += f" --nras-jwks {keys} --maa-jwks {keys}"
    options += " --format bundle --unsafe-skip-ocsp --unsafe-short-nonce --unsafe-known-nonce"
    line = f"verify {bundle} --backend fake --at {at} {options} -o json"
    done = demo.shell(f"{line} --report {page}")
    assert (done.code, done.document["reasons"]) == (9, ["policy.pins.pcr"])
    found = Page.read(page.read_text())
    assert hashlib.sha256(policy.read_bytes()).hexdigest() in found.text
    assert found.parts["quote"] == "failed"
    assert found.parts["ocsp"] == "open"
    again = demo.shell(f"{_command(page)} -o json").document
    assert _verdict(again) == _verdict(done.document)
    assert again["unsafe"] == done.document["unsafe"]
    assert {*shlex.split(options)} <= {*shlex.split(_command(page))}


@pytest.mark.slow
def test_the_page_of_a_stranger_says_what_is_missing(demo, bundle, page, tmp_path):
    shell = another_machine(tmp_path, demo.shell.arm)
    flags = "--unsafe-trust-bundle-nonce --unsafe-trust-bundle-identity"
    done = shell(f"verify {bundle} --backend fake --at bundle {flags} --report {page} -o json")
    assert (done.code, done.document["verdict"]) == (0, "accepted")
    found = Page.read(page.read_text())
    assert {found.parts[key] for key in ("nonce", "identity", "gpu-nonce")} == {"open"}
    assert "unsafe_trust_bundle_nonce" in found.text
    again = shell(f"{_command(page)} -o json")
    assert again.document == done.document


def test_unsimulated_roots_are_not_called_good(demo, bundle, page):
    at = json.loads(bundle.read_text())["made_at"]
    done = demo.shell(f"verify {bundle} --at {at} --report {page} -o json")
    assert done.code == 9
    found = Page.read(page.read_text())
    assert "REJECTED" in found.text
    assert not found.with_class("banner")
    assert (
        found.parts["amd-root"] == found.parts["nvidia-root"] == found.parts["rim-root"] == "failed"
    )
    assert "holds" not in found.parts.values()
    assert not found.with_class("verified")


@pytest.mark.parametrize("option", ["--save", "--report"])
def test_a_file_that_exists_is_refused_before_anything_is_done(demo, option, tmp_path):
    file = tmp_path / "there"
    file.write_text("mine")
    asked = len(demo.challenges)
    done = demo(f"{option} {file}")
    assert done.code == 2
    assert f"{file} already exists" in done.error["message"]
    assert file.read_text() == "mine"
    assert len(demo.challenges) == asked


def test_two_files_have_two_names(demo, tmp_path):
    file = tmp_path / "new"
    done = demo(f"--save {file} --report {file}")
    assert done.code == 2
    assert "name the same file" in done.error["message"]
    assert not file.exists()


def test_a_page_that_cannot_be_written_is_an_error(demo):
    done = demo(f"--report {demo.shell.folder}/nowhere/demo.html")
    assert done.code == 2
    assert "is no folder" in done.error["message"]


def test_the_umask_decides_who_may_read_the_page(demo, bundle, page):
    before = os.umask(0o027)
    try:
        demo.shell(f"verify {bundle} --backend fake --report {page}")
    finally:
        os.umask(before)
    assert stat.S_IMODE(page.stat().st_mode) == 0o640
    assert [each.name for each in page.parent.glob("*demo*")] == ["demo.html"]


@pytest.mark.slow
def test_many_verdicts_have_no_page(demo, bundle):
    done = demo.shell(f"verify {bundle} --each --backend fake --report x.html")
    assert done.code == 2
    assert "--report cannot be used with --each" in done.err


@pytest.mark.slow  # starts two processes
def test_two_processes_write_the_same_bytes(demo, bundle, page):
    at = json.loads(bundle.read_text())["made_at"]
    pages = []
    for seed in ("1", "2"):
        page = demo.shell.folder / f"{seed}.html"
        words = [sys.executable, "-m", "ccgpu", "verify", str(bundle), "--backend", "fake"]
        words += ["--at", at, "--report", str(page)]
        subprocess.run(
            words, check=False, capture_output=True, env={**os.environ, "PYTHONHASHSEED": seed}
        )
        pages.append(page.read_text())
    assert pages[0] == pages[1]
    assert "REJECTED" in pages[0], "another machine does not know the challenge"
