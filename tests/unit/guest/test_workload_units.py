"""The VM takes the plan of every shipped workload: its run line, its event, and its unit."""

import json
import shutil
import subprocess

import pytest

from ccgpu.store import workload_templates
from ccgpu.templates.guest.workload import runline, units
from support.workloads import plan_of

_EVERY = workload_templates.names()
_DIGEST = "sha256:" + "0f" * 32
_AWKWARD = ("", " ", "a b", '"', "'", "\\", "$HOME", "%n", "a\nb", "a\tb", ";", "#", "{x}", "@x")


def _unit(plan, engine="/usr/bin/docker"):
    """The unit that the VM writes for a plan, with the digest that it has found."""
    image = f"{plan.image.partition('@')[0].rpartition(':')[0]}@{_DIGEST}"
    restart = plan.restart
    restarts = units.Restarts(
        restart.attempts, restart.window_seconds, restart.delay_seconds, restart.stop_seconds
    )
    return units.render_unit(plan.name, engine, plan.run_words(image), restarts, {"image": image})


@pytest.mark.parametrize("use", _EVERY)
def test_the_vm_takes_the_run_line(use):
    plan = plan_of(use, secrets=["other"])
    runline.check_options(plan.name, plan.options)
    assert runline.wants_gpu(plan.options)
    assert not runline.wants_gpu(plan_of(use, gpus="none").options)


@pytest.mark.parametrize("use", _EVERY)
def test_the_event_tells_all_mounts_and_variables(use):
    plan = plan_of(use, secrets=["other"])
    line = runline.event_line(
        name=plan.name,
        image=plan.image,
        digest=_DIGEST,
        run=plan.run_words(),
        options=plan.options,
        model=None,
    )
    event = json.loads(line)
    assert event["mounts"] == [mount.words[1] for mount in plan.mounts]
    assert sorted(event["environment"]) == sorted(each.name for each in plan.environment)
    assert event["command"] == list(plan.run_words())


@pytest.mark.parametrize("use", _EVERY)
def test_the_unit_of_every_shipped_workload(use, golden):
    golden(f"workloads/{use}.service", _unit(plan_of(use)))


def _verified(folder, text):
    """The exit code and stderr of `systemd-analyze verify`."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("needs systemd-analyze")
    (folder / "docker.service").write_text("[Service]\nExecStart=/bin/true\n")
    unit = folder / "ccgpu-workload-x.service"
    unit.write_text(text)
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
    assert _verified(tmp_path, _unit(plan_of(use), "/bin/true")) == (0, "")


def test_awkward_words_are_taken_by_systemd(tmp_path):
    plan = plan_of("image", command=["sh", "-c", *_AWKWARD])
    assert _verified(tmp_path, _unit(plan, "/bin/true")) == (0, "")


def test_systemd_complains_of_a_bad_unit(tmp_path):
    text = _unit(plan_of("shell"), "/bin/true").replace("Type=exec", "Type=sometimes")
    assert "sometimes" in _verified(tmp_path, text)[1]
