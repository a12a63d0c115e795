"""Every bad spec is refused with one problem, at its field, its line, and in its words."""

import time

import pytest

from ccgpu.errors import InvalidFile
from ccgpu.store import specs
from support.bad_specs import BAD_SPECS, BadSpec
from support.public_keys import private_key
from support.slow import mostly_slow


def _problem(case: BadSpec, tmp_path):
    file = tmp_path / f"vm{case.suffix}"
    file.write_bytes(case.text)
    with pytest.raises(InvalidFile) as caught:
        specs.build(None, file=file, sets=case.sets)
    assert len(caught.value.problems) == 1, caught.value
    return caught.value, caught.value.problems[0], file


@pytest.mark.parametrize("case", BAD_SPECS, ids=lambda case: case.id)
def test_a_bad_spec_is_refused_with_place_and_message(case, tmp_path):
    error, problem, file = _problem(case, tmp_path)

    assert problem.path == case.field
    assert case.fragment in problem.message
    assert problem.line == case.line
    assert error.exit_code == 3
    assert problem.source is not None
    assert problem.source.startswith("--set" if case.sets else str(file))


@pytest.mark.parametrize(
    "case", mostly_slow([c for c in BAD_SPECS if not c.sets], 6), ids=lambda case: case.id
)
def test_validate_finds_what_create_refuses(case, tmp_path):
    _, problem, file = _problem(case, tmp_path)

    assert specs.check(file) == [problem]


def test_the_cases_of_the_table_have_unique_ids():
    ids = [case.id for case in BAD_SPECS]
    assert len(ids) == len(set(ids)) >= 60


def test_a_private_key_is_never_shown(tmp_path):
    cases = {case.id: case for case in BAD_SPECS}
    error, _, _ = _problem(cases["private key given as public"], tmp_path)
    body = [line for line in private_key().splitlines() if "-" not in line]

    assert body
    assert not any(line in f"{error} {error.problems}" for line in body)
    assert error.__cause__ is None
    assert error.__context__ is None


def test_a_spec_of_ten_megabytes_is_refused_quickly(tmp_path):
    cases = {case.id: case for case in BAD_SPECS}
    before = time.process_time()
    _problem(cases["10 MB of YAML"], tmp_path)
    assert time.process_time() - before < 1
