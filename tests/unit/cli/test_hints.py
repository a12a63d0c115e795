"""What a hint names can be run as it is printed: with the flags that the user reaches Azure by."""

import shlex

import pytest

from ccgpu.cli.hints import Hints
from ccgpu.errors import InvalidFile, LeftBehind, Problem, UsageProblem

_ID = "1a1a1a1a-0000-4000-8000-000000000001"
_FAKE = ("create", "demo", "--backend", "fake")


def _hint(text: str, *argv: str) -> str:
    return Hints(argv).complete_hint(text)


@pytest.mark.parametrize(
    ("argv", "more"),
    [
        ("create demo", ""),
        ("create demo --backend fake", " --backend fake"),
        ("create demo --backend=fake", " --backend fake"),
        ("create demo -g mine", " --resource-group mine"),
        ("create demo -gmine", " --resource-group mine"),
        ("create demo --resource-group=mine", " --resource-group mine"),
        ("create demo --resource-group 'a(b)'", " --resource-group 'a(b)'"),
        (f"create demo --subscription {_ID} --cloud china", f" --subscription {_ID} --cloud china"),
        ("show demo -g mine -o json --backend fake", " --backend fake --resource-group mine"),
        ("create demo --tag --backend=fake", ""),
        ("create demo --frobnicate --backend fake", ""),  # nobody knows what it means
        ("create demo --timeout soon --backend fake", " --backend fake"),
        ("create demo -- --backend fake", ""),
        ("--version", ""),
        ("", ""),
        ("shw demo --backend fake", ""),
    ],
)
def test_hinted_commands_repeat_the_flags_of_the_user(argv, more):
    text = "`ccgpu delete demo` removes it"
    made = _hint(text, *shlex.split(argv))
    words = set(shlex.split(made.split("`")[1])) - set(shlex.split("ccgpu delete demo"))
    assert words == set(shlex.split(more))
    assert made.startswith("`ccgpu delete demo")
    assert made.endswith("` removes it")


@pytest.mark.parametrize("name", [r"\1", r"a\q", "A", ""])
def test_what_is_no_deployment_name_takes_the_place_of_nothing(name):
    assert _hint("`ccgpu show NAME`, no name", "create", name) == "`ccgpu show NAME`, no name"


def test_hinted_commands_repeat_settings_of_the_environment(monkeypatch):
    monkeypatch.setenv("CCGPU_BACKEND", "fake")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "s")
    assert _hint("`ccgpu delete demo`", "create", "demo") == "`ccgpu delete demo`"


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (
            "`ccgpu list` shows every deployment",
            "`ccgpu list --backend fake` shows every deployment",
        ),
        ("`ccgpu schema spec` prints every field", None),
        ("`ccgpu fake show`", None),
        ("`ccgpu create --help`", None),
        ("`ccgpu delete demo --backend azure`", None),
        ("`ccgpu delete 'demo`", None),
        ("`ccgpu`", None),
        ("`ccgpu frobnicate demo`", None),
        ("`az login`, or set AZURE_CLIENT_ID", None),
        ("ccgpu delete demo", None),
        ("", None),
        ("`ccgpu show` shows its state", "`ccgpu show demo --backend fake` shows its state"),
        (
            "`ccgpu create demo` goes on, `ccgpu delete demo` removes it",
            "`ccgpu create demo --backend fake` goes on, `ccgpu delete demo --backend fake` "
            "removes it",
        ),
    ],
)
def test_hinted_commands_repeat_only_flags_they_accept(text, made):
    assert _hint(text, *_FAKE) == (text if made is None else made)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("`--replace` deletes it", "`ccgpu create demo --backend fake --replace` deletes it"),
        ("say `--ssh-from IP/32`", "say `ccgpu create demo --backend fake --ssh-from IP/32`"),
        ("`--set os_disk.size_gib=512`", None),  # what is wrong may be another --set
        ("`--ssh-key`", None),
        ("`--no-such-option`", None),
        ("`--collateral DIR`", None),
    ],
)
def test_a_hinted_option_becomes_the_full_command_line(text, made):
    assert _hint(text, *_FAKE) == (text if made is None else made)


def test_options_in_error_messages_are_not_expanded():
    err = UsageProblem("`--replace` is for `ccgpu list`", hint="`--replace`")
    Hints(_FAKE).complete_error(err)
    assert str(err) == "`--replace` is for `ccgpu list --backend fake`"
    assert err.hint == "`ccgpu create demo --backend fake --replace`"


