"""Builders of HCL blobs, quotes and event logs, checked by hand rather than by our parsers."""

import base64
import hashlib
import json
import struct
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256

from ccgpu.fakeguest.evidence import eventlog, hcl, quote
from support.evidence_vtpm import ak

REPORT = b"\xab" * 1184


def test_blob_has_the_documented_layout():
    raw = hcl.HclBlob(REPORT, b'{"a":1}').raw
    assert len(raw) == 2600
    assert struct.unpack_from("<4s4I", raw) == (b"HCLA", 2, 0x4D4 + 7, 2, 0)
    assert raw[0x14:0x20] == bytes(12)
    assert raw[0x20:0x4C0] == REPORT
    assert struct.unpack_from("<5I", raw, 0x4C0) == (20 + 7, 1, 2, 1, 7)
    assert raw[0x4D4:] == b'{"a":1}'.ljust(2600 - 0x4D4, b"\0")


def test_every_field_of_a_blob_can_be_changed():
    changed = replace(
        hcl.HclBlob(REPORT, b"{}"),
        size=2048,
        signature=b"XXXX",
        version=9,
        report_size=10,
        request_type=11,
        status=12,
        reserved=b"R" * 12,
        data_size=13,
        data_version=14,
        report_type=15,
        hash_type=16,
        variable_data_size=17,
        padding=b"P",
    ).raw
    assert struct.unpack_from("<4s4I12s", changed) == (b"XXXX", 9, 10, 11, 12, b"R" * 12)
    assert struct.unpack_from("<5I", changed, 0x4C0) == (13, 14, 15, 16, 17)
    assert changed[0x4D4:] == b"{}P".ljust(2048 - 0x4D4, b"\0")


def test_runtime_claims_match_a_paravisors():
    runtime = hcl.encode_claims(hcl.runtime_claims(ak().public_key(), user_data=b"\xab" * 64))
    document = json.loads(runtime)
    key, other = document["keys"]
    modulus = base64.urlsafe_b64decode(key["n"] + "==")
    assert int.from_bytes(modulus, "big") == ak().public_key().public_numbers().n
    assert (key["kid"], key["key_ops"], key["kty"], key["e"]) == (
        "HCLAkPub",
        ["sign"],
        "RSA",
        "AQAB",
    )
    assert (other["kid"], other["key_ops"]) == ("HCLEkPub", ["encrypt"])
    assert document["user-data"] == "AB" * 64
    assert b" " not in runtime
    assert hcl.report_data(runtime) == hashlib.sha256(runtime).digest() + bytes(32)


def test_quote_matches_the_tpm_specification():
    pcrs = {0: b"a" * 32, 9: b"b" * 32, 23: b"c" * 32}
    raw = quote.QuoteTemplate(pcrs, b"nonce", clock=1, reset_count=2, restart_count=3, safe=1).raw
    head = b"\xffTCG\x80\x18\0\x22\0\x0b" + b"\x6e" * 32 + b"\0\5nonce"
    clock = struct.pack(">QIIBQ", 1, 2, 3, 1, quote.FIRMWARE_VERSION)
    selection = b"\0\0\0\1\0\x0b\3\x01\x02\x80"
    digest = hashlib.sha256(b"a" * 32 + b"b" * 32 + b"c" * 32).digest()
    assert raw == head + clock + selection + b"\0\x20" + digest


def test_signatures_are_bare_or_wrapped():
    bare = quote.sign_quote(ak(), b"message")
    ak().public_key().verify(bare, b"message", padding.PKCS1v15(), SHA256())
    assert quote.tpmt_signature(bare) == b"\0\x14\0\x0b\1\0" + bare


def test_log_matches_the_firmware_profile():
    raw = eventlog.SimulatedEventLog([eventlog.SimulatedEvent(7, 4, bytes(4))], {4: 20, 11: 32}).raw
    algorithms = b"\2\0\0\0\4\0\x14\0\x0b\0\x20\0"
    spec_id = b"Spec ID Event03\0" + bytes(4) + b"\0\2\0\2" + algorithms + b"\0"
    header = struct.pack("<II20sI", 0, 3, bytes(20), len(spec_id)) + spec_id
    digest = hashlib.sha256(bytes(4)).digest()
    event = struct.pack("<IIIH20sH32sI", 7, 4, 2, 4, b"\xa5" * 20, 11, digest, 4) + bytes(4)
    assert raw == header + event


def test_pcr_values_are_extended_as_the_tpm_does():
    events = [
        eventlog.locality_event(3),
        eventlog.SimulatedEvent(0, 8, b"v1"),
        eventlog.SimulatedEvent(17, 8, b"v2"),
    ]
    values = eventlog.pcr_values(events)
    first = hashlib.sha256(bytes(31) + b"\3" + hashlib.sha256(b"v1").digest()).digest()
    dynamic = hashlib.sha256(b"\xff" * 32 + hashlib.sha256(b"v2").digest()).digest()
    assert (values[0], values[17]) == (first, dynamic)
    assert (values[1], values[22]) == (bytes(32), b"\xff" * 32)
    other_note = eventlog.SimulatedEvent(0, 3, b"note")
    assert eventlog.pcr_values([*events, other_note]) == values


def test_secure_boot_and_kernel_of_a_boot_can_be_chosen():
    usual, other = (
        eventlog.boot_events(),
        eventlog.boot_events(secure_boot=False, kernel=b"k", command_line="c"),
    )
    before, after = eventlog.pcr_values(usual), eventlog.pcr_values(other)
    assert {index for index in before if before[index] != after[index]} == {4, 7, 8, 9}
