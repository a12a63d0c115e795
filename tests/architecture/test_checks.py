"""Every check of the verifier has its own reason code and a test that contains it."""

import importlib
import pkgutil

import ccgpu.attest
import checks_page
from ccgpu.attest.check import Rule


def _rules():
    """Every `Rule` constant of the verifier, with its module."""
    for info in pkgutil.walk_packages(ccgpu.attest.__path__, "ccgpu.attest."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, Rule):
                yield info.name, name, value


def test_a_reason_code_stands_for_one_check():
    by_id: dict[str, set[Rule]] = {}
    for _, _, rule in _rules():
        by_id.setdefault(rule.id, set()).add(rule)

    assert {id_ for id_, rules in by_id.items() if len(rules) > 1} == set()


def test_the_page_lists_every_check():
    listed = {rule.id for _, rule in checks_page.rules()}

    assert {rule.id for _, _, rule in _rules()} <= listed
    assert len(listed) > 400


# What these read is refused for the reason that the parser gives.
_READ = {"gpu.state", "hcl.blob", "vtpm.pcrs", "vtpm.quote", "vtpm.signature"}


def test_every_reason_code_occurs_in_a_test_that_rejects_evidence():
    named = checks_page.tests()

    assert {rule.id for _, rule in checks_page.rules() if rule.id not in named} == _READ