def test_hinted_arguments_are_quoted_for_the_shell():
    argv = ("create", "demo", "--tag", "a=b c", "--backend", "fake")
    made = _hint("`--replace`", *argv)
    assert shlex.split(made.strip("`")) == ["ccgpu", *argv, "--replace"]


def test_arguments_after_two_dashes_are_not_options():
    made = _hint("`--replace`", "create", "--backend", "fake", "--", "demo")
    assert made == "`ccgpu create --backend fake --replace -- demo`"


def test_errors_without_a_hint_or_with_problems_are_unchanged():
    for err in (LeftBehind("left"), InvalidFile("vm.yaml", [Problem("a", "is wrong")])):
        before = str(err)
        Hints(_FAKE).complete_error(err)
        assert (str(err), err.hint) == (before, None)


@pytest.mark.slow
def test_hints_on_the_command_line_can_be_run(shell):
    shell("create demo --backend fake -g mine")
    done = shell("create demo --backend fake -g mine --zone 2 -o json")
    hint = done.error["hint"]
    again = hint.split("`")[1]
    assert again == "ccgpu create demo --backend fake -g mine --zone 2 -o json --replace"
    refused = shell(f"{again.removeprefix('ccgpu ')}")
    confirmed = refused.error["hint"].split("`")[1]
    assert shell(confirmed.removeprefix("ccgpu ")).code == 0


@pytest.mark.slow
def test_the_hint_of_an_unknown_deployment_and_of_gc_are_complete(shell):
    done = shell(f"show nobody --backend fake --subscription {_ID}")
    assert f"`ccgpu list --backend fake --subscription {_ID}` shows" in done.err
    shell("create demo --ttl 10m")
    shell("fake advance 2h")
    assert "`ccgpu gc --yes --backend fake` deletes them" in shell("gc --backend fake").out


@pytest.mark.parametrize(
    "written", ["--save a.json", "--save=a.json", "--report a.html --save 'a b.json'", ""]
)
def test_a_completed_command_does_not_write_again_what_it_has_written(written):
    argv = shlex.split(f"verify e.json {written} --at bundle")
    made = _hint("give it: `--nonce 5f`", *argv)
    assert made == "give it: `ccgpu verify e.json --at bundle --nonce 5f`"


@pytest.mark.parametrize(
    ("argv", "text", "made"),
    [
        ("delete c c d", "`--yes`", "ccgpu delete c d --yes"),
        ("delete c -g c c -o json", "`--yes`", "ccgpu delete c -g c -o json --yes"),
        ("delete delete delete", "`--yes`", "ccgpu delete delete --yes"),
        ("exec demo -y -- demo demo", "`--replace`", "--replace"),
        ("create demo --ssh-key no.pub", "`--ssh-key FILE`", "ccgpu create demo --ssh-key FILE"),
        (
            "create demo -g=no --yes",
            "`--resource-group G`",
            "ccgpu create demo --yes --resource-group G",
        ),
        ("list --subscription=no", "`--subscription ID`", "ccgpu list --subscription ID"),
        ("show demo -gno", "`--resource-group G`", "ccgpu show demo --resource-group G"),
        ("create demo --replace", "`--replace`", "ccgpu create demo --replace"),
        ("create d --region a", "`--region R`", "ccgpu create d --region a --region R"),
    ],
)
def test_a_hint_repeats_nothing_that_it_replaces_and_no_name_twice(argv, text, made):
    assert _hint(text, *shlex.split(argv)) == f"`{made}`"


@pytest.mark.parametrize(
    ("argv", "text", "made"),
    [
        ("attest demo", "`ccgpu doctor NAME`", "ccgpu doctor demo"),
        ("ps demo -g g", "`ccgpu exec NAME -- true`", "ccgpu exec demo --resource-group g -- true"),
        ("attest --host u@h", "`ccgpu doctor NAME`", "ccgpu doctor NAME"),
        ("create demo", "`ccgpu create demo --tag NAME=x`", "ccgpu create demo --tag NAME=x"),
    ],
)
def test_a_placeholder_becomes_the_deployment_of_the_command_line(argv, text, made):
    assert _hint(text, *shlex.split(argv)) == f"`{made}`"
