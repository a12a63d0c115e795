"""A spec that is refused is refused before anybody is asked anything, in text and in JSON."""

import shlex

import pytest

from support.bad_specs import BAD_SPECS
from support.slow import mostly_slow


@pytest.mark.parametrize("case", mostly_slow(BAD_SPECS, 16), ids=lambda case: case.id)
def test_a_bad_spec_exits_3_names_the_field_and_sends_nothing(case, shell, tmp_path):
    file = tmp_path / "work" / f"vm{case.suffix}"
    file.write_bytes(case.text)

    done = shell(shlex.join(["create", "-f", file.name, *case.argv, "-o", "json"]))

    assert (done.code, done.out) == (3, "")
    assert done.error["exit_code"] == 3
    assert [problem["field"] for problem in done.error["problems"]] == [case.field]
    assert case.field in done.error["message"]
    assert case.fragment in done.error["message"]
    assert shell.reached == []
    assert shell.arm.show()["requests"] == []
    assert not shell.state.exists()
