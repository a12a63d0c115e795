"""Several manifests of one version: none hides a good one, and the evidence chooses none."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ccgpu.attest.check import Checks, Verified
from ccgpu.attest.gpu import manifests
from ccgpu.attest.gpu.manifests import RunningFirmware
from ccgpu.domain.evidence import NamedManifest
from ccgpu.fakeguest.evidence import rim
from ccgpu.fakeguest.evidence.rim_pki import SIGNER
from support.evidence_rim import AT, driver_rim, golden_value, pinned_root, vbios_rim
from support.tampering import new_rim_chain

CHAIN = new_rim_chain()
ANCHOR = pinned_root(CHAIN)
ID = "NV_GPU_VBIOS_1010_0210_886_96009F0004"
OTHER_ID = "NV_GPU_VBIOS_1010_0200_882_96009F0004"
RUNNING = RunningFirmware("vbios", rim.VBIOS, "GH100", ID)
DRIVER = RunningFirmware("driver", rim.DRIVER, "GH100", f"NV_GPU_DRIVER_GH100_{rim.DRIVER}")

GOOD = vbios_rim().signed_by(CHAIN)
AGAIN = vbios_rim().signed_by(CHAIN)  # the same values, signed anew
DIFFERENT = rim.rim_template(rim.VBIOS, {0: (golden_value(0, 9),)}).signed_by(CHAIN)
_ENDED = CHAIN.with_certificate(SIGNER, not_after=AT - timedelta(days=1))
EXPIRED = vbios_rim().signed_by(_ENDED)
STRANGERS = vbios_rim().signed_by(new_rim_chain())
JUNK = f'<a colloquialVersion="{rim.VBIOS}"/>'.encode()
OTHER_PRODUCT = replace(vbios_rim(), product="GB100").signed_by(CHAIN)
OTHER_VERSION = rim.rim_template("96.00.9F.00.01", {0: (golden_value(0),)}).signed_by(CHAIN)


def choose(brought=(), given=(), running=RUNNING):
    """The golden values of index 0, what was refused, and the note; `given`: (name, XML)."""
    checks = Checks()
    callers = [NamedManifest(*each) for each in given]
    found = manifests.select(running, callers, brought, ANCHOR, AT, checks)
    refused = {check.id for check in checks.made if not check.ok}
    if not isinstance(found.manifest, Verified):
        return None, refused, found.note
    return found.manifest.value.golden[0], refused, found.note


VALUES, DIFFERENT_VALUES = (golden_value(0),), (golden_value(0, 9),)
ACCEPTED: tuple[object, set[str], None] = (VALUES, set(), None)


@pytest.mark.parametrize("bad", [EXPIRED, STRANGERS, JUNK, OTHER_PRODUCT, OTHER_VERSION, b"", b"<"])
def test_invalid_rims_hide_no_valid_one(bad):
    assert choose([bad, GOOD]) == choose([GOOD, bad]) == ACCEPTED
    assert choose([bad], [("x", GOOD)]) == choose([GOOD], [("x", bad)]) == ACCEPTED
    assert choose((), [(ID, bad), ("x", GOOD)]) == ACCEPTED


def test_without_a_valid_rim_the_first_of_the_caller_gives_the_reason():
    assert choose([EXPIRED])[1] == {"rim.signer.expired"}
    assert choose([STRANGERS], [("x", EXPIRED)])[1] == {"rim.signer.expired"}
    assert choose([JUNK])[1] == {"rim.signature.absent"}


def test_a_missing_rim_is_reported_with_id_and_command():
    checks = Checks()
    found = manifests.select(RUNNING, (), [OTHER_VERSION], ANCHOR, AT, checks)
    (told,) = checks.made

    assert found.manifest is None
    assert (told.id, told.ok) == ("rim.present", False)
    assert told.expected == f"{ID} (vbios {rim.VBIOS})"
    assert "none of 1 manifests" in told.actual
    assert "`ccgpu collateral fetch EVIDENCE --out DIR`" in told.actual


def test_an_unnamed_chip_has_no_rim_id():
    checks = Checks()
    manifests.select(RunningFirmware("driver", rim.DRIVER), (), (), ANCHOR, AT, checks)
    assert checks.made[0].expected == f"driver {rim.DRIVER}"
    nameless = replace(RUNNING, chip=None, rim_id=None)
    assert choose([GOOD], running=nameless) == choose([], [("x", GOOD)], nameless) == ACCEPTED


def test_rims_with_equal_values_are_interchangeable():
    assert choose([GOOD, AGAIN]) == choose([AGAIN], [("x", GOOD)]) == ACCEPTED


def test_the_evidence_cannot_choose_between_differing_signed_rims():
    for both in ([GOOD, DIFFERENT], [DIFFERENT, GOOD]):
        assert choose(both) == (None, {"rim.ambiguous"}, None)


@pytest.mark.parametrize(
    ("given", "values", "whose"),
    [
        ([(ID, GOOD)], VALUES, "named by the RIM id"),
        ([(ID.lower(), DIFFERENT)], DIFFERENT_VALUES, "named by the RIM id"),
        ([("x", GOOD)], VALUES, "the caller's"),
        ([("x", DIFFERENT)], DIFFERENT_VALUES, "the caller's"),
        ([("a", DIFFERENT), (ID, GOOD)], VALUES, "named by the RIM id"),
    ],
)
def test_of_differing_rims_that_of_the_caller_counts_and_is_listed(given, values, whose):
    for brought in ([GOOD, DIFFERENT], [DIFFERENT, GOOD]):
        found, refused, note = choose(brought, given)
        assert (found, refused) == (values, set())
        assert note is not None
        assert f"signed manifests of vbios {rim.VBIOS} differ" in note
        assert whose in note


def test_differing_rims_of_the_caller_are_distinguished_only_by_file_name():
    assert choose((), [("a", GOOD), ("b", DIFFERENT)])[1] == {"rim.ambiguous"}
    assert choose((), [(OTHER_ID, DIFFERENT), (ID, GOOD)]) == ACCEPTED
    assert choose((), [(OTHER_ID, DIFFERENT), ("b", GOOD)]) == ACCEPTED


def test_a_rim_named_after_another_board_counts_as_missing():
    assert choose((), [(OTHER_ID, GOOD)])[1] == {"rim.present"}
    assert choose((), [(f"{ID}_copy", GOOD)]) == ACCEPTED


def test_a_matching_file_name_does_not_help_an_invalid_rim():
    assert choose([GOOD, DIFFERENT], [(ID, EXPIRED)])[1] == {"rim.ambiguous"}
    assert choose([GOOD], [(ID, STRANGERS)]) == ACCEPTED


def test_a_driver_of_two_products_with_one_version_is_chosen_by_product():
    other = replace(driver_rim(), product="GB100").signed_by(CHAIN)
    for both in ([other, driver_rim().signed_by(CHAIN)], [driver_rim().signed_by(CHAIN), other]):
        checks = Checks()
        found = manifests.select(DRIVER, (), both, ANCHOR, AT, checks)
        assert isinstance(found.manifest, Verified)
        assert found.manifest.value.product == "GH100"


def test_the_number_of_examined_rims_is_limited():
    junk = [JUNK + b" " * each for each in range(manifests.MAX_CANDIDATES)]
    assert choose([*junk[1:], GOOD]) == ACCEPTED
    assert choose([*junk, GOOD])[0] is None
    assert choose(junk, [("x", GOOD)]) == ACCEPTED
