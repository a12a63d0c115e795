"""A script for az: what it refuses, how it waits, and which times it writes."""

import json
import re

import pytest

from ccgpu.domain.lease import parse_moment
from ccgpu.render import az_script
from support.rendered import NOW, new_plan, of_script, run_script

_GROUP = "/subscriptions/11111111-2222-4333-8444-555555555555/resourceGroups/ccgpu-demo"


def script(**changes):
    """The script of a spec."""
    return az_script.script(new_plan(**changes))


@pytest.mark.parametrize(("owns_group", "found"), [(True, "true"), (True, ""), (False, "demo-nsg")])
def test_a_script_that_finds_something_writes_nothing(owns_group, found):
    done = run_script(script(owns_group=owns_group), FOUND=found)
    assert (done.returncode, done.stdout) == (1, "")
    assert "it exists already" in done.stderr
    assert "ccgpu delete demo" in done.stderr


def test_a_script_without_an_answer_of_az_writes_nothing():
    text = script().replace("found=$(az group exists", "found=$(false")
    done = run_script(text)
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"STATE": "Failed"}, f"{_GROUP} is in the state Failed"),
        ({"STATE": "Canceled"}, f"{_GROUP} is in the state Canceled"),
        ({"STATE": "Updating", "CCGPU_LOOKS": "3"}, f"{_GROUP} is still in the state Updating"),
        ({"STATE": "", "CCGPU_LOOKS": "3"}, f"{_GROUP} is still in the state "),
        ({"REFUSED": _GROUP}, f"{_GROUP} is refused"),
    ],
)
def test_a_script_stops_at_the_first_resource_that_fails(settings, told):
    done = run_script(script(), **settings)
    assert done.returncode == 1
    assert done.stdout.count("\036") == (0 if "REFUSED" in settings else 1)
    assert told in done.stderr
    assert "ready" not in done.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"CCGPU_CREATED": '2026", "x": "'},
        {"CCGPU_EXPIRES": "a\nb"},
        {"CCGPU_SSH_PUBLIC_KEY": 'ssh-ed25519 AAAA "x'},
        {"CCGPU_SSH_PUBLIC_KEY": "ssh-ed25519 AAAA\\"},
        {"CCGPU_SSH_PUBLIC_KEY": "ssh-ed25519 AAAA\nssh-rsa BBBB"},
        {"CCGPU_SSH_PUBLIC_KEY": ""},
    ],
)
def test_a_value_that_would_break_the_body_is_refused(settings):
    done = run_script(script(ttl="8h", knows_key=False), **settings)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


def test_the_times_are_those_of_the_run():
    text = script(ttl="8h")
    done = run_script(re.sub(r"\$\{CCGPU_(CREATED|EXPIRES):-", "${NOTHING:-", text))
    assert done.returncode == 0, done.stderr
    tags = json.loads(done.stdout.partition("\n")[2].partition("\036")[0])["tags"]
    created, expires = parse_moment(tags["ccgpu-created"]), parse_moment(tags["ccgpu-expires"])
    assert created is not None
    assert expires is not None
    assert 0 <= expires - created - 8 * 3600 <= 60


def test_a_time_that_is_given_is_taken():
    sent = of_script(script())
    assert {one.body["tags"]["ccgpu-created"] for one in sent.values()} == {NOW}
