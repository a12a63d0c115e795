"""A spec that begins with the last one: what wins, what is said to be from there."""

import json

import pytest

from ccgpu.domain.given import RememberedSpec, remember
from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import InvalidFile
from ccgpu.store import specs

_LAST = RememberedSpec(
    {
        "os_disk": {"size_gib": 512},
        "ttl": "2h",
        "tags": {"team": "a", "cost.center": "7"},
        "data_disks": [{"size_gib": 64}],
        "zone": None,
    },
    ("os_disk.size_gib", "ttl", "tags.team", "tags.cost.center", "data_disks"),
)


def _resolve(memory: RememberedSpec = _LAST, **more):
    return specs.resolve("demo", recall=lambda _: memory, **more)


def test_a_spec_starts_from_the_last_one_and_names_remembered_fields():
    requested = _resolve()
    assert requested.spec == VmSpec.model_validate({"name": "demo", **_LAST.values, "zone": None})
    assert set(requested.given.earlier) == set(_LAST.given)
    assert requested.given.now == frozenset()
    assert requested.given.ever == set(_LAST.given)


def test_flags_and_set_override_single_remembered_fields():
    flags = {"os_disk": {"type": "Standard_LRS"}, "tags": {"team": "b"}}
    requested = _resolve(sets=["os_disk.size_gib=64"], flags=flags)
    assert (requested.spec.os_disk.size_gib, requested.spec.os_disk.type) == (64, "Standard_LRS")
    assert requested.spec.tags == {"team": "b", "cost.center": "7"}
    assert requested.given.now == {"os_disk.size_gib", "os_disk.type", "tags.team"}
    assert set(requested.given.earlier) == {"ttl", "tags.cost.center", "data_disks"}


def test_lists_are_overridden_whole_or_by_entry():
    whole = _resolve(flags={"data_disks": [{"size_gib": 8}]})
    entry = _resolve(sets=["data_disks.1.size_gib=8"])
    assert [disk.size_gib for disk in whole.spec.data_disks] == [8]
    assert [disk.size_gib for disk in entry.spec.data_disks] == [64, 8]
    for requested in (whole, entry):
        assert "data_disks" in requested.given.now
        assert "data_disks" not in requested.given.earlier


def test_null_forgets_a_field():
    requested = _resolve(sets=["ttl=", "tags.team=null", "os_disk.size_gib=~"])
    assert (requested.spec.ttl, requested.spec.os_disk.size_gib) == (None, 256)
    assert set(requested.given.earlier) == {"tags.cost.center", "data_disks"}
    assert requested.given.now == frozenset()


@pytest.mark.parametrize("how", ["file", "template"])
def test_a_file_or_template_replaces_all_remembered_fields(how, tmp_path):
    file = tmp_path / "vm.yaml"
    file.write_text("zone: 1\n")
    more = {"file": file} if how == "file" else {"template": "spot"}
    requested = _resolve(**more)
    assert (requested.spec.ttl == VmSpec(name="demo").ttl) is (how == "file")
    assert requested.spec.os_disk.size_gib == 256
    assert requested.given.from_memory == ()


def test_changed_defaults_keep_the_old_value_and_are_named():
    last = RememberedSpec({"admin_user": "ada", "os_disk": {"size_gib": 256}}, ())
    requested = _resolve(last)
    assert requested.spec.admin_user == "ada"
    assert requested.given.from_memory == ("admin_user",)
    assert requested.given.ever == frozenset()


def test_a_remembered_ttl_does_not_apply_to_an_existing_vm():
    assert "ttl" not in _resolve().given.binding
    assert "ttl" in _resolve(flags={"ttl": "4h"}).given.binding
    assert "os_disk.size_gib" in _resolve().given.binding


def test_a_remembered_spec_resolves_to_the_same_spec():
    flags = {
        "os_disk": {"size_gib": 512},
        "ttl": "2h",
        "tags": {"a.b": "c"},
        "identities": ["system"],
        "resource_group": "mine",
    }
    first = specs.resolve("demo", flags=flags)
    kept = remember(first.spec, first.given)
    again = _resolve(RememberedSpec(json.loads(json.dumps(kept.values)), kept.given))
    assert again.spec == first.spec
    assert set(again.given.earlier) == first.given.now
    assert remember(again.spec, again.given) == kept


def test_a_conflict_with_a_remembered_field_names_its_origin():
    last = RememberedSpec({"spot": True, "max_price": 2}, ("spot", "max_price"))
    with pytest.raises(InvalidFile) as caught:
        _resolve(last, flags={"spot": False})
    [problem] = caught.value.problems
    assert (problem.path, problem.source) == ("max_price", "the last create of demo")
    assert "`--fresh`" in str(caught.value.hint)


def test_the_name_may_be_set():
    requested = specs.resolve(None, sets=["name=demo"], recall={"demo": _LAST}.get)
    assert requested.spec.os_disk.size_gib == 512
