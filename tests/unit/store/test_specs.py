"""Building a spec: what wins over what, whose name it gets, and where problems are said to be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.spec.vm import VmSpec
from ccgpu.errors import InvalidFile, UsageProblem
from ccgpu.store import specs


@pytest.fixture
def write(tmp_path):
    """Write a spec file and answer with its path."""

    def put(text: str, name: str = "vm.yaml"):
        file = tmp_path / name
        file.write_text(text, encoding="utf-8")
        return file

    return put


def _refusal(name: str | None = "demo", **given) -> InvalidFile:
    with pytest.raises(InvalidFile) as caught:
        specs.build(name, **given)
    return caught.value


def test_a_name_alone_gives_the_default_spec():
    assert specs.build("demo") == VmSpec(name="demo")


def test_flags_win_over_set_over_file_over_template(write):
    file = write("max_price: 3\nttl: 3h\nzone: 3\n")
    sets = ["ttl=2h", "zone=2"]
    spec = specs.build("demo", template="spot", file=file, sets=sets, flags={"zone": "1"})

    assert (spec.spot, spec.max_price) == (True, 3)
    assert spec.model_dump(mode="json")["ttl"] == "2h"
    assert spec.zone == "1"


def test_mappings_merge_and_lists_replace(write):
    file = write(
        "os_disk: {size_gib: 64, type: Standard_LRS}\nregions: [westeurope]\ntags: {a: b}\n"
    )
    flags = {"os_disk": {"size_gib": 512}, "regions": ["centralus"], "tags": {"c": "d"}}
    spec = specs.build("demo", file=file, flags=flags)

    assert (spec.os_disk.size_gib, spec.os_disk.type) == (512, "Standard_LRS")
    assert spec.regions == ("centralus",)
    assert spec.tags == {"a": "b", "c": "d"}


def test_null_resets_a_field_to_its_default(write):
    file = write(
        "max_price:\nregions: ~\nos_disk:\n  size_gib: null\ndata_disks:\n- {size_gib: 1, type: }\n"
    )
    spec = specs.build("demo", template="spot", file=file, sets=["ttl="])

    assert spec == VmSpec.model_validate(
        {"name": "demo", "spot": True, "data_disks": [{"size_gib": 1}]}
    )


def test_unquoted_yaml_values_are_read_as_the_type_of_their_field(write):
    text = "name: no\nzone: 1\nsecure_boot: yes\nadmin_user: y\ntags: {build: 1.10, on: 0x1F}\n"
    spec = specs.build(None, file=write(text))

    assert (spec.name, spec.zone, spec.secure_boot, spec.admin_user) == ("no", "1", True, "y")
    assert spec.tags == {"build": "1.10", "on": "0x1F"}


def test_json_is_recognised_by_suffix_or_first_character(write):
    text = '{\n\t"$schema": "x",\n\t"name": "demo",\n\t"os_disk": {"size_gib": 64}}'
    for name in ("vm.json", "vm", "vm.spec"):
        assert specs.build(None, file=write(text, name)).os_disk.size_gib == 64


def test_other_files_are_yaml(write):
    assert specs.build("demo", file=write("zone: 2\n", "vm.spec")).zone == "2"
    assert "is not JSON" in specs.check(write("zone: 2\n", "vm.json"))[0].message


@pytest.mark.parametrize("name", ["vm.yaml", "vm.json"])
def test_at_most_twenty_levels_of_nesting_are_read(name, write):
    def nested(levels: int) -> str:
        return '{"tags": ' + "[" * (levels - 1) + "1" + "]" * (levels - 1) + "}"

    assert "must be a mapping" in specs.check(write(nested(20), name))[0].message
    assert "nests deeper than 20" in specs.check(write(nested(21), name))[0].message


@pytest.mark.slow
def test_a_file_of_256_kib_is_read(write):
    text = "zone: 1\n#".ljust(256 * 1024, "x")
    assert specs.check(write(text)) == []
    assert "larger than 256 KiB" in specs.check(write(f"{text}x"))[0].message


def test_yaml_may_use_flow_style(write):
    assert specs.build(None, file=write("{name: demo, zone: 2}", "vm.yaml")).zone == "2"


def test_byte_order_mark_modeline_and_schema_key_are_allowed(write):
    text = "\ufeff# yaml-language-server: $schema=spec.json\n$schema: spec.json\nzone: 1\n"
    assert specs.build("demo", file=write(text)).zone == "1"


@pytest.mark.parametrize(
    ("argument", "inside", "name"),
    [("demo", None, "demo"), (None, "demo", "demo"), ("demo", "demo", "demo")],
)
def test_the_name_comes_from_argument_or_file(argument, inside, name, write):
    file = write(f"name: {inside}\n" if inside else "{}\n")
    assert specs.build(argument, file=file).name == name


def test_two_different_names_are_refused_naming_both(write):
    error = _refusal("one", file=write("zone: 1\nname: two\n"))

    (problem,) = error.problems
    assert (problem.path, problem.line) == ("name", 2)
    assert "'two'" in problem.message
    assert "'one'" in problem.message


def test_a_missing_name_is_refused(write):
    with pytest.raises(UsageProblem, match="no name"):
        specs.build(None)
    with pytest.raises(UsageProblem, match="no name"):
        specs.build(None, file=write("zone: 1\n"))


def test_a_bad_name_argument_is_reported_without_a_file_line(write):
    (problem,) = _refusal("Demo", file=write("zone: 1\n")).problems
    assert (problem.path, problem.source, problem.line) == ("name", "NAME", None)


def test_an_unknown_template_lists_the_templates():
    with pytest.raises(UsageProblem) as caught:
        specs.build("demo", template="nope")
    assert "minimal" in (caught.value.hint or "")


def test_all_problems_are_reported_in_file_order(write):
    text = "sizes: a\nos_disk:\n  size_gib: 1\nmax_price: 2\nzone: 9\n"
    flags = {"secure_boot": False, "os_disk": {"type": "x"}}
    file = write(text)
    error = _refusal(file=file, sets=["tags.azure=x"], flags=flags)

    assert error.source == str(file)
    assert error.hint == specs.HINT
    assert [(p.path, p.line, p.source) for p in error.problems] == [
        ("sizes", 1, str(file)),
        ("os_disk.size_gib", 3, str(file)),
        ("max_price", 4, str(file)),
        ("zone", 5, str(file)),
        ("os_disk.type", None, "--os-disk-type"),
        ("tags.azure", None, "--set tags.azure"),
        ("secure_boot", None, "--no-secure-boot"),
    ]


def test_columns_start_at_one(write):
    file = write("os_disk: {size_gib: 1}\ndata_disks:\n  - 5\n")
    assert [(p.line, p.column) for p in specs.check(file)] == [(1, 11), (3, 5)]


@pytest.mark.parametrize(
    ("flags", "source"),
    [
        ({"regions": ["?"]}, "--region"),
        ({"os_disk": {"size_gib": 1}}, "--os-disk-gib"),
        ({"os_disk": {"encryption": "x"}}, "--disk-encryption"),
        ({"os_disk": {"encryption_set": "x"}}, "--disk-encryption-set"),
        ({"data_disks": [{"size_gib": 0}]}, "--data-disk"),
        ({"identities": ["x"]}, "--identity"),
        ({"tags": {"azure": "x"}}, "--tag"),
        ({"ssh_from": "x"}, "--ssh-from"),
    ],
)
def test_a_problem_with_a_flag_names_the_flag(flags, source):
    error = _refusal(flags=flags)
    assert error.source == source
    assert [problem.source for problem in error.problems] == [source]


def test_an_overridden_value_is_not_validated(write):
    file = write("zone: 9\nssh_keys: [./not-there.pub]\nos_disk: 3\n")
    flags = {"zone": "1", "ssh_keys": [], "os_disk": {"size_gib": 64}}
    assert specs.build("demo", file=file, flags=flags).os_disk.size_gib == 64


def test_validate_accepts_a_spec_without_a_name(write):
    assert specs.check(write("zone: 1\n")) == []


@pytest.mark.parametrize(
    ("name", "words"), [("missing.yaml", "No such file"), ("", "Is a directory"), ("a\0b", "path")]
)
def test_an_unreadable_file_is_reported_with_the_reason(name, words, tmp_path):
    (problem,) = specs.check(tmp_path / name)
    assert "cannot be read" in problem.message
    assert words in problem.message


def test_a_parsed_document_has_values_and_places(write):
    document = specs.read(write("zone: 1\ntags:\n  a: b\ndata_disks:\n- size_gib: 1\n"))

    assert document.values["tags"] == {"a": "b"}
    assert document.marks[()] == (1, 1)
    assert document.marks["tags", "a"] == (3, 3)
    assert document.marks["data_disks", 0] == (5, 3)
    assert document.marks["data_disks", 0, "size_gib"] == (5, 3)


@given(st.text() | st.binary())
def test_any_file_is_parsed_or_refused(tmp_path_factory, content):
    raw = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    for suffix in (".yaml", ".json", ""):
        file = tmp_path_factory.getbasetemp() / f"any{suffix}"
        file.write_bytes(raw)
        assert all(problem.message for problem in specs.check(file))


_bits = st.sampled_from(
    ["name: ", "os_disk", ":", " ", "\n", "  ", "- ", "[", "]", "{", "}", ",", '"', "'", "&a", "*a",
     "!!x", "1", "#", "|", ">", "---", "...", "%", "\t", "\\", "null", "?", "<<", "é", "\u2028"]
)  # fmt: skip


@given(st.lists(_bits, max_size=30).map("".join))
def test_any_yaml_like_text_is_parsed_or_refused(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "like.yaml"
    file.write_text(text, encoding="utf-8")
    assert all(problem.message for problem in specs.check(file))
