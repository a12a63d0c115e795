"""Sources of secrets: looked at before anything is asked, read once, bounded, and never shown."""

import io
import os
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.secret import MOST_BYTES
from ccgpu.domain.spec.secrets import SecretSource
from ccgpu.errors import CcgpuError, InvalidFile, TimedOut, UsageProblem
from ccgpu.store.named_files import absolute
from ccgpu.store.secret_sources import SecretReader
from ccgpu.workflows.source_command import read_output

_CANARY = "hf_Canary7Q2xT9vLw4Zr8Nk1Bd6Fs3Hj5"
_PATH = os.environ["PATH"]
_LONG = 30.0  # seconds, which no test waits for


class _Endless(io.RawIOBase):
    """A stream without an end, which counts what is taken from it."""

    def __init__(self) -> None:
        self.taken = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0, "read without a limit"
        self.taken += size
        return bytes(size)


def _source(**given: Any) -> SecretSource:
    return SecretSource.model_validate({"name": "token", **given})


def _python(code: str) -> SecretSource:
    return _source(command=[sys.executable, "-c", code])


def _reader(stdin: bytes | None = None, **environ: str) -> SecretReader:
    stream = None if stdin is None else io.BytesIO(stdin)
    return SecretReader({"PATH": _PATH, **environ}, lambda: stream, read_output)


def _refusal(source: SecretSource, reader: SecretReader, *, early: bool) -> CcgpuError:
    """The error of looking at a source (`early`), else that of reading one that looked usable."""
    if early:
        with pytest.raises(CcgpuError) as caught:
            reader.require_readable([source])
    else:
        reader.require_readable([source])
        with pytest.raises(CcgpuError) as caught:
            reader.read(source, _LONG)
    return caught.value


@given(st.binary(min_size=1, max_size=200))
def test_a_file_is_the_value_byte_by_byte(value):
    path = Path.home() / "token"
    path.write_bytes(value)
    reader, source = _reader(), _source(file=str(path), owner=1000)
    reader.require_readable([source])
    secret = reader.read(source, _LONG)
    assert (secret.name, secret.value, secret.owner) == ("token", value, 1000)


def test_a_trailing_newline_is_kept_by_every_source(tmp_path):
    (tmp_path / "token").write_bytes(b"x\n")
    reader = _reader(stdin=b"x\n", TOKEN="x\n")
    sources = (
        _source(file=str(tmp_path / "token")),
        _source(env="TOKEN"),
        _source(stdin=True),
        _python("print('x')"),
    )
    reader.require_readable(sources)
    assert [reader.read(one, _LONG).value for one in sources] == [b"x\n"] * 4


def test_a_value_of_the_environment_need_not_be_text():
    reader = _reader(TOKEN=os.fsdecode(b"\xff\xfe"))
    assert reader.read(_source(env="TOKEN"), _LONG).value == b"\xff\xfe"


def test_a_file_below_the_home_is_found():
    (Path.home() / "token").write_text("x")
    assert _reader().read(_source(file="~/token"), _LONG).value == b"x"
    assert absolute("~/token", Path("/etc")) == str(Path.home() / "token")


def test_the_largest_value_is_taken(tmp_path):
    path = tmp_path / "token"
    path.write_bytes(bytes(MOST_BYTES))
    reader = _reader(stdin=bytes(MOST_BYTES))
    for source in (
        _source(file=str(path)),
        _source(stdin=True),
        _python(f"import sys; sys.stdout.buffer.write(bytes({MOST_BYTES}))"),
    ):
        reader.require_readable([source])
        assert len(reader.read(source, _LONG).value) == MOST_BYTES


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda _: None, "No such file"),
        (Path.mkdir, "not a plain file"),
        (os.mkfifo, "not a plain file"),
        (Path.touch, "is empty"),
        (lambda path: path.write_bytes(bytes(MOST_BYTES + 1)), "more than 64 KiB"),
        (lambda path: path.symlink_to(path), "symbolic links"),
    ],
    ids=["absent", "folder", "pipe", "empty", "large", "loop"],
)
def test_a_bad_file_is_refused_before_anything_is_asked(tmp_path, make, text):
    path = tmp_path / "token"
    make(path)
    err = _refusal(_source(file=str(path)), _reader(), early=True)
    assert isinstance(err, InvalidFile)
    assert text in str(err)
    assert str(path) in str(err)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_of_others_is_refused_before_anything_is_asked(tmp_path):
    path = tmp_path / "token"
    path.write_text("x")
    path.chmod(0)
    err = _refusal(_source(file=str(path)), _reader(), early=True)
    assert "Permission denied" in str(err)


def test_a_device_without_an_end_is_not_a_file():
    err = _refusal(_source(file="/dev/zero"), _reader(), early=True)
    assert "not a plain file" in str(err)


