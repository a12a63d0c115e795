"""`ccgpu models`, `ccgpu workloads` and the schema of a workload."""

import json

import pytest

from ccgpu.store import workload_templates


def test_models_are_listed_with_licence_gating_and_what_runs_them(shell):
    shell.width = 200
    done = shell("models --at 2026-12-01")
    assert done.code == 0
    row = next(line for line in done.out.splitlines() if "Llama-2-7b-chat-hf" in line)
    assert row.split()[0] == "+"
    assert "llama2" in row
    assert "yes" in row
    assert "sglang, vllm" in row
    assert "meta-llama/Llama-2-70b-chat-hf does not fit 94 GB: use TheBloke/" in done.out
    assert "warning" not in done.out


def test_models_as_json_and_a_query(shell):
    document = shell("models -o json --at 2026-12-01").document
    assert document["schema"] == "ccgpu.models/1"
    assert document["warnings"] == []
    one = next(each for each in document["models"] if each["family"] == "Zephyr")
    assert (one["fits"], one["gated"], one["weights_gb"]) == (True, False, 14.5)
    fast = next(each for each in document["models"] if each["speed"])
    assert fast["speed"]["tokens_per_second"] == 148.0
    done = shell("models -o json --at 2026-12-01 --query models[?!fits].use_instead")
    assert len(done.document) == 4


def test_an_old_table_warns(shell):
    assert "too old since" in shell("models --at 2028-01-01").out
    assert shell("models --at 2028-01-01 -o json").document["warnings"]


def test_workloads_are_listed(shell):
    shell.width = 200
    done = shell("workloads")
    assert done.code == 0
    assert [line.split()[0] for line in done.out.splitlines()] == workload_templates.names()
    document = shell("workloads -o json").document
    assert [each["name"] for each in document["workloads"]] == workload_templates.names()


@pytest.mark.parametrize("name", workload_templates.names())
def test_a_workload_is_shown_with_its_parameters(shell, name, golden):
    done = shell(f"workloads {name}")
    assert done.code == 0
    golden(f"cli/workloads-{name}.txt", str(done))


def test_a_template_of_ones_own_is_shown_and_its_problems_are_placed(shell, tmp_path):
    one = shell("workloads train -o json").document
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(one | {"name": "mine"}))
    assert "mine (job)" in shell(f"workloads {file}").out
    file.write_text('{"schema": "ccgpu.workload-template/1",\n "nam": "x"}')
    refused = shell(f"workloads {file} -o json")
    assert refused.code == 3
    assert "name" in str(refused.error)


def test_an_unknown_workload_is_refused_with_those_there_are(shell):
    done = shell("workloads none")
    assert done.code == 2
    assert "sglang" in done.err


def test_the_schema_of_a_workload_is_printed(shell):
    schema = shell("schema workload").document
    assert schema["title"] == "ccgpu workload"
    assert "parameters" in schema["properties"]
