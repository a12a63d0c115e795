"""The GitHub Action under a runner that cancels it at any moment: nothing stays, nothing bills.

The runner's times between its signals are the real ones, and shorter ones: a tenth, which leaves
less time to tidy up, and none, which is a kill at once.
"""

import random
import signal
import time

import pytest

from support.actions_runner import Job, cancel, wait_for_requests
from support.slow import mostly_slow

pytestmark = pytest.mark.slow  # each starts node and several ccgpu

_REQUESTS = 142  # of a main step that nobody cancels; a test holds that it is about this
_LEASE = 4 * 3600.0
_COLLECTED = _LEASE + 11 * 60  # gc leaves it alone for ten minutes


def cancelled(job: Job, seed: int) -> None:
    """Start the main step and cancel it: one time in six before its first request."""
    moment = random.Random(seed)
    scale = moment.choice((1.0, 0.1, 0.0))
    process = job.start()
    if moment.randrange(6):
        wait_for_requests(process, job, moment.randrange(1, _REQUESTS))
    time.sleep(moment.uniform(0, 0.3))  # noqa: TID251  # another process's time
    cancel(process, scale)


@pytest.mark.parametrize("seed", mostly_slow(range(40), 40, 20))
def test_a_cancelled_job_leaves_nothing(tmp_path, seed):
    job = Job(tmp_path)
    cancelled(job, seed)
    if random.Random(seed).random() < 0.5:  # else the runner is gone, and the post step with it
        post = job.post()
        assert post.code == 0, post.log
        assert job.simulated(after=60)["resources"] == []
    job.simulated(after=_COLLECTED)
    gc = job.gc()
    assert gc.code == 0, gc.log
    left = job.simulated(after=3600)
    assert (left["resources"], left["billing"]) == ([], [])


def test_a_create_hears_of_the_cancel_and_reports_what_there_is(tmp_path):
    job = Job(tmp_path)
    process = job.start()
    wait_for_requests(process, job, 30)
    step = cancel(process, 1.0)
    assert step.code == 1, step.log
    assert "::error title=ccgpu::cancelled (SIGINT)" in step.log
    assert "interrupted" in step.log
    assert "/virtualMachines/ci-" in step.log


def test_a_post_step_that_is_cancelled_goes_on_to_delete(tmp_path):
    job = Job(tmp_path)
    assert job.main().code == 0
    process = job.start_post()
    wait_for_requests(process, job, job.requests() + 5)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    with process:
        log, _ = process.communicate()
    assert process.returncode == 0, log
    assert job.simulated()["resources"] == []


def test_without_post_step_and_gc_a_killed_create_goes_on_billing(tmp_path):
    """The cancel meets a VM, and what stays is seen: the test above can fail."""
    job = Job(tmp_path)
    process = job.start()
    wait_for_requests(process, job, 45)
    cancel(process, 0.0)
    assert job.simulated(after=3600)["billing"]
    assert job.post().code == 0
    assert job.simulated()["billing"] == []


def test_the_moments_spread_over_the_whole_step(tmp_path):
    job = Job(tmp_path)
    assert job.main().code == 0
    assert 0.7 * _REQUESTS < job.requests() < 1.3 * _REQUESTS
