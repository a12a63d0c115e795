"""The channel over a real sshd: exit codes, bytes and words arrive as they are."""

import io
import os
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ccgpu.errors import GuestNotReady, GuestUnreachable, TimedOut, UsageProblem
from ccgpu.guest.channel import Completed
from ccgpu.guest.openssh import open_channel
from ccgpu.guest.ssh_options import MAX_COMMAND
from support.slow import mostly_slow
from support.sshd import make_key

BINARY = os.urandom(10 * 1024 * 1024)


@pytest.mark.parametrize("code", mostly_slow([255, *range(255)], 100, 10))
def test_the_exit_code_is_that_of_the_command(channel, code):
    words = ["sh", "-c", f"exit {code}"]
    assert channel.run(words, timeout=30) == Completed(code, b"", b"")
    assert channel.stream(words, None, io.BytesIO(), io.BytesIO()) == code


@pytest.mark.slow
def test_ten_megabytes_pass_unchanged_in_both_directions(channel):
    done = channel.run(["cat"], BINARY, timeout=60)
    assert done == Completed(0, BINARY, b"")


@pytest.mark.slow
def test_ten_megabytes_pass_unchanged_through_streams_of_memory(channel):
    out, err = io.BytesIO(), io.BytesIO()
    words = ["sh", "-c", "tee /dev/stderr"]
    assert channel.stream(words, io.BytesIO(BINARY), out, err) == 0
    assert out.getvalue() == BINARY
    assert err.getvalue() == BINARY


@pytest.mark.slow
def test_ten_megabytes_pass_unchanged_through_files(channel, tmp_path):
    (tmp_path / "in").write_bytes(BINARY)
    with (
        (tmp_path / "in").open("rb") as ins,
        (tmp_path / "out").open("wb") as outs,
        (tmp_path / "err").open("wb") as errs,
    ):
        assert channel.stream(["cat"], ins, outs, errs, timeout=60) == 0
    assert (tmp_path / "out").read_bytes() == BINARY
    assert (tmp_path / "err").read_bytes() == b""


WORDS = [
    "",
    " ",
    "two words",
    "don't",
    'say "yes"',
    "line\nbreak",
    "line\r\nbreak\n",
    "tab\tand\\backslash",
    "$HOME `id` $(id) ${x}",
    "* ? [a-z] {a,b} ~",
    "; exit 3 #",
    "&& || | > < &",
    "!history!",
    "-n",
    "--",
    "é ü 漢字 🙂 \u202e",
    os.fsdecode(b"not utf-8: \xff\xfe"),
    "x" * 100_000,
]


def _arrived(output: bytes) -> list[str]:
    return [os.fsdecode(word) for word in output.split(b"\0")[:-1]]


@pytest.mark.slow
def test_every_word_arrives_as_one_unchanged_argument(channel):
    done = channel.run(["printf", "%s\\0", *WORDS], timeout=30)
    assert (done.exit_code, done.stderr) == (0, b"")
    assert _arrived(done.stdout) == WORDS
    out = io.BytesIO()
    assert channel.stream(["printf", "%s\\0", *WORDS], None, out, io.BytesIO()) == 0
    assert _arrived(out.getvalue()) == WORDS


_TEXT = st.text(
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20
)


@pytest.mark.slow
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(_TEXT, min_size=1, max_size=6))
def test_any_words_arrive_unchanged(channel, words):
    done = channel.run(["printf", "%s\\0", *words], timeout=30)
    assert _arrived(done.stdout) == words


def test_a_program_of_another_name_is_not_found_rather_than_joined(channel):
    done = channel.run(["echo yes; true"], timeout=30)
    assert (done.exit_code, done.stdout) == (127, b"")
    out = io.BytesIO()
    assert channel.stream(["echo yes; true"], None, out, io.BytesIO()) == 127
    assert out.getvalue() == b""


def test_the_longest_command_line_arrives(channel):
    words = ["expr", "length"]
    longest = "x" * (MAX_COMMAND - len(" ".join(words)) - 1)
    assert channel.run([*words, longest], timeout=30).stdout == f"{len(longest)}\n".encode()


