"""Five real boots in a virtual machine: what is predicted is what firmware, stub and kernel did."""

import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from ccgpu.attest.vtpm import boot as boots
from ccgpu.attest.vtpm import event_names, eventlog, quote
from ccgpu.attest.vtpm.eventlog import EventLog
from ccgpu.domain.image_pcrs import (
    MEASURED_SECTIONS,
    NO_CONFIG,
    ZERO_PCRS,
    UkiDigests,
    UkiSection,
    config_digest,
    expected_events,
    replay,
)

BOOTS = ("uki252-nosb", "uki255-nosb", "uki257-nosb", "uki255-sb-ownkeys", "uki257-sb-ownkeys")
_LOAD_OPTIONS = 0x8F3B22ED


@pytest.fixture(params=BOOTS)
def boot(request: pytest.FixtureRequest, vectors: Path) -> Path:
    folder: Path = vectors / "measured-image" / request.param
    if not folder.is_dir():
        pytest.skip(f"needs the vectors of measured images: {folder} is not there")
    return folder


def quoted_pcrs(boot: Path) -> list[bytes]:
    """The values that the boot's quote proves."""
    message, values = (boot / "msg").read_bytes(), (boot / "pcrs").read_bytes()
    key = load_der_public_key((boot / "ak.der").read_bytes())
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify((boot / "sig").read_bytes(), message, padding.PKCS1v15(), SHA256())
    assert quote.parse(message).pcr_digest == hashlib.sha256(values).digest()
    return [values[at : at + 32] for at in range(0, len(values), 32)]


def uki_of(log: EventLog, stub: int) -> UkiDigests:
    """The UKI's digests, from the log: the image itself is not kept."""
    programs = [event.digest.hex() for event in log.events if event.pcr == 4][2:]
    programs = [each for each in programs if each not in _separators()]
    of_sections = [event.digest.hex() for event in log.events if event.pcr == 11]
    names = [hashlib.sha256(name.encode() + b"\0").hexdigest() for name in MEASURED_SECTIONS]
    digests = dict(zip(of_sections[::2], of_sections[1::2], strict=True))
    return UkiDigests(
        authenticode=programs[0],
        kernel_authenticode=programs[-1],
        stub=stub,
        command_line="unknown",
        sections=tuple(
            UkiSection(name=name, size=0, sha256=digests.get(hashed, "0" * 64))
            for name, hashed in zip(MEASURED_SECTIONS, names, strict=True)
        ),
    )


def _separators() -> set[str]:
    return {hashlib.sha256(bytes(4)).hexdigest()}


def test_the_events_and_values_are_the_expected_ones(boot: Path):
    log = eventlog.parse((boot / "binary_bios_measurements").read_bytes())
    quoted = quoted_pcrs(boot)
    uki = uki_of(log, int(boot.name[3:6]))
    expected = dict(expected_events(uki, config_digest(None)))
    if "ownkeys" in boot.name:  # with secure boot, the stub starts its kernel without the firmware
        expected[4] = expected[4][:-1]
    # The text of the command line is not in the log: its digest is taken from there.
    options = next(e for e in log.events if e.data[:4] == _LOAD_OPTIONS.to_bytes(4, "little"))
    changed = expected[9][0].model_copy(update={"sha256": options.digest.hex()})
    expected[9] = (changed, *expected[9][1:])
    named = event_names.name_events(log, frozenset(range(24)))
    for index in (4, 9, 11, 12, 13, 14, 15):
        found = [(e.what, e.detail, e.digest.hex()) for e in named if e.pcr == index]
        assert found == [(e.what, e.detail, e.sha256) for e in expected[index]], index
        assert replay(expected[index]) == quoted[index], index
    assert not any(event.digest for event in log.events if event.pcr in ZERO_PCRS)


def test_the_log_tells_what_the_kernel_was_handed(boot: Path):
    log = eventlog.parse((boot / "binary_bios_measurements").read_bytes())
    facts = boots.boot_facts(log, frozenset(range(24)), frozenset())
    assert [name for name, _ in facts.handed_over] == ["kernel command line", "initrd"]
    assert facts.handed_over[1][1] == dict(facts.sections)[".initrd"]
    assert facts.files == ()
    assert facts.command_lines == ()
    assert facts.secure_boot == ("ownkeys" in boot.name)


def test_pcr_8_is_that_of_no_config_or_of_one(boot: Path):
    without = replay(expected_events(_any_uki(), config_digest(None))[8])
    quoted = quoted_pcrs(boot)[8]
    assert config_digest(None) == hashlib.sha256(NO_CONFIG).digest()
    assert (quoted == without) == (boot.name != "uki252-nosb")  # that boot had a config


def _any_uki() -> UkiDigests:
    sections = tuple(UkiSection(name=n, size=0, sha256="0" * 64) for n in MEASURED_SECTIONS)
    return UkiDigests(
        authenticode="0" * 64,
        kernel_authenticode="0" * 64,
        stub=252,
        command_line="a",
        sections=sections,
    )
