"""The collector in a VM with tpm2-tools: the same evidence, by another way to the TPM."""

import struct

import pytest

from ccgpu.guest import collector
from ccgpu.templates.guest.collector.tools import TOOLS
from support.attested import judge
from support.cli import Shell
from support.collecting import guest_pythons
from support.paravisor import HCL, USER_DATA
from support.slow import mostly_slow
from support.tpm_double import ABSENT, NV_DEFINE, NV_READ_PUBLIC, QUOTE, RETRY, response

_START_AUTH_SESSION = 0x176  # tpm2-tools begin with it, bare commands never
_UNDEFINE = struct.pack(
    ">HIIIIIIHBH", 0x8002, 31, 0x122, 0x40000001, USER_DATA, 9, 0x40000009, 0, 0, 0
)
_PCR_EXTEND = bytes.fromhex(
    "8002 00000041 00000182 00000010 00000009 40000009 0000 00 0000 00000001 000b" + "11" * 32
)  # TPM 2.0 Part 3, TPM2_PCR_Extend
_BROKEN = {"nvread": "exit 0", "pcrread": "exit 0", "nvreadpublic": "exit 0", "quote": "exit 3"}


@pytest.fixture
def shell(tmp_path):
    """The user's machine."""
    return Shell(tmp_path)


@pytest.fixture
def tools(machine_with_tools):
    """The folder of the tools in the VM."""
    return machine_with_tools.root / "usr/bin"


def _replace(tool, text):
    tool.unlink()
    tool.write_text(f"#!/bin/sh\n{text}\n")
    tool.chmod(0o755)


def test_what_it_collects_by_tpm2_tools_is_accepted(each_machine_with_tools, shell):
    machine = each_machine_with_tools
    before = machine.files()
    done = machine.run(tpm=False)
    assert (done.exit_code, done.stderr) == (0, b""), done.stdout
    assert _START_AUTH_SESSION in machine.paravisor.commands
    judged = judge(shell, machine, collector.parse(done))
    assert judged.code == 0, judged.out
    assert machine.files() == before


@pytest.mark.slow
def test_a_descriptor_is_spoken_to_in_bare_commands(machine_with_tools):
    assert machine_with_tools.run().exit_code == 0
    assert _START_AUTH_SESSION not in machine_with_tools.paravisor.commands


@pytest.mark.parametrize("name", mostly_slow(TOOLS, 9))
def test_without_one_of_the_tools_none_is_used(machine_with_tools, tools, name):
    (tools / f"tpm2_{name}").unlink()
    assert machine_with_tools.run(tpm=False).exit_code == 0
    assert _START_AUTH_SESSION not in machine_with_tools.paravisor.commands


@pytest.mark.slow
def test_tools_define_an_absent_index(machine_with_tools, shell):
    machine = machine_with_tools
    machine.run()
    assert machine.paravisor.exchange(_UNDEFINE)[6:10] == bytes(4)
    bundle = collector.parse(machine.run(tpm=False))
    assert NV_DEFINE in machine.paravisor.commands
    assert judge(shell, machine, bundle).code == 0


@pytest.mark.slow
def test_tools_ask_a_busy_tpm_again(machine_with_tools):
    """The library under them asks five times by itself."""
    seen: list[int] = []

    def busy(code: int, _body: bytes) -> bytes | None:
        seen.append(code)
        return response(RETRY) if code == QUOTE and seen.count(code) <= 7 else None

    machine_with_tools.paravisor.fault = busy
    assert machine_with_tools.run(tpm=False).exit_code == 0
    assert seen.count(QUOTE) > 7


@pytest.mark.parametrize("rc", mostly_slow([RETRY, 0x921], 2))
def test_an_error_of_the_tpm_is_named_in_time(machine_with_tools, rc):
    machine_with_tools.limits["tpm"] = 0.5
    machine_with_tools.paravisor.fault = lambda code, _: response(rc) if code == QUOTE else None
    code, seconds = machine_with_tools.refusal(tpm=False)
    assert (code, seconds < 8) == ("tpm.error", True)


@pytest.mark.slow
def test_a_tpm_without_claims_is_none_of_azures(machine_with_tools):
    index = struct.pack(">I", HCL)

    def absent(code: int, body: bytes) -> bytes | None:
        return response(ABSENT) if code == NV_READ_PUBLIC and body == index else None

    machine_with_tools.paravisor.fault = absent
    assert machine_with_tools.refusal(tpm=False)[0] == "claims.absent"


@pytest.mark.parametrize("name", mostly_slow(_BROKEN, 9))
def test_a_tool_that_is_broken_is_an_error(machine_with_tools, tools, name):
    _replace(tools / f"tpm2_{name}", _BROKEN[name])
    assert machine_with_tools.refusal(tpm=False)[0] == "tpm.error"


@pytest.mark.slow
def test_a_tool_that_cannot_be_run_is_an_error(machine_with_tools, tools):
    _replace(tools / "tpm2_nvread", "")
    (tools / "tpm2_nvread").write_bytes(b"\x7fELF")
    assert machine_with_tools.refusal(tpm=False)[0] == "tpm.error"


@pytest.mark.slow
def test_a_tool_that_hangs_is_an_error_in_time(machine_with_tools, tools):
    _replace(tools / "tpm2_nvread", "exec sleep 60")
    machine_with_tools.limits["tpm"] = 0.5
    code, seconds = machine_with_tools.refusal(tpm=False)
    assert (code, seconds < 8) == ("tpm.error", True)


@pytest.mark.slow
def test_a_pcr_that_changes_meanwhile_is_quoted_again(machine_with_tools, shell):
    machine, changed = machine_with_tools, []

    def extend(code: int, _body: bytes) -> bytes | None:
        if code == QUOTE:
            changed.append(code)
        elif len(changed) == 1:
            changed.append(machine.paravisor.exchange(_PCR_EXTEND))
        return None

    machine.paravisor.fault = extend
    assert judge(shell, machine, collector.parse(machine.run(tpm=False))).code == 0
    assert machine.paravisor.commands.count(QUOTE) == 2


@pytest.mark.parametrize(
    "python", mostly_slow(guest_pythons(), 4), ids=lambda file: file.rsplit("/", 1)[-1]
)
def test_no_environment_reaches_the_tools(machine_with_tools, shell, python):
    machine = machine_with_tools
    evil, temporary = machine.root / "evil", machine.root / "temporary"
    evil.mkdir()
    temporary.mkdir()
    script = evil / "tpm2_quote"
    script.write_text(f"#!/bin/sh\ntouch {machine.root}/called\n")
    script.chmod(0o755)
    machine.python = python
    machine.environ = {
        "PATH": str(evil),
        "LC_ALL": "tr_TR.ISO-8859-9",
        "TMPDIR": str(temporary),
        "TPM2TOOLS_TCTI": "none",
        "TSS2_LOG": "all+trace",
    }
    bundle = collector.parse(machine.run(tpm=False))
    assert judge(shell, machine, bundle).code == 0
    assert not (machine.root / "called").exists()
    assert not list(temporary.iterdir())
