"""The benchmark of a verdict finds the signature checks that it takes for its measure."""

import bench_verify


def test_the_signature_checks_that_are_measured_exist():
    assert [
        name for module, name in bench_verify.SIGNATURE_CHECKS if not hasattr(module, name)
    ] == []
