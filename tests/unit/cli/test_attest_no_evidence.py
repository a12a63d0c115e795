"""`ccgpu attest` of a VM whose collector fails: every code that it can print gives exit 8."""

import ast

import pytest

from ccgpu.guest import collector
from support.attesting import Attester, make_demo
from support.repository import ROOT
from support.slow import mostly_slow

_FOLDER = ROOT / "templates" / "guest" / "collector"
# Which state of the simulated guest makes the collector fail with a code.
_SCENARIOS = {
    "busy": "collector-busy",
    "claims.absent": "claims-absent",
    "claims.late": "claims-late",
    "claims.malformed": "claims-malformed",
    "event-log.large": "event-log-large",
    "gpu.absent": "gpu-missing",
    "gpu.count": "gpu-count",
    "gpu.error": "cc-off",
    "gpu.hung": "gpu-hung",
    "host-key.absent": "host-key-absent",
    "imds.error": "imds-error",
    "imds.slow": "imds-slow",
    "tpm.absent": "tpm-absent",
    "tpm.error": "tpm-error",
}
_WITHOUT_SCENARIO = {
    "bug": "no state of a guest is known to lead to it",
    "request": "a client sends no request that is refused",
    "release.disk": "only a request with `release` fails so, and `attest` sends none",
    "release.error": "as release.disk",
    "release.swap": "as release.disk",
    "workload-log.error": "the log of a simulated guest is always a file of root",
    "workload-log.large": "the log of a simulated guest ends before its bound",
}


@pytest.fixture
def demo(shell, prepared) -> Attester:
    """A VM that is set up, and that nobody has attested."""
    return Attester(prepared(shell, make_demo))


def _codes(node):
    """The codes that a piece of the collector's source names."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        at = {"CollectorError": 0, "__init__": 0, "time_limit": 1}.get(name)
        return [] if at is None else node.args[at : at + 1]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return [value for key, value in pairs if key is not None and ast.unparse(key) == "'code'"]
    return []


def test_every_code_of_the_collector_has_a_hint_and_a_scenario_or_a_reason():
    nodes = [
        node for file in _FOLDER.glob("*.py") for node in ast.walk(ast.parse(file.read_text()))
    ]
    codes = [code for node in nodes for code in _codes(node)]
    named = {str(code.value) for code in codes if isinstance(code, ast.Constant)}
    named |= {f"release.{kind}" for kind in ("swap", "disk")}  # of `find_disk_risk`
    assert named == _SCENARIOS.keys() | _WITHOUT_SCENARIO.keys()
    assert not _SCENARIOS.keys() & _WITHOUT_SCENARIO.keys()
    assert all(collector.HINTS[code] for code in named)
    assert named == collector.HINTS.keys()


@pytest.mark.parametrize("code", mostly_slow(_SCENARIOS, 7))
def test_an_error_of_the_collector_is_no_verdict(demo, code):
    demo.scenario(_SCENARIOS[code])
    done = demo()
    assert (done.code, done.out) == (8, ""), done.err
    assert done.error["message"].endswith(f"({code})")
    assert done.error["hint"].startswith(collector.HINTS[code].split("`")[0])
    assert not demo.ready
    assert demo.shown["state"] == "ready"
    assert demo.shown["attestation"] is None


def test_a_create_from_a_file_names_its_vm_in_the_hint(demo, tmp_path):
    spec = tmp_path / "vm.yaml"
    spec.write_text("name: demo\nregions: [eastus2]\nssh_from: 203.0.113.7/32\n")
    demo.scenario("gpu-missing")
    done = demo.shell(f"create -f {spec} -o json")
    assert done.code == 8
    assert "`ccgpu doctor demo`" in done.error["hint"]
