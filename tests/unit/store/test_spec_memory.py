"""A spec that begins with the last one: what wins, what is said to be from there."""

import json

import pytest

from ccgpu.domain.given import RememberedSpec, remember
from ccgpu.domain.spec import VmSpec
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


def _asked(memory: RememberedSpec = _LAST, **more):
    return specs.asked("demo", recall=lambda _: memory, **more)


def test_it_begins_with_the_last_spec_and_says_what_is_from_there():
    asked = _asked()
    assert asked.spec == VmSpec.model_validate({"name": "demo", **_LAST.values, "zone": None})
    assert set(asked.given.earlier) == set(_LAST.given)
    assert asked.given.now == frozenset()
    assert asked.given.ever == set(_LAST.given)


def test_flags_and_set_override_single_fields():
    flags = {"os_disk": {"type": "Standard_LRS"}, "tags": {"team": "b"}}
    asked = _asked(sets=["os_disk.size_gib=64"], flags=flags)
    assert (asked.spec.os_disk.size_gib, asked.spec.os_disk.type) == (64, "Standard_LRS")
    assert asked.spec.tags == {"team": "b", "cost.center": "7"}
    assert asked.given.now == {"os_disk.size_gib", "os_disk.type", "tags.team"}
    assert set(asked.given.earlier) == {"ttl", "tags.cost.center", "data_disks"}


def test_a_list_is_one_field_whole_or_entry_by_entry():
    whole = _asked(flags={"data_disks": [{"size_gib": 8}]})
    entry = _asked(sets=["data_disks.1.size_gib=8"])
    assert [disk.size_gib for disk in whole.spec.data_disks] == [8]
    assert [disk.size_gib for disk in entry.spec.data_disks] == [64, 8]
    for asked in (whole, entry):
        assert "data_disks" in asked.given.now
        assert "data_disks" not in asked.given.earlier


def test_null_forgets_a_field():
    asked = _asked(sets=["ttl=", "tags.team=null", "os_disk.size_gib=~"])
    assert (asked.spec.ttl, asked.spec.os_disk.size_gib) == (None, 256)
    assert set(asked.given.earlier) == {"tags.cost.center", "data_disks"}
    assert asked.given.now == frozenset()


@pytest.mark.parametrize("how", ["file", "template"])
def test_a_file_or_a_template_is_the_whole_word(how, tmp_path):
    file = tmp_path / "vm.yaml"
    file.write_text("zone: 1\n")
    more = {"file": file} if how == "file" else {"template": "spot"}
    asked = _asked(**more)
    assert (asked.spec.ttl == VmSpec(name="demo").ttl) is (how == "file")
    assert asked.spec.os_disk.size_gib == 256
    assert asked.given.from_memory == ()


def test_what_was_a_default_then_and_is_another_now_is_kept_and_said():
    last = RememberedSpec({"admin_user": "ada", "os_disk": {"size_gib": 256}}, ())
    asked = _asked(last)
    assert asked.spec.admin_user == "ada"
    assert asked.given.from_memory == ("admin_user",)
    assert asked.given.ever == frozenset()


def test_a_remembered_time_to_live_is_not_wanted_of_a_vm_that_is_there():
    assert "ttl" not in _asked().given.binding
    assert "ttl" in _asked(flags={"ttl": "4h"}).given.binding
    assert "os_disk.size_gib" in _asked().given.binding


def test_what_is_remembered_gives_the_same_spec_again():
    flags = {
        "os_disk": {"size_gib": 512},
        "ttl": "2h",
        "tags": {"a.b": "c"},
        "identities": ["system"],
        "resource_group": "mine",
    }
    first = specs.asked("demo", flags=flags)
    kept = remember(first.spec, first.given)
    again = _asked(RememberedSpec(json.loads(json.dumps(kept.values)), kept.given))
    assert again.spec == first.spec
    assert set(again.given.earlier) == first.given.now
    assert remember(again.spec, again.given) == kept


def test_a_flag_that_contradicts_what_is_remembered_says_where_that_comes_from():
    last = RememberedSpec({"spot": True, "max_price": 2}, ("spot", "max_price"))
    with pytest.raises(InvalidFile) as caught:
        _asked(last, flags={"spot": False})
    [problem] = caught.value.problems
    assert (problem.path, problem.source) == ("max_price", "the last create of demo")
    assert "`--fresh`" in str(caught.value.hint)


def test_the_name_may_be_set():
    asked = specs.asked(None, sets=["name=demo"], recall={"demo": _LAST}.get)
    assert asked.spec.os_disk.size_gib == 512
