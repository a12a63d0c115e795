"""The systemd unit of a workload: golden texts, quoting, and what systemd itself says of it."""

import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.guest.workload_unit import IMAGE_MARK, command_line, render
from ccgpu.store import workload_templates
from support.workloads import plan_of

_EVERY = workload_templates.names()
_AWKWARD = [
    "",
    " ",
    "a b",
    '"',
    "'",
    "\\",
    "$HOME",
    "%n",
    "a\nb",
    "a\tb",
    ";",
    "#",
    "{x}",
    "ä",
    "@x",
]


@pytest.mark.parametrize("use", _EVERY)
def test_the_unit_of_every_shipped_workload(use, golden):
    golden(f"workloads/{use}.service", render(plan_of(use)))


@pytest.mark.parametrize("use", _EVERY)
def test_the_image_stands_once_in_a_unit(use):
    text = render(plan_of(use))
    assert text.count(IMAGE_MARK) == 1
    pinned = "docker.io/library/python@sha256:" + "0" * 64
    assert render(plan_of(use), image=pinned) == text.replace(IMAGE_MARK, pinned)


def test_nothing_starts_it_at_boot():
    for use in _EVERY:
        assert "[Install]" not in render(plan_of(use))


def test_podman_needs_no_service():
    text = render(plan_of("shell"), engine="/usr/bin/podman")
    assert "docker.service" not in text
    assert "ExecStart=/usr/bin/podman run " in text


def _verified(folder, text):
    """The exit code and stderr of `systemd-analyze verify`."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    (folder / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    (folder / "nvidia-cdi-refresh.service").write_text("[Service]\nExecStart=/bin/true\n")
    unit = folder / "ccgpu-workload-x.service"
    unit.write_text(text.replace("/usr/bin/docker", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit.name],
        cwd=folder,
        env={"SYSTEMD_UNIT_PATH": f"{folder}:", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("use", _EVERY)
def test_systemd_has_nothing_to_say_of_a_unit(use, tmp_path):
    assert _verified(tmp_path, render(plan_of(use))) == (0, "")


def test_systemd_complains_of_a_bad_unit(tmp_path):
    text = render(plan_of("shell")).replace("Type=exec", "Type=sometimes")
    assert "sometimes" in _verified(tmp_path, text)[1]


def test_awkward_words_are_taken_by_systemd(tmp_path):
    text = render(plan_of("image", command=["sh", "-c", *filter(str.isprintable, _AWKWARD)]))
    assert _verified(tmp_path, text) == (0, "")


def _split(line):
    """The words of a command line, by the rules of systemd.service(5) and systemd.syntax(7)."""
    words, word, quoted, index = [], None, False, 0
    while index < len(line):
        character = line[index]
        if quoted and character == "\\":
            index += 1
            word += {"n": "\n", "t": "\t"}.get(line[index], line[index])
        elif character == '"':
            quoted, word = not quoted, word or ""
        elif character == " " and not quoted:
            words, word = ([*words, word], None) if word is not None else (words, None)
        else:
            word = (word or "") + character
        index += 1
    words = [*words, word] if word is not None else words
    return [each.replace("%%", "%").replace("$$", "$") for each in words]


@given(st.lists(st.sampled_from(_AWKWARD) | st.text("ab\\\"'$% \n;", max_size=6), max_size=5))
def test_every_word_reaches_the_program(words):
    assert _split(command_line(("/bin/x", *words))) == ["/bin/x", *words]


def test_a_nul_is_refused():
    with pytest.raises(ValueError, match="NUL"):
        command_line(("/bin/x", "a\0"))
