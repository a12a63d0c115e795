"""The benchmarks of a verdict find what they measure."""

import bench_attest
import bench_verify
from ccgpu.workflows import attest


def test_the_signature_checks_that_are_measured_exist():
    assert [
        name for module, name in bench_verify.SIGNATURE_CHECKS if not hasattr(module, name)
    ] == []


def test_the_verdict_that_is_measured_is_made_where_the_command_makes_it():
    assert hasattr(attest, bench_attest.VERDICT)
