"""`ccgpu run`: servers that answer right, jobs and their exit codes, and what is refused."""

import json
from base64 import b64decode
from itertools import starmap
from pathlib import Path

import pytest

from ccgpu.errors import ConnectionLost
from ccgpu.store import policies
from support.attesting import make_demo
from support.output_schemas import require_valid
from support.running import JOB, SERVER, Runner
from support.slow import mostly_slow


@pytest.fixture
def runner(shell, prepared) -> Runner:
    """A user with a VM that is set up, and that nobody has attested."""
    return Runner(prepared(shell, make_demo))


@pytest.mark.slow
def test_a_server_runs_once_its_answers_are_right(runner, golden):
    done = runner(SERVER)
    golden("cli/run-server.txt", str(done))
    assert done.code == 0
    assert runner.workloads == {"sglang": "running"}
    assert runner.actions() == [
        *("list", "fetch", "list", "start", "check", "check", "check", "list")
    ]


@pytest.mark.slow
def test_the_document_says_what_ran_on_which_verdict(runner):
    document = runner.document(SERVER)
    assert document["schema"] == "ccgpu.run/1"
    assert document["verdict"]["verdict"] == "accepted"
    assert document["verdict"]["simulated"] is True
    assert document["workload"]["state"] == "healthy"
    assert document["workload"]["ports"] == [30000]
    assert document["check"]["ok"] is True
    event = json.loads(document["workload"]["event"])
    require_valid(event, ("workload-event",))
    assert event["image_digest"] == document["workload"]["image_digest"]
    assert event["model"]["manifest"] == document["workload"]["model"]["manifest"]
    assert (document["job_exit_code"], document["cause"], document["exit_code"]) == (None, None, 0)


@pytest.mark.slow
def test_what_ran_is_in_the_next_verdict(runner):
    event = runner.document(SERVER)["workload"]["event"]
    assert runner.shell("attest demo --backend fake --save b.json -o json").code == 0
    bundle = json.loads(Path("b.json").read_text())
    assert b64decode(bundle["cpu"]["workload_log"]).decode() == f"{event}\n"


@pytest.mark.slow
def test_a_job_that_is_waited_for_prints_its_log_alone_on_stdout(runner, golden):
    done = runner(f"{JOB} --wait -- nvidia-smi -L")
    assert (done.code, done.out[:22]) == (0, "GPU 0: NVIDIA H100 NVL")
    golden("cli/run-job.txt", str(runner(f"{JOB} --wait -- python train.py")))


@pytest.mark.slow
@pytest.mark.parametrize("code", mostly_slow([0, 3, 130], 3))
def test_the_exit_code_is_the_jobs(runner, code):
    done = runner(f"{JOB} --wait -- sh -c 'exit {code}'")
    assert done.code == code
    document = runner.document(f"{JOB} --as again --wait -- sh -c 'exit {code}'", code)
    assert (document["job_exit_code"], document["exit_code"]) == (code, code)
    assert document["cause"] is None


@pytest.mark.slow
def test_a_job_goes_on_if_nobody_waits(runner):
    document = runner.document(f"{JOB} -- python train.py")
    assert document["workload"]["state"] == "running"
    assert document["job_exit_code"] is None


@pytest.mark.slow
def test_outputs_are_fetched_whole(runner):
    words = f"{JOB} --wait --output-dir results/one -- python train.py"
    document = runner.document(words)
    fetched = {one["path"]: one["size"] for one in document["outputs"]["files"]}
    folder = Path("results/one")
    found = [one for one in folder.rglob("*") if one.is_file()]
    assert fetched == {one.relative_to(folder).as_posix(): one.stat().st_size for one in found}
    assert len(found) == 3
    assert [one.name for one in Path("results").iterdir()] == ["one"]


def test_a_job_without_a_time_limit_may_outlast_the_default_and_its_outputs_come(runner):
    def take_long(line: str) -> None:
        if '"action":"follow"' in line:
            runner.shell.arm.advance(5 * 3600)

    runner.before = take_long
    document = runner.document(f"{JOB} --wait --output-dir out -- python train.py")
    assert len(document["outputs"]["files"]) == 3


def test_nothing_is_overwritten(runner):
    Path("out").mkdir()
    Path("out/mine").touch()
    done = runner(f"{JOB} --wait --output-dir out -- true")
    assert done.code == 2
    assert "is not empty" in done.err
    assert runner.sent == []


@pytest.mark.slow
def test_outputs_that_do_not_come_are_an_error(runner):
    gets: list[str] = []

    def lose(line: str) -> None:
        if line.startswith("get "):
            gets.append(line)
            raise ConnectionLost("the connection ended")

    runner.before = lose
    done = runner(f"{JOB} --wait --output-dir out -- python train.py")
    assert done.code == 4
    assert len(gets) == 3
    assert not Path("out").exists()


