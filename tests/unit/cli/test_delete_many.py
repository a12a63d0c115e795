"""`ccgpu delete` of several deployments, and what a terminal shows of it."""

import json

import pytest

from support.faults import NthRequest, request_to

_OPTIONS = "--region eastus2 --ssh-from 203.0.113.7/32"


def _create_both(shell):
    for name in ("one", "two"):
        assert shell(f"create {name} {_OPTIONS}").code == 0


@pytest.fixture
def both(shell, prepared):
    return prepared(shell, _create_both)


def test_both_are_deleted_after_one_question_that_names_all(both):
    asked: list[str] = []

    def ask(question: str) -> bool:
        asked.append(question)
        return True

    both.ask = ask
    done = both("delete one two")
    assert (done.code, both.kinds()) == (0, [])
    assert asked == ["Delete one, two and their data?"]
    assert "- virtualMachines one\n" in done.err
    assert "- virtualMachines two\n" in done.err
    assert "one: 7 deleted" in done.out
    assert "two: 7 deleted" in done.out


def test_the_json_document_lists_each(both):
    done = both("delete two one missing -y -o json")
    shown = json.loads(done.out)
    assert shown["schema"] == "ccgpu.deletes/1"
    found = {one["name"]: len(one["gone"]) for one in shown["deployments"]}
    assert found == {"missing": 0, "one": 7, "two": 7}
    assert {one["schema"] for one in shown["deployments"]} == {"ccgpu.delete/1"}


def test_one_name_has_the_document_of_one(both):
    assert json.loads(both("delete one one -y -o json").out)["schema"] == "ccgpu.delete/1"


@pytest.mark.parametrize("names", ["one Two", "one ../x", "one ''"])
def test_a_name_that_is_none_deletes_nothing(both, names):
    before = both.kinds()
    done = both(f"delete {names} --yes")
    assert (done.code, both.kinds()) == (2, before)


def test_a_terminal_shows_a_line_for_each_group(both):
    both.terminal = True
    done = both("delete one two --yes")
    assert done.code == 0
    last = [line for line in done.err.splitlines() if "deleted" in line][-2:]
    assert [line.split()[1:7] for line in last] == [
        ["group", "ccgpu-one", "7", "of", "7", "deleted"],
        ["group", "ccgpu-two", "7", "of", "7", "deleted"],
    ]


def test_an_interrupt_answers_with_those_that_are_deleted_and_names_the_others(both):
    assert both("delete one --yes").code == 0
    both.arm.faults.append(NthRequest(0, request_to("DELETE", "/two-nsg"), KeyboardInterrupt()))
    done = both("delete one two --yes -o json")
    assert done.code == 130
    assert [one["name"] for one in json.loads(done.out)["deployments"]] == ["one"]
    error = json.loads(done.err.splitlines()[-1])
    assert error["exit_code"] == 130
    told = "interrupted: one is deleted; two is perhaps not completely deleted"
    assert (error["message"], error["hint"]) == (told, "`ccgpu delete two` continues")
    assert error["resources"]
