"""The plan of a container: words of the run line, mounts, ports, and all that is refused."""

import pytest
from pydantic import ValidationError

from ccgpu.domain.models import parse_models
from ccgpu.domain.spec.workload import Workload
from ccgpu.domain.workload.known_answers import KnownAnswers
from ccgpu.domain.workload.known_images import KnownImages
from ccgpu.domain.workload.resolve import resolve
from ccgpu.domain.workload.template import TemplateParameter
from ccgpu.domain.workload.values import WorkloadKind
from ccgpu.errors import InvalidFile
from ccgpu.store import model_table, workload_templates
from support.workloads import PYTHON, pinned, plan_of

_EVERY = workload_templates.names()


@pytest.mark.parametrize("use", _EVERY)
def test_the_run_line_of_every_shipped_workload(use, golden):
    golden(f"workloads/{use}.run.txt", "\n".join(plan_of(use).run_words()) + "\n")


@pytest.mark.parametrize("use", _EVERY)
def test_every_run_line_keeps_to_what_is_safe(use):
    words = plan_of(use, secrets=["hf-token", "other"]).run_words()
    line = " ".join(words)
    assert "--privileged" not in line
    assert "--network=host" not in line
    assert "docker.sock" not in line
    assert "--rm" in words
    assert "--pull=never" in words
    assert "-d" not in words
    published = [words[i + 1] for i, word in enumerate(words) if word == "-p"]
    assert all(each.startswith("127.0.0.1:") for each in published)
    mounted = [words[i + 1] for i, word in enumerate(words) if word == "-v"]
    writable = [each for each in mounted if not each.endswith(":ro")]
    assert all(each.startswith("/mnt/ccgpu/outputs/") for each in writable)


def test_the_image_is_put_where_it_stands():
    plan = plan_of("image", command=["python", "-c", "1"], name="mine")
    found = "docker.io/library/python@sha256:" + "0" * 64
    assert plan.run_words(found)[-4:] == (found, "python", "-c", "1")
    assert plan.run_words()[-4] == PYTHON
    assert (plan.container, plan.unit) == ("ccgpu-mine", "ccgpu-workload-mine.service")


def test_the_model_is_mounted_read_only_at_its_commit():
    plan = plan_of("sglang")
    assert plan.model is not None
    assert [mount.words for mount in plan.mounts] == [("-v", f"{plan.model.folder}:/model:ro")]
    assert plan.model.folder.startswith("/mnt/ccgpu/models/HuggingFaceH4--zephyr-7b-beta/0123")
    assert plan.gpu_memory_gb == pytest.approx(22.5)


def test_a_file_of_ours_lies_under_the_hash_of_its_content():
    (file,) = plan_of("diffusers").files
    assert file.source == f"/run/ccgpu/files/{file.sha256}/image_server.py"
    assert file.mount in plan_of("diffusers").mounts


def test_inputs_outputs_and_secrets_are_mounted():
    plan = plan_of("finetune", secrets=["hf-token", "wandb"])
    sources = {mount.target: (mount.source, mount.read_only) for mount in plan.mounts}
    assert sources["/data"] == ("/mnt/ccgpu/inputs/finetune/0", True)
    assert sources["/outputs"] == ("/mnt/ccgpu/outputs/finetune", False)
    assert sources["/run/secrets/wandb"] == ("/run/ccgpu/secrets/wandb", True)
    assert "/run/secrets/hf-token" not in sources
    assert [(one.name, one.is_mounted) for one in plan.secrets] == [
        ("hf-token", False),
        ("wandb", True),
    ]
    assert [(one.local, one.mount.target) for one in plan.inputs] == [("./mine", "/data")]


def test_openssl_is_used_where_the_vm_has_it_and_the_image_can_run_it():
    with_it = {v.name: v.value for v in plan_of("train").environment}
    assert with_it["LD_LIBRARY_PATH"].startswith("/opt/openssl/lib64:/usr/local/cuda/compat/lib:")
    without = plan_of("train", openssl=False)
    assert "LD_LIBRARY_PATH" not in {each.name for each in without.environment}
    assert not any(mount.source == "/opt/openssl" for mount in without.mounts)
    assert not any(mount.source == "/opt/openssl" for mount in plan_of("vllm").mounts)
    other = plan_of("train", image=PYTHON)
    assert not any(mount.source == "/opt/openssl" for mount in other.mounts)