@pytest.mark.parametrize("words", [[], ["null\0byte"], ["x" * (MAX_COMMAND + 1)]])
def test_words_that_no_system_takes_are_refused_before_anything_is_sent(shared_sshd, words):
    before = shared_sshd.logins
    with open_channel(shared_sshd.target()) as channel, pytest.raises(UsageProblem):
        channel.run(words, timeout=30)
    assert shared_sshd.logins == before


def test_stdout_and_stderr_stay_apart(channel):
    done = channel.run(["sh", "-c", "echo out; echo err >&2; exit 4"], timeout=30)
    assert done == Completed(4, b"out\n", b"err\n")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["", " >&2"])
def test_output_that_does_not_end_is_not_kept(channel, where):
    with pytest.raises(GuestNotReady, match="printed more than 32 MiB"):
        channel.run(["sh", "-c", f"cat /dev/zero{where}"], timeout=60)
    assert channel.run(["echo", "still here"], timeout=30).stdout == b"still here\n"


def test_output_that_somebody_keeps_open_does_not_outlast_the_time_limit(channel):
    with pytest.raises(TimedOut):
        channel.run(["sh", "-c", "sleep 100 & echo out"], timeout=1)


def test_a_command_without_input_reads_the_end_of_it(channel):
    out = io.BytesIO()
    assert channel.run(["cat"], timeout=30) == Completed(0, b"", b"")
    assert channel.stream(["cat"], None, out, io.BytesIO()) == 0
    assert out.getvalue() == b""


def test_a_command_may_end_before_its_input_does(channel):
    read, write = os.pipe()
    with os.fdopen(read, "rb") as ins, os.fdopen(write, "wb"):
        assert channel.stream(["true"], ins, io.BytesIO(), io.BytesIO()) == 0
    assert channel.run(["true"], BINARY, timeout=30).exit_code == 0


@pytest.mark.slow
def test_the_sessions_of_a_channel_share_one_connection(shared_sshd):
    before = shared_sshd.logins
    with open_channel(shared_sshd.target()) as channel, ThreadPoolExecutor(8) as pool:
        together = threading.Barrier(8)

        def echo(number: int) -> bytes:
            together.wait(30)
            return channel.run(["echo", str(number)], timeout=30).stdout

        assert list(pool.map(echo, range(8))) == [f"{number}\n".encode() for number in range(8)]
    assert shared_sshd.logins == before + 1


@pytest.mark.slow
def test_a_session_that_the_vm_refuses_is_no_exit_code(sshd):
    sshd.start("MaxSessions 1")  # which the channel's own takes
    with open_channel(sshd.target()) as channel, pytest.raises(GuestUnreachable) as caught:
        channel.run(["true"], timeout=30)
    assert caught.value.transient


@pytest.fixture
def agent(shared_sshd, monkeypatch):
    """An ssh-agent that has the key."""
    socket = shared_sshd.folder / "agent"
    process = subprocess.Popen(
        ["ssh-agent", "-D", "-a", socket], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        subprocess.run(["ssh-add", "-q", shared_sshd.identity], check=True)
        yield
    finally:
        process.kill()
        process.communicate()
        socket.unlink(missing_ok=True)


@pytest.mark.usefixtures("agent")
def test_the_keys_of_the_agent_are_used_and_the_agent_is_not_forwarded(shared_sshd):
    with open_channel(shared_sshd.target(identity=None)) as channel:
        done = channel.run(["sh", "-c", "echo ${SSH_AUTH_SOCK-none}"], timeout=30)
    assert done == Completed(0, b"none\n", b"")


@pytest.mark.usefixtures("agent")
def test_a_key_that_is_named_is_the_only_one_that_is_tried(shared_sshd, tmp_path):
    make_key(tmp_path / "other")
    target = shared_sshd.target(identity=tmp_path / "other")
    with open_channel(target) as channel, pytest.raises(GuestUnreachable, match="refuses the key"):
        channel.run(["true"], timeout=30)