@pytest.mark.slow
def test_inputs_are_copied_before_the_start(runner):
    Path("data").mkdir()
    Path("data/rows.jsonl").write_text("{}\n")
    Path("one.txt").write_text("hello\n")
    words = f"{JOB} --input data:/data --input one.txt:/in/one.txt --wait -- cat /in/one.txt"
    done = runner(words)
    assert (done.code, done.out) == (0, "hello\n")
    assert [one for one in runner.sent if one.startswith("put ")] == [
        "put /mnt/ccgpu/inputs/image/0",
        "put /mnt/ccgpu/inputs/image/1",
    ]
    assert runner.actions()[:4] == ["list", "prepare", "list", "start"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("", 2, "it is not said what is to run in demo"),
        ("--workload nothing", 2, "there is no workload 'nothing'"),
        ("--workload image", 3, "workload.image"),
        (f"{JOB} --input missing:/data -- true", 2, "missing does not exist"),
        (f"{JOB} --input data -- true", 2, "is not FROM:TO"),
        (f"{SERVER} --wait", 2, "does not end by itself"),
        (f"{JOB} --then-delete -- true", 2, "before the job has ended"),
        (f"{JOB} --output-dir out -- true", 2, "give --wait, too"),
        (f"{SERVER} --parameter no_such=1", 3, "no_such"),
        ("--workload sglang --model org/missing", 4, "org/missing cannot be looked up"),
        ("--workload sglang --model meta-llama/Llama-2-70b-chat-hf", 4, "gated"),
        (f"{SERVER} --policy cpu-only", 2, "asks for less than `default`"),
    ],
)
def test_what_cannot_be_is_refused_before_the_vm_is_asked(runner, words, code, message):
    done = runner(words)
    assert done.code == code, done
    assert message in done.err
    assert runner.sent == []


def test_a_model_that_the_gpu_cannot_hold_is_refused(runner, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_x")
    done = runner("--workload sglang --model meta-llama/Llama-2-70b-chat-hf")
    assert done.code == 3
    assert "the GPU has 94 GB" in done.err
    assert runner.sent == []


@pytest.mark.slow
def test_a_loosened_policy_needs_the_users_word(runner):
    document = policies.load("default").model_dump(mode="json")
    document["cpu"]["minimum_guest_svn"] = 1
    Path("mine.json").write_text(json.dumps(document))
    words = f"{JOB} --policy mine.json --wait"
    assert runner(f"{words} -- true").code == 2
    assert runner.sent == []
    allowed = runner.document(f"{words} --unsafe-allow-loosened-policy -- true")
    assert allowed["verdict"]["policy"].endswith("mine.json")


@pytest.mark.parametrize(
    ("scenario", "code"),
    mostly_slow(
        starmap(
            pytest.param, [("devtools", 9), ("old-firmware", 9), ("tpm-absent", 8), ("no-sshd", 10)]
        ),
        4,
    ),
)
def test_a_vm_that_is_not_proven_is_sent_nothing_of_the_users(runner, scenario, code):
    runner.scenario(scenario)
    Path("data").write_text("mine")
    document = runner.document(f"{JOB} --input data:/data --wait -- cat /data", code)
    assert document["cause"]["exit_code"] == document["exit_code"] == code
    assert document["workload"]["state"] is None
    assert runner.actions() == []
    assert [one for one in runner.sent if one.startswith("put ")] == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scenario", "message", "state"),
    mostly_slow(
        starmap(
            pytest.param,
            [
                ("garbage-answers", "likely cause: vLLM's V2 model runner", "stopped"),
                ("slow-answers", "20 is the least that passes", "stopped"),
                ("never-healthy", "was not healthy within 2400 s, and is stopped", "stopped"),
                ("workload-exits", "has ended with exit code 3 before it was healthy", "stopped"),
                ("image-pull-fails", "manifest unknown", None),
                ("workload-without-gpu", "unresolvable CDI devices", None),
                ("workload-disk-full", "No space left on device", None),
                ("model-mismatch", "the SHA-256 is not the expected one", None),
            ],
        ),
        4,
    ),
)
def test_a_server_that_does_not_do_is_stopped_or_never_started(runner, scenario, message, state):
    runner.scenario(scenario)
    document = runner.document(SERVER, 10)
    assert runner.workloads == {}
    assert (document["workload"]["state"], document["job_exit_code"]) == (state, None)
    assert message in document["cause"]["message"]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ["garbage-answers", "slow-answers"])
def test_wrong_answers_say_why(runner, golden, scenario):
    runner.scenario(scenario)
    golden(f"cli/run-{scenario}.txt", str(runner(SERVER)))


def test_a_job_that_exits_by_itself_is_no_failure_of_ours(runner):
    runner.scenario("workload-exits")
    document = runner.document(f"{JOB} --wait -- python train.py", 3)
    assert (document["job_exit_code"], document["cause"]) == (3, None)


@pytest.mark.slow
def test_a_name_that_runs_is_not_taken_from_it(runner):
    runner(f"{JOB} -- python train.py")
    runner.sent.clear()
    Path("data").write_text("x")
    done = runner(f"{JOB} --input data:/data -- true")
    assert done.code == 10
    assert "runs already" in done.err
    assert runner.actions() == ["list"]
    assert runner(f"{JOB} --replace --wait -- true").code == 0


def test_a_dry_run_asks_no_vm(runner, golden):
    Path("data").write_text("x")
    words = "--workload finetune --model org/small --input data:/data --dry-run"
    golden("cli/run-dry-run.txt", str(runner(words)))
    assert runner.sent == []
    plan = runner.document(words)
    assert plan["schema"] == "ccgpu.run-plan/1"
    assert plan["run"][0] == "run"
    assert plan["inputs"] == [{"from": "data", "to": "/data"}]


def test_a_vm_that_is_not_there_is_named(runner):
    done = runner.shell(f"run other --backend fake {JOB} -- true")
    assert done.code == 4
    assert runner.sent == []


@pytest.mark.slow
def test_the_log_of_a_job_is_events_for_programs(runner):
    done = runner(f"{JOB} --wait --events ndjson -- echo hello")
    assert done.code == 0
    assert [one["text"] for one in done.events if one["what"] == "log"] == ["hello"]


def test_control_characters_of_a_job_do_not_reach_the_terminal(runner):
    done = runner(f"{JOB} --wait -- echo 'a\x1b[2Jb'")
    assert "\x1b" not in done.out + done.err
