"""A real NCC40ads_H100_v5 without manifests: all else is good, and what is missing is named."""

import shutil

import pytest

from support.cli import Shell
from support.slow import mostly_slow

_AT = "2026-09-19T12:00:00Z"
_IDS = ("NV_GPU_DRIVER_GH100_595.71.05", "NV_GPU_VBIOS_1010_0210_886_9600880011")


@pytest.fixture
def case(vectors, tmp_path):
    """A copy that may be changed."""
    source, target = vectors / "gpu" / "ncc-595.71.05", tmp_path / "ncc"
    target.mkdir()
    for file in source.rglob("*.*"):
        if file.is_file():
            copy = target / file.relative_to(source)
            copy.parent.mkdir(exist_ok=True)
            copy.write_bytes(file.read_bytes())
    return target


@pytest.fixture
def verify(tmp_path, case):
    shell = Shell(tmp_path)
    nonce = (case / "nonce.hex").read_text().strip()

    def run(options=""):
        line = f"verify {case} --policy gpu-only --at {_AT} --nonce {nonce} {options}"
        return shell(line)

    return run


def test_only_the_two_manifests_are_wanting_and_named_with_the_command(verify, case):
    done = verify("-o json")

    assert (done.code, done.document["verdict"]) == (8, "no_verdict")
    failed = [check for check in done.document["checks"] if not check["ok"]]
    assert [check["id"] for check in failed] == ["rim.present"] * 2
    assert [check["expected"].split()[0] for check in failed] == list(_IDS)
    told = verify()
    for rim_id in _IDS:
        assert rim_id in told.out
        assert rim_id in told.err
    assert f"ccgpu collateral fetch {case} --out DIR" in told.err


def test_the_leafs_unauthorized_answer_changes_nothing(verify, case):
    with_it = verify("-o json").document
    for answer in case.glob("ocsp-other/fmc_leaf_*"):
        answer.unlink()
    assert verify("-o json").document == with_it
    shutil.rmtree(case / "ocsp-other")
    alone = verify("-o json")
    assert (alone.code, alone.document["reasons"]) == (8, ["rim.present"])


def test_without_answers_it_is_those_that_are_wanting_too(verify, case):
    for answer in (*case.glob("ocsp/*"), *case.glob("ocsp-other/*no*nce.der")):
        if "leaf" not in answer.name:
            answer.unlink()
    done = verify("-o json")
    assert (done.code, done.document["reasons"]) == (8, ["rim.present", "ocsp.absent"])


@pytest.mark.parametrize("place", mostly_slow([36, 0, 1, 4, 37, 60, 2000, -1], 8))
@pytest.mark.parametrize(
    "name",
    ["report.bin", "device-chain.pem", "ocsp/brom_nonce.der", "ocsp-other/identity_ca_nononce.der"],
)
def test_with_any_byte_changed_it_is_refused(verify, case, name, place):
    raw = bytearray((case / name).read_bytes())
    raw[place % len(raw)] ^= 1
    (case / name).write_bytes(raw)
    assert verify().code == 9


def test_a_name_of_a_type_that_no_reader_takes_is_refused_like_any_other_byte(verify, case):
    raw = bytearray((case / "device-chain.pem").read_bytes())
    raw[360] ^= 0x10  # the type of a string becomes that of bits
    (case / "device-chain.pem").write_bytes(raw)
    assert verify().code == 9


@pytest.mark.parametrize("place", range(5))
def test_a_damaged_error_message_is_refused_like_any_damaged_answer(verify, case, place):
    file = case / "ocsp-other" / "fmc_leaf_nonce.der"
    raw = bytearray(file.read_bytes())
    raw[place] ^= 1
    file.write_bytes(raw)
    assert verify().code == 9
