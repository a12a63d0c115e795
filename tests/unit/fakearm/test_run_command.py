"""Run Command: accepted, run at its end by the guest, and answered at both URLs."""

import pytest

from ccgpu.fakearm import FakeGap
from support.arm import vm_body, vm_path
from support.simulated_guests import cloud_config

PATH = f"{vm_path()}/runCommand"


def script(*lines):
    return {"commandId": "RunShellScript", "script": list(lines)}


def _create(az, **changes):
    az.network()
    az.complete("PUT", vm_path(), vm_body(**changes))
    az.arm.advance(60)


def _message(az, *lines):
    """The message of a script that has ended."""
    answer = az.ok("POST", PATH, script(*lines))
    assert answer.status == 202
    assert az.wait_for_end(answer.headers["Azure-AsyncOperation"])["status"] == "Succeeded"
    told = az.get_url(answer.headers["Location"])
    assert told.status == 200
    (status,) = told.body["value"]
    assert (status["code"], status["level"]) == ("ProvisioningState/succeeded", "Info")
    return status["message"]


def test_a_script_is_run_at_its_end_and_answered_at_both_urls(az):
    _create(az)
    answer = az.ok("POST", PATH, script("whoami"))
    assert (answer.status, answer.body) == (202, None)
    assert az.get_url(answer.headers["Location"]).status == 202
    told = az.get_url(answer.headers["Azure-AsyncOperation"]).body
    assert (told["status"], "properties" in told) == ("InProgress", False)
    az.arm.advance(20)
    told = az.get_url(answer.headers["Azure-AsyncOperation"]).body
    assert told["status"] == "Succeeded"
    assert told["properties"]["output"] == az.get_url(answer.headers["Location"]).body
    (status,) = told["properties"]["output"]["value"]
    assert status["message"] == "Enable succeeded: \n[stdout]\nroot\n\n[stderr]\n"
    assert az.get(vm_path())["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("lines", "out", "err"),
    [
        (["echo a b", "echo 'c  d'"], "a b\nc  d\n", ""),
        (["false", 'echo "ccgpu-exit-code=$?"'], "ccgpu-exit-code=1\n", ""),
        (["echo 'a\nb; $?'", 'echo "ccgpu-exit-code=$?"'], "a\nb; $?\nccgpu-exit-code=0\n", ""),
        (["no-such"], "", "no-such: command not found\n"),
        ([], "", ""),
    ],
)
def test_a_failed_script_is_a_success_with_its_output(az, lines, out, err):
    _create(az)
    assert _message(az, *lines) == f"Enable succeeded: \n[stdout]\n{out}\n[stderr]\n{err}"


@pytest.mark.parametrize("line", ["echo a; echo b", "echo $HOME", "echo 'open", "true && false"])
def test_a_line_that_needs_a_shell_is_refused_and_not_guessed(az, line):
    _create(az)
    message = _message(az, line)
    assert "\n[stdout]\n\n[stderr]\nsh: " in message


def test_only_the_last_4096_bytes_come_back(az):
    _create(az)
    text = "x" * 5000
    assert _message(az, f"echo {text}") == (
        f"Enable succeeded: \n[stdout]\n{'x' * 4095}\n\n[stderr]\n"
    )


def test_one_script_runs_at_a_time(az):
    _create(az)
    az.ok("POST", PATH, script("true"))
    refused = az.send("POST", PATH, script("true"))
    assert (refused.status, refused.body["error"]["code"]) == (409, "Conflict")
    assert "Run command extension execution is in progress" in refused.body["error"]["message"]
    az.arm.advance(20)
    az.ok("POST", PATH, script("true"))


def test_a_vm_that_allows_no_extensions_runs_no_scripts(az):
    _create(az, os__allowExtensionOperations=False)
    refused = az.send("POST", PATH, script("true"))
    assert (refused.status, refused.body["error"]["code"]) == (409, "OperationNotAllowed")
    assert "osProfile.allowExtensionOperations" in refused.body["error"]["message"]


def test_a_stopped_vm_runs_no_scripts(az):
    _create(az)
    az.complete("POST", f"{vm_path()}/deallocate")
    assert az.refusal("POST", PATH, script("true")) == (409, "OperationNotAllowed")


@pytest.mark.parametrize("doors", ["closed", "not ready"])
def test_an_agent_that_does_not_answer_fails_the_script(az, doors):
    if doors == "closed":
        _create(az, os__customData=cloud_config())
        az.arm.advance(600)  # the set-up's lockdown switches extensions off in the guest
    else:
        az.arm.settings.set("durations", "vm.boot", value=10_000)
        _create(az)
    answer = az.ok("POST", PATH, script("true"))
    told = az.wait_for_end(answer.headers["Azure-AsyncOperation"])
    assert told["error"]["code"] == "VMAgentStatusCommunicationError"
    assert az.get(vm_path())["properties"]["provisioningState"] == "Succeeded"


def test_its_own_right_is_needed(az):
    _create(az)
    az.arm.settings.set("principal", value=["*/read", "*/start/action"])
    assert az.refusal("POST", PATH, script("true")) == (403, "AuthorizationFailed")
    az.arm.settings.set("principal", value=["Microsoft.Compute/virtualMachines/runCommand/action"])
    assert az.send("POST", PATH, script("true")).status == 202


@pytest.mark.parametrize(
    "body",
    [
        {"commandId": "RunPowerShellScript", "script": []},
        {"commandId": "RunShellScript", "script": [], "parameters": [{"name": "a", "value": "b"}]},
        {"script": []},
    ],
)
def test_other_scripts_are_gaps(az, body):
    _create(az)
    with pytest.raises(FakeGap):
        az.send("POST", PATH, body)


def test_a_script_that_is_no_list_of_lines_is_refused(az):
    _create(az)
    body = {"commandId": "RunShellScript", "script": "true"}
    assert az.refusal("POST", PATH, body) == (400, "InvalidRequestContent")


def test_a_deleted_vm_ends_its_script(az):
    _create(az)
    answer = az.ok("POST", PATH, script("true"))
    az.complete("DELETE", vm_path())
    told = az.get_url(answer.headers["Azure-AsyncOperation"]).body
    assert told["status"] == "Canceled"