@pytest.mark.parametrize(
    ("source", "environ", "text"),
    [
        (_source(env="TOKEN"), {}, "TOKEN is not set"),
        (_source(env="TOKEN"), {"TOKEN": ""}, "TOKEN is empty"),
        (_source(env="TOKEN"), {"TOKEN": "x" * (MOST_BYTES + 1)}, "more than 64 KiB"),
        (_source(stdin=True), {}, "is a terminal"),
        (_source(command=["no-such-program"]), {}, "'no-such-program'"),
        (_source(command=["/etc/passwd"]), {}, "'/etc/passwd'"),
        (_source(command=["true"]), {"PATH": "/nowhere"}, "'true'"),
    ],
)
def test_a_source_that_is_not_there_is_refused_before_anything_is_asked(source, environ, text):
    err = _refusal(source, _reader(**environ), early=True)
    assert isinstance(err, UsageProblem)
    assert text in str(err)
    assert "token" in str(err)


def test_looking_runs_no_program_and_reads_no_input(tmp_path):
    mark = tmp_path / "ran"
    stream = io.BytesIO(b"value")
    reader = SecretReader({"PATH": _PATH}, lambda: stream, read_output)
    reader.require_readable([_source(command=["touch", str(mark)]), _source(stdin=True)])
    assert not mark.exists()
    assert stream.tell() == 0


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (f"print('{_CANARY}'); raise SystemExit(3)", "exit code 3"),
        (f"import os; print('{_CANARY}', flush=True); os.kill(os.getpid(), 9)", "SIGKILL"),
        ("pass", "is empty"),
        (f"print('{_CANARY}' * 4000)", "more than 64 KiB"),
    ],
    ids=["fails", "killed", "prints-nothing", "prints-much"],
)
def test_a_program_that_fails_gives_nothing(code, text):
    err = _refusal(_python(code), _reader(), early=False)
    assert isinstance(err, UsageProblem)
    assert text in str(err)
    assert _CANARY not in f"{err!r} {err} {err.hint}"


def test_a_program_without_an_end_is_ended(tmp_path):
    mark = tmp_path / "pid"
    code = f"import os, time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(TimedOut, match="has not ended"):
        _reader().read(_python(code), 0.5)
    if mark.exists():
        with pytest.raises(ProcessLookupError):
            os.kill(int(mark.read_text()), 0)


def test_a_program_that_prints_without_an_end_is_ended():
    err = _refusal(_source(command=["yes"]), _reader(), early=False)
    assert "more than 64 KiB" in str(err)


def test_a_program_that_leaves_another_one_behind_is_not_waited_for():
    source = _source(command=["sh", "-c", "sleep 20 & printf x"])
    assert _reader().read(source, 5.0).value == b"x"


def test_no_shell_reads_a_command(tmp_path):
    source = _source(command=["printf", "%s", f"$HOME; touch {tmp_path}/x"])
    assert _reader().read(source, _LONG).value == f"$HOME; touch {tmp_path}/x".encode()
    assert not (tmp_path / "x").exists()


def test_a_program_has_the_callers_environment_and_no_input(capfd):
    code = "import os, sys; print(os.environ['VAULT'] + sys.stdin.read(), end='', file=sys.stdout)"
    assert _reader(VAULT="there").read(_python(code), _LONG).value == b"there"
    _reader().read(_python("import sys; print('unlock', file=sys.stderr); print('x')"), _LONG)
    assert capfd.readouterr().err == "unlock\n"


def test_input_without_an_end_is_read_to_the_limit_alone():
    stream = _Endless()
    reader = SecretReader({}, lambda: stream, read_output)  # type: ignore[arg-type,return-value]
    tracemalloc.start()
    err = _refusal(_source(stdin=True), reader, early=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "more than 64 KiB" in str(err)
    assert stream.taken == MOST_BYTES + 1
    assert peak < 4 * MOST_BYTES


def test_a_file_that_grows_meanwhile_is_read_to_the_limit_alone(tmp_path):
    path = tmp_path / "token"
    path.write_text("x")
    reader, source = _reader(), _source(file=str(path))
    reader.require_readable([source])
    path.write_bytes(bytes(MOST_BYTES * 4))
    with pytest.raises(InvalidFile, match="more than 64 KiB"):
        reader.read(source, _LONG)


def test_a_value_is_in_no_text_of_its_secret():
    secret = _reader(TOKEN=_CANARY).read(_source(env="TOKEN"), _LONG)
    assert secret.value == _CANARY.encode()
    assert _CANARY not in f"{secret} {secret!r}"


def test_the_process_is_guarded_before_a_value_is_read_and_not_for_a_look():
    done: list[str] = []

    def run(*_: Any) -> bytes:
        done.append("read")
        return b"value"

    reader = SecretReader({"PATH": _PATH}, lambda: None, run, lambda: done.append("guard"))
    reader.require_readable([_python("")])
    assert done == []
    assert reader.read(_python(""), _LONG).value == b"value"
    assert done == ["guard", "read"]
