"""`ccgpu verify --example`: evidence of a simulated VM that ships with ccgpu."""

import hashlib
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

import steady_keys
from ccgpu.store import example
from ccgpu.store.example import BUNDLE, example_folder

_AT = example.SENT_AT.isoformat().replace("+00:00", "Z")


def _bundle() -> bytes:
    with example_folder() as folder:
        return (folder / BUNDLE).read_bytes()


def test_the_example_is_accepted_and_said_to_be_simulated(shell):
    done = shell("verify --example")
    first, second, *rest = done.out.splitlines()
    assert (done.code, first) == (0, f"ACCEPTED by policy default at {_AT}")
    assert second.startswith("SIMULATED: ")
    assert not [line for line in rest if line.startswith("loosened")]


def test_the_document_says_that_it_is_simulated_and_whose_word_it_rests_on(shell):
    found = shell("verify --example -o json").document
    assert (found["verdict"], found["simulated"], found["at"]) == ("accepted", True, _AT)
    assert (found["loosened"], found["unsafe"]) == ([], [])
    rests_on = {one["what"]: one["whose"] for one in found["rests_on"]}
    assert {rests_on[name] for name in ("time", "nonce", "VM id", "SSH host key")} == {"caller"}


@pytest.mark.slow
def test_every_other_knowledge_than_of_its_sender_is_refused(shell):
    vm_id, key = "390cbcf5-6c67-4d9b-98ef-c3f1699cc8fc", f"SHA256:{'A' * 43}"
    for words in (f"--nonce {'00' * 32}", f"--vm-id {vm_id}", f"--host-key {key}"):
        done = shell(f"verify --example {words}")
        assert (done.code, done.out[:9]) == (9, "REJECTED "), words


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("--policy default", 0),
        ("--policy cpu-only", 0),
        ("--policy strict", 9),  # golden PCR values
        ("--policy strict --record golden.yaml", 0),
        ("--signer alice.pub", 3),
        ("--at 2027-01-01T00:00:00Z", 9),  # what NVIDIA's responder said was valid for a day
        ("--at bundle", 0),
        ("--format bundle", 0),
        ("--format snp-report", 3),
        ("--backend fake", 0),
    ],
)
def test_options_mean_what_they_mean_for_other_evidence(shell, words, code):
    Path("alice.pub").write_text("no key")
    assert shell(f"verify --example {words}").code == code


def test_the_real_roots_do_not_accept_it(shell):
    done = shell("verify --example --backend azure -o json")
    assert done.code == 9
    assert done.document["simulated"] is False
    assert "snp.vek.signature" in done.document["reasons"]


@pytest.mark.parametrize("words", ["--example bundle.json", "--example --each a b", "", "--each"])
def test_it_takes_the_place_of_evidence(shell, words):
    done = shell(f"verify {words}")
    assert (done.code, done.out) == (2, "")
    assert "EVIDENCE" in done.err


def test_it_is_not_for_many(shell):
    done = shell("verify --example --each")
    assert (done.code, done.out) == (2, "")
    assert "--example cannot be used with --each" in done.err


def test_without_evidence_the_hint_is_the_example(shell):
    assert "`ccgpu verify --example`" in shell("verify").err


@pytest.mark.slow
def test_the_saved_bundle_is_verified_as_any_other_is(shell):
    assert shell("verify --example --save example.json").code == 0
    noted = json.loads(_bundle())
    assert shell("verify example.json --backend fake").code == 9  # whose evidence is it?
    found = shell("verify --example -o json").document
    asked = f"--nonce {noted['nonce']} --vm-id {noted['vm_id']} --at {_AT}"
    fingerprint = found["facts"]["host key"]
    done = shell(f"verify example.json --backend fake {asked} --host-key {fingerprint}")
    assert done.code == 0, done.err


def test_the_page_for_auditors_names_the_example_and_its_digest(shell):
    assert shell("verify --example --report page.html").code == 0
    page = Path("page.html").read_text()
    assert "ccgpu verify --example" in page
    assert hashlib.sha256(_bundle()).hexdigest() in page


def test_this_machines_own_records_are_not_asked(shell):
    challenges = shell.state / "challenges"
    challenges.mkdir(parents=True)
    with example_folder() as folder:
        (record,) = (folder / "challenges").iterdir()
    (challenges / record.name).write_text("damaged")
    assert shell("verify --example").code == 0


def test_it_is_small():
    assert len(_bundle()) < 100_000


def test_steady_keys_sign_alike_each_time_and_differ_by_name():
    first, again, other = (steady_keys.steady_ec_key(name) for name in ("a", "a", "b"))
    algorithm = ec.ECDSA(hashes.SHA384())
    assert first.sign(b"x", algorithm) == again.sign(b"x", algorithm)
    assert first.sign(b"x", algorithm) != first.sign(b"y", algorithm)
    assert first.sign(b"x", algorithm) != other.sign(b"x", algorithm)
    first.public_key().verify(first.sign(b"x", algorithm), b"x", algorithm)