def test_a_parameter_changes_its_words_and_an_unset_one_has_none():
    words = plan_of("vllm", parameters={"context_length": 4096, "kv_cache": "fp8"}).run_words()
    assert words[words.index("--max-model-len") + 1] == "4096"
    assert words[words.index("--kv-cache-dtype") + 1] == "fp8"
    assert "--max-num-seqs" not in words
    assert "--enforce-eager" not in words
    assert not any("offload" in word for word in words)


def test_the_port_is_a_parameter():
    plan = plan_of("sglang", parameters={"port": "31000"})
    assert plan.ports == (31000,)
    assert "127.0.0.1:31000:31000" in plan.run_words()
    assert plan.health is not None
    assert plan.health.port == 31000
    assert plan.known_answers is not None
    assert plan.known_answers.port == 31000


def test_the_versions_are_those_that_the_facts_ask_for():
    vllm = plan_of("vllm")
    version = tuple(map(int, vllm.image.rpartition(":v")[2].split(".")))
    assert (0, 27, 0) <= version < (0, 29, 0)
    assert ("VLLM_USE_V2_MODEL_RUNNER", "0") in [(v.name, v.value) for v in vllm.environment]
    assert vllm.health is not None
    assert vllm.health.deadline_seconds == 40 * 60


def test_a_server_is_started_again_and_the_others_are_not():
    assert plan_of("sglang").restart.attempts == 3
    assert plan_of("train").restart.attempts == 0
    assert plan_of("shell").restart.attempts == 0
    assert plan_of("shell").kind is WorkloadKind.INTERACTIVE


def test_known_answers_go_by_the_model_and_not_with_a_command_of_ones_own():
    assert isinstance(plan_of("vllm").known_answers, KnownAnswers)
    assert isinstance(plan_of("diffusers").known_answers, KnownImages)
    assert plan_of("vllm", command=["--help"]).known_answers is None
    assert plan_of("train").known_answers is None
    assert plan_of("notebook").known_answers is None


def test_any_container_can_be_a_server():
    plan = plan_of("image", kind="server", ports=[8080, 9090], health="/up", gpus="none")
    assert plan.kind is WorkloadKind.SERVER
    assert plan.health is not None
    assert (plan.health.port, plan.health.path) == (8080, "/up")
    assert "--device" not in plan.run_words()
    assert not plan.gpu
    assert plan.gpu_memory_gb is None
    assert plan.restart.attempts == 3


def test_an_environment_of_the_users_own():
    plan = plan_of("image", environment={"A": "1 2", "TOKEN_FILE": "/run/secrets/t"})
    assert sorted(each.name for each in plan.environment) == ["A", "TOKEN_FILE"]
    assert "A=1 2" in plan.run_words()


def _problems(use, **fields):
    with pytest.raises(InvalidFile) as caught:
        plan_of(use, **fields)
    return [(one.path, one.message) for one in caught.value.problems]


@pytest.mark.parametrize(
    ("use", "fields", "path", "message"),
    [
        ("sglang", {"model": None}, "workload.model", "is needed for sglang"),
        ("sglang", {"parameters": {"ports": "1"}}, "workload.parameters.ports", "is no parameter"),
        ("image", {"parameters": {"x": "1"}}, "workload.parameters.x", "it has none"),
        ("vllm", {"parameters": {"port": "80"}}, "workload.parameters.port", "at least 1024"),
        ("train", {"inputs": []}, "workload.inputs", "needs an entry with to: /code"),
        (
            "finetune",
            {"inputs": [{"from": "a", "to": "/data"}, {"from": "b", "to": "/data"}]},
            "workload.inputs",
            "the place of two mounts",
        ),
        (
            "image",
            {"inputs": [{"from": "a", "to": "/model"}], "model": pinned()},
            "workload.inputs",
            "/model is the place of two mounts",
        ),
        (
            "image",
            {"environment": {"LD_PRELOAD": "/x.so"}},
            "workload.environment",
            "LD_PRELOAD may not be set",
        ),
    ],
)
def test_what_is_wrong_is_named_by_its_field(use, fields, path, message):
    found = _problems(use, **fields)
    assert [one for one in found if one[0] == path and message in one[1]], found


