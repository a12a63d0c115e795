"""The specs that ship: valid, explained, and without a name of their own."""

import subprocess
import sys

import pytest

from ccgpu.domain.spec.os_disk import DiskEncryption
from ccgpu.domain.spec.structure import known_fields
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.store import specs

_TEMPLATES = {template.name: template for template in specs.templates()}


def test_four_templates_ship_in_order():
    assert list(_TEMPLATES) == ["customer-managed-key", "minimal", "private", "spot"]


@pytest.mark.parametrize("name", _TEMPLATES)
def test_a_template_is_valid_and_has_no_name(name, tmp_path):
    file = tmp_path / "vm.yaml"
    file.write_text(_TEMPLATES[name].text, encoding="utf-8")

    assert specs.check(file) == []
    assert "name" not in specs.read(file).values
    assert specs.build("any", file=file) == specs.build("any", template=name)


@pytest.mark.parametrize("name", _TEMPLATES)
def test_a_template_starts_with_its_summary(name):
    template = _TEMPLATES[name]
    assert template.text.startswith(f"# {template.summary}\n")
    assert template.summary.endswith(".")


def test_the_minimal_template_has_the_defaults_and_shows_every_field():
    template = _TEMPLATES["minimal"]
    shown = {line.strip("# -").partition(":")[0] for line in template.text.splitlines()}

    assert specs.build("demo", template="minimal") == VmSpec(name="demo")
    elsewhere = {"private", "subnet", "spot", "max_price", "encryption_set"}
    assert frozenset().union(*known_fields(VmSpec).values()) - elsewhere <= shown


def test_each_template_does_what_its_name_says():
    built = {name: specs.build("demo", template=name) for name in _TEMPLATES}

    assert built["private"].private
    assert built["spot"].spot
    assert built["customer-managed-key"].os_disk.encryption is DiskEncryption.FULL
    assert built["customer-managed-key"].os_disk.encryption_set is not None


def test_importing_the_store_loads_neither_yaml_nor_cryptography_nor_pydantic():
    heavy = "{'yaml', 'cryptography', 'pydantic'}"
    code = f"import sys, ccgpu.store.specs; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
