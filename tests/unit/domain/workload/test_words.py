"""Names, images, paths and variables of a workload: what is taken and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.workload import refusals, words
from ccgpu.domain.workload.values import Variable, WorkloadMount

_DIGEST = "sha256:" + "0f" * 32


@pytest.mark.parametrize(
    "image",
    [
        "docker.io/library/python:3.12-slim",
        "nvcr.io/nvidia/pytorch:26.04-py3",
        "localhost/mine:1",
        "localhost:5000/a/b_c:v1.2",
        "registry:5000/a:1",
        f"ghcr.io/org/name@{_DIGEST}",
        f"ghcr.io/org/name:latest@{_DIGEST}",
        f"ghcr.io/org/na--me:1@{_DIGEST}",
    ],
)
def test_an_image_with_registry_and_version_is_taken(image):
    assert words.image_reference(image) == image


@pytest.mark.parametrize(
    ("image", "why"),
    [
        ("python:3.12", "with its registry"),
        ("library/python:3.12", "with its registry"),
        ("docker.io/library/python", "which version"),
        ("docker.io/library/python:latest", "which version"),
        ("docker.io/Library/python:1", "with its registry"),
        ("docker.io/library/python:1@sha256:00", "with its registry"),
        ("docker.io/library/python:1 --privileged", "with its registry"),
        ("--privileged", "with its registry"),
        ("docker.io/a:1\n", "with its registry"),
        ("docker.io/" + "a/" * 300 + "a:1", "with its registry"),
    ],
)
def test_an_image_without_is_refused(image, why):
    with pytest.raises(ValueError, match=why):
        words.image_reference(image)


@pytest.mark.parametrize("value", ["a", "0", "a-b", "a" * 63])
def test_a_name_is_taken(value):
    assert words.workload_name(value) == value
    assert words.secret_name(value) == value
    assert words.template_name(value) == value


@pytest.mark.parametrize("value", ["", "-a", "A", "a_b", "a" * 64, "a\n", "a/b", "ä"])
def test_a_name_is_refused(value):
    for function in (words.workload_name, words.secret_name, words.template_name):
        with pytest.raises(ValueError, match="must be"):
            function(value)


def test_a_template_can_be_a_file():
    assert words.template_name("./My Workload.yaml") == "./My Workload.yaml"


@pytest.mark.parametrize(
    ("value", "is_good"),
    [
        ("openai-community/gpt2", True),
        ("a/b@main", True),
        ("a/b@refs/pr/1", True),
        ("a/b@" + "0" * 40, True),
        ("gpt2", False),
        ("a/b/c", False),
        ("a/b@", False),
        ("a/..", False),
        ("a/b@../x", False),
        ("-a/b", False),
        ("a/b?x", False),
    ],
)
def test_a_model_is_named_as_at_the_hub(value, is_good):
    if is_good:
        assert words.model_reference(value) == value
        return
    with pytest.raises(ValueError, match="ORG/NAME"):
        words.model_reference(value)


@pytest.mark.parametrize("path", ["/data", "/opt/ccgpu/x.py", "/a b/c", "/model"])
def test_a_path_of_a_container_is_taken(path):
    assert words.container_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        *("/", "", "data", "./data", "/data/", "/a//b", "/a/../b", "/a/.", "/a:ro", "/a,b", "/ä"),
        *("/run", "/run/ccgpu", "/run/secrets/x", "/proc", "/sys/fs", "/dev/shm", "/etc/passwd"),
        *("/usr", "/usr/lib", "/bin", "/lib64/x", "/var/run/docker.sock", "/a\n"),
    ],
)
def test_a_path_of_a_container_is_refused(path):
    with pytest.raises(ValueError, match=r"must|may not"):
        words.container_path(path)


@pytest.mark.parametrize("name", ["A", "HF_HUB_OFFLINE", "a1", "HF_TOKEN_PATH", "API_KEY_FILE"])
def test_a_variable_is_taken(name):
    assert words.variable_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "1A", "A-B", "A=B", "A B", "ä"),
        *("HF_TOKEN", "hf_token", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD", "OPENAI_API_KEY"),
        *("APIKEY", "MY_CREDENTIALS", "PRIVATE_KEY", "ACCESS_KEY"),
    ],
)
def test_a_variable_that_looks_like_a_secret_is_refused(name):
    with pytest.raises(ValueError, match=r"must be|looks like a secret"):
        words.variable_name(name)
    assert list(refusals.environment_problems([Variable(name, "x")]))


@pytest.mark.parametrize("path", ["/", "/health", "/v1/models"])
def test_a_url_path_is_taken(path):
    assert words.url_path(path) == path


@pytest.mark.parametrize("path", ["", "health", "/a b", "/a?b", "/../x", "http://x/"])
def test_a_url_path_is_refused(path):
    with pytest.raises(ValueError, match="/health"):
        words.url_path(path)


@pytest.mark.parametrize(
    "source",
    [
        *("/", "/run/ccgpu", "/run/ccgpu/secrets", "/run/ccgpu/other/x", "/var/run/docker.sock"),
        *("/run/docker.sock", "/home/azureuser", "/mnt/ccgpu", "/mnt/ccgpu/models/../../../etc"),
        *("/mnt/ccgpu/models", "/opt/openssl/lib64", "/mnt/ccgpu/outputs/a:b", "relative"),
        "/mnt/ccgpu/inputs/a,b",
    ],
)
def test_a_folder_of_the_vm_that_is_not_a_workloads_is_refused(source):
    assert list(refusals.mount_problems([WorkloadMount(source, "/data")]))


def test_a_mount_may_write_to_outputs_alone():
    inputs, outputs = "/mnt/ccgpu/inputs/a/0", "/mnt/ccgpu/outputs/a"
    (problem,) = refusals.mount_problems([WorkloadMount(inputs, "/data", read_only=False)])
    assert problem == f"{inputs} may only be mounted read-only"
    assert not list(refusals.mount_problems([WorkloadMount(outputs, "/data", read_only=False)]))


def test_a_secret_is_mounted_at_its_own_place():
    good = WorkloadMount("/run/ccgpu/secrets/a", "/run/secrets/a")
    assert not list(refusals.mount_problems([good]))
    for target in ("/run/secrets/b", "/run/secrets", "/etc/passwd"):
        assert list(refusals.mount_problems([WorkloadMount(good.source, target)]))


@pytest.mark.parametrize(
    "word",
    [
        *("0.0.0.0:8000:8000", "8000:8000", "127.0.0.1:80:8000", "127.0.0.1:8000", "::1:8000:8000"),
        *("127.0.0.1:70000:8000", "127.0.0.1:8000:8000/udp", "[::]:8000:8000"),
    ],
)
def test_a_port_that_others_reach_is_refused(word):
    assert list(refusals.port_problems([word]))
    assert not list(refusals.port_problems(["127.0.0.1:8000:8000"]))


_ALLOWED = [
    *("--ipc=host", "--ulimit=memlock=-1", "--ulimit=stack=67108864", "--shm-size=32g"),
    *("--tmpfs=/tmp", "--workdir=/code", "--read-only", "--user=1000:1000", "--cap-drop=ALL"),
    *("--security-opt=no-new-privileges", "--network=none", "--pids-limit=100", "--memory=64g"),
]


def test_listed_options_are_taken():
    assert not list(refusals.option_problems(_ALLOWED))


# Letters alone would make another path of one.
_MORE = st.text("v, =:\n\t", min_size=1, max_size=5).filter(lambda text: text.strip("v"))


@given(st.sampled_from(_ALLOWED), _MORE, st.booleans())
def test_nothing_can_be_added_to_a_listed_option(option, more, is_after):
    assert list(refusals.option_problems([option + more if is_after else more + option]))
