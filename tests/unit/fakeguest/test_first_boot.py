"""What the simulated cloud-init writes: `write_files` in every form that customData has."""

import base64
import gzip
import json

import pytest

from ccgpu.fakeguest.first_boot import read_settings, written_files

ENTRY = {"path": "/etc/x", "content": "text ü\n"}


def _config(*entries) -> bytes:
    return b"#cloud-config\n" + json.dumps({"write_files": list(entries)}).encode()


def _mime(*parts: bytes) -> bytes:
    sections = b"".join(b"--b\nContent-Type: text/plain\n\n" + part + b"\n" for part in parts)
    return (
        b'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n'
        + sections
        + b"--b--\n"
    )


@pytest.mark.parametrize(
    "raw",
    [
        _config(ENTRY),
        gzip.compress(_config(ENTRY)),
        _mime(b"#!/bin/sh\ntrue", _config(ENTRY)),
        gzip.compress(_mime(_config(ENTRY))),
        b"#cloud-config\nwrite_files:\n  - path: /etc/x\n    content: |\n      text \xc3\xbc\n",
    ],
    ids=["plain", "gzip", "mime", "gzip-mime", "block"],
)
def test_a_file_is_written_from_every_format(raw):
    (file,) = written_files(raw).values()
    assert (file.mode, file.data.decode()) == (0o644, "text ü\n")


@pytest.mark.parametrize("encoding", ["b64", "gz+b64", "base64", "gzip+base64"])
def test_contents_are_decoded(encoding):
    data = bytes(range(256))
    packed = gzip.compress(data) if "gz" in encoding else data
    entry = {"path": "/x", "encoding": encoding, "content": base64.b64encode(packed).decode()}
    (file,) = written_files(_config(entry | {"permissions": "0755"})).values()
    assert file == (0o755, data)


def test_parts_add_files_and_the_last_one_of_a_path_counts():
    found = written_files(_mime(_config(ENTRY), _config(ENTRY | {"content": "2"}, {"path": "/y"})))
    assert {path: file.data for path, file in found.items()} == {"/etc/x": b"2", "/y": b""}


@pytest.mark.parametrize(
    "raw",
    [
        None,
        b"",
        b"not a cloud-config",
        b"#cloud-config\n: : :\n\t",
        b"#cloud-config\n[]\n",
        b"#cloud-config\nday: 2026-02-30\n",
        b"\x1f\x8bnot gzip",
        _config({"content": "x"}),
        _config({"path": "relative"}),
        _config({"path": "/x", "encoding": "gz", "content": "x"}),
        _config({"path": "/x", "permissions": "rw-r--r--"}),
        _config("text"),
    ],
)
def test_what_cloud_init_would_refuse_writes_nothing(raw):
    assert written_files(raw) == {}


def test_the_settings_are_shell_assignments():
    text = "# CCGPU_NO=1\nCCGPU_A=1\nCCGPU_B='two'\n\nCCGPU_C=\n"
    files = written_files(_config({"path": "/etc/ccgpu/guest.env", "content": text}))
    assert read_settings(files) == {"CCGPU_A": "1", "CCGPU_B": "two", "CCGPU_C": ""}
    assert read_settings({}) is None