def test_every_problem_is_named_at_once():
    found = _problems("finetune", model=None, inputs=[], parameters={"rank": "0", "seed": "x"})
    assert [path for path, _ in found] == [
        "workload.parameters.rank",
        "workload.parameters.seed",
        "workload.model",
        "workload.inputs",
    ]


def test_a_model_that_the_workload_does_not_run_is_refused_with_the_one_that_does():
    found = _problems("sglang", model=pinned("mosaicml/mpt-7b-instruct"))
    assert found == [("workload.model", "is not run by sglang: choose vllm")]
    assert plan_of("finetune", model=pinned("mosaicml/mpt-7b-instruct")).model is not None


def test_a_model_is_not_for_a_workload_that_says_so():
    template = workload_templates.load("shell").model_copy(update={"model": "none"})
    with pytest.raises(InvalidFile, match="is not used by shell"):
        resolve(template, Workload(use="shell"), model=pinned(), openssl=False)


def test_a_default_that_breaks_its_own_limits_is_named():
    parameter = TemplateParameter(type="integer", description="d", default="0", minimum=1)
    template = workload_templates.load("shell").model_copy(update={"parameters": {"n": parameter}})
    with pytest.raises(InvalidFile, match=r"shell: parameters\.n\.default: must be at least 1"):
        resolve(template, Workload(use="shell"), openssl=False)


def test_an_image_is_needed_where_the_template_has_none():
    template = workload_templates.load("shell").model_copy(update={"image": None})
    with pytest.raises(InvalidFile, match=r"workload\.image: is needed"):
        resolve(template, Workload(use="shell"), openssl=False)


@pytest.mark.parametrize(
    "option",
    [
        "--privileged",
        "--network=host",
        "--net=host",
        "--pid=host",
        "--cap-add=SYS_ADMIN",
        "--device=/dev/mem",
        "-v/:/host",
        "--volume=/run/ccgpu:/x",
        "--env=A=B",
        "--publish=0.0.0.0:1:1",
        "--security-opt=apparmor=unconfined",
        "--userns=host",
        "--ipc=container:other",
        "--shm-size=1g --privileged",
    ],
)
def test_an_unsafe_option_of_a_template_is_refused(option):
    template = workload_templates.load("shell").model_copy(update={"options": (option,)})
    with pytest.raises(InvalidFile, match=r"workload\.options"):
        resolve(template, Workload(use="shell"), openssl=False)


def test_the_table_of_models_is_the_shipped_one_in_these_tests():
    assert model_table.shipped().find("HuggingFaceH4/zephyr-7b-beta") is not None
    with pytest.raises(ValueError, match="is not ccgpu"):
        parse_models({})


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"use": "image"}, "is needed for use: image"),
        ({"use": "sglang", "kind": "job"}, "is only for use: image"),
        ({"use": "sglang", "ports": [8000]}, "is only for use: image"),
        ({"use": "sglang", "health": "/h"}, "is only for use: image"),
        ({"image": PYTHON, "health": "/h"}, "needs ports"),
        ({"image": PYTHON, "ports": [8000, 8000]}, "has the same port twice"),
        ({"image": PYTHON, "secrets": ["a", "a"]}, "names a secret twice"),
        ({"image": PYTHON, "command": ["a\0b"]}, "control character"),
    ],
)
def test_rules_of_the_section(fields, words):
    from ccgpu.domain.spec.vm import VmSpec

    with pytest.raises(ValidationError, match=words):
        VmSpec.model_validate({"name": "x", "workload": fields})


def test_the_section_survives_a_file_and_its_json():
    section = Workload.model_validate(
        {
            "use": "finetune",
            "inputs": [{"from": "./d", "to": "/data"}],
            "parameters": {"rank": 8, "x": True, "y": 0.5},
        }
    )
    values = section.model_dump(mode="json")
    assert values["inputs"] == [{"from": "./d", "to": "/data"}]
    assert values["parameters"] == {"rank": "8", "x": "true", "y": "0.5"}
    assert Workload.model_validate(values) == section
