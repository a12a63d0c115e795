"""What the command line makes of its options, before any command runs."""

from contextlib import nullcontext
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from ccgpu.cli.option_groups import expand_options
from ccgpu.cli.runtime import Runtime
from ccgpu.cli.spec_options import SpecArguments, SpecRequest
from ccgpu.domain.spec.os_disk import DiskEncryption

_SUBSCRIPTION = "1a1a1a1a-0000-4000-8000-000000000001"
_CONSOLE = Console(quiet=True)
_RUNTIME = Runtime(_CONSOLE, _CONSOLE, Path(), Path(), *[nullcontext] * 3)  # type: ignore[arg-type]


def _request(*argv: str) -> SpecRequest:
    """What a command gets for these words."""
    seen: list[SpecRequest] = []

    @expand_options
    def command(ctx: typer.Context, *, request: SpecArguments, own: bool = False) -> None:
        assert ctx.params["own"] is own
        seen.append(request)

    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, list(argv))
    assert done.exit_code == 0, done.output
    return seen[0]


def test_options_not_given_are_absent_from_the_spec():
    request = _request("demo", "--own")
    assert (request.name, request.file, request.template, request.sets) == ("demo", None, None, ())
    assert request.flags == {}
    assert request.build(_RUNTIME).secure_boot is True


def test_options_that_may_be_repeated_keep_their_order():
    request = _request(
        *("demo", "--region", "westeurope", "--region", "eastus2", "--set", "ttl=8h"),
        *("--set", "zone=1", "--data-disk", "8", "--data-disk", "16", "--tag", "a=b=c"),
        *("--identity", "system", "--tag", "d="),
    )
    spec = request.build(_RUNTIME)
    assert spec.regions == ("westeurope", "eastus2")
    assert [disk.size_gib for disk in spec.data_disks] == [8, 16]
    assert spec.tags == {"a": "b=c", "d": ""}
    assert request.sets == ("ttl=8h", "zone=1")
    assert spec.zone == "1"


def test_every_flag_reaches_its_field():
    spec = _request(
        *("demo", "--size", "Standard_NCC40ads_H100_v5", "--zone", "2", "--spot"),
        *("--max-price", "1.5", "--ttl", "8h", "--os-disk-gib", "300"),
        *("--disk-encryption", "state-only", "--no-secure-boot", "--admin-user", "me"),
        *("--ssh-from", "203.0.113.0/24", "-g", "mine"),
        *("--image", "Canonical:ubuntu-24_04-lts:cvm:24.04.202609150"),
    ).build(_RUNTIME)
    assert (spec.zone, spec.spot, spec.max_price, spec.group) == ("2", True, 1.5, "mine")
    assert (spec.os_disk.size_gib, spec.os_disk.encryption) == (300, DiskEncryption.STATE_ONLY)
    assert (spec.secure_boot, spec.admin_user) == (False, "me")
    assert spec.ssh_from == "203.0.113.0/24"
    assert spec.image.endswith("24.04.202609150")


def test_secure_boot_has_both_its_flags():
    assert _request("demo", "--secure-boot").flags["secure_boot"] is True
    assert _request("demo", "--no-secure-boot").flags["secure_boot"] is False


def test_a_subnet_is_an_id_or_a_name_in_a_vnet():
    vnet = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v"
    joined = f"{vnet}/subnets/x"
    assert _request("demo", "--subnet", joined).flags["subnet"] == joined
    assert _request("demo", "--vnet", f"{vnet}/", "--subnet", "x").flags["subnet"] == joined


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("create demo --tag team", "has no '='"),
        ("create demo --vnet x", "--vnet needs --subnet"),
        ("create demo --timeout soon", "is not a duration"),
        ("create demo --timeout 0s", "is no time at all"),
        ("create demo --query [", "is not a JMESPath expression"),
        ("create demo --data-disk big", "--data-disk"),
        ("create demo --disk-encryption none", "--disk-encryption"),
        ("create demo --events xml", "--events"),
        ("create demo --backend gcp", "--backend"),
        ("create demo --cloud mars", "--cloud"),
        ("wait demo --for lunch", "--for"),
        ("wait demo", "missing option '--for'"),
        ("show Demo", "is not a deployment name"),
        ("delete ../demo --yes", "is not a deployment name"),
        ("create", "the VM has no name"),
        ("create demo --template nope", "there is no template 'nope'"),
    ],
)
@pytest.mark.parametrize("output", ["", " -o json"])
def test_invalid_options_are_refused_before_any_request(shell, line, words, output):
    done = shell(line + output)
    assert (done.code, done.out) == (2, "")
    text = done.error["message"] if output else done.err
    assert words in text
    if output:
        assert done.error["code"] == "UsageProblem"
        assert done.error["exit_code"] == 2
    assert shell.reached == []


@pytest.mark.parametrize("line", ["schema outputs", "list -o yaml"])
def test_an_invalid_choice_lists_the_valid_ones(shell, line):
    done = shell(line)
    assert done.code == 2
    assert "spec" in done.err or "json" in done.err


def test_a_query_that_fails_on_the_result_is_a_usage_error(shell):
    done = shell("list --query abs(deployments)")
    assert (done.code, done.out) == (2, "")
    assert "--query" in done.err


def test_environment_variables_set_options_not_given(shell, monkeypatch):
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    other = _SUBSCRIPTION.replace("1", "2")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", other)
    shell("list")
    shell(f"list --backend azure --subscription {_SUBSCRIPTION} --cloud china")
    assert [(r.backend, r.subscription, r.cloud) for r in shell.reached] == [
        ("fake", other, "public"),
        ("azure", _SUBSCRIPTION, "china"),
    ]


def test_an_id_of_a_subscription_is_one_in_any_case(shell):
    shell(f"list --subscription {_SUBSCRIPTION.upper()}")
    assert [r.subscription for r in shell.reached] == [_SUBSCRIPTION]


@pytest.mark.parametrize("command", ["show a", "stop a", "delete a --yes", "exec a -- true"])
@pytest.mark.parametrize("more", ["--subscription {}", "-g {}"])
@pytest.mark.parametrize("value", ["''", "..", "a/b", "'a b.'"])
def test_what_names_no_group_or_subscription_reaches_nothing(shell, command, more, value):
    first, *rest = command.split(" ", 1)
    done = shell(" ".join((first, more.format(value), *rest)))
    assert (done.code, done.out, shell.reached) == (2, "", [])
    assert more.split()[0] in done.err
