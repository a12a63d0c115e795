"""IMAGE.yaml: what it takes, and how it says what is wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.image_recipe import ImageRecipe
from ccgpu.errors import InvalidFile
from ccgpu.store.image_recipes import read_recipe
from support.repository import ROOT

_GOOD = "name: tiny\nversion: 1.0.0\ndistribution:\n  suite: bookworm\n"


def _refusals(tmp_path, text):
    file = tmp_path / "image.yaml"
    file.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        read_recipe(file)
    assert all(problem.line for problem in caught.value.problems)
    return [f"{problem.path} {problem.message}" for problem in caught.value.problems]


def test_the_example_is_a_recipe():
    recipe = read_recipe(ROOT / "examples" / "measured" / "tiny.yaml")
    assert (recipe.name, recipe.distribution.suite, recipe.packages) == ("tiny", "bookworm", ())
    assert recipe.files[0].mode == "0644"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("package: [curl]\n", "package is not a field here, did you mean packages?"),
        ("packages: curl\n", "packages must be a list"),
        ("packages: [curl=1.2]\n", "packages.0 must be the name of a package alone"),
        ("packages: [curl, curl]\n", " names curl twice in packages"),
        ("units: [demo]\n", "units.0 must be the name of a unit with its ending"),
        ("command_line: 'a  b'\n", "command_line must be printable words with one space"),
        ("command_line: init=/bin/sh\n", "command_line must not have init"),
        ("command_line: roothash=0\n", "command_line must not have roothash"),
        ("files:\n  - path: etc/x\n    text: x\n", "files.0.path must be an absolute path"),
        ("files:\n  - path: /etc/../x\n    text: x\n", "files.0.path must be an absolute path"),
        ("files:\n  - path: /run/x\n    text: x\n", "files.0.path is below a folder"),
        ("files:\n  - path: /etc/x\n", "files.0 must have either text or source"),
        ("files:\n  - path: /x\n    text: x\n    mode: rw\n", "files.0.mode must be three octal"),
        ("driver: newest\n", "driver must be a driver branch such as 595"),
        ("containers:\n  - image: x.example/a:v1\n", "containers.0.image must name host"),
        ("containers:\n  - imag: x\n", "containers.0.imag is not a field here, did you mean"),
        ("files:\n  - path: /x\n    txt: x\n", "files.0.txt is not a field here, did you mean"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(more, said, tmp_path):
    assert any(one.startswith(said) for one in _refusals(tmp_path, _GOOD + more)), said


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("deb-src http://x bookworm main", "is not a source of packages"),
        ("deb http://x bookworm", "lacks the URL, the release or a component"),
        ("deb [trusted=yes] http://x bookworm main", "has the option trusted"),
        ("deb [signed-by=key] http://x bookworm main", "has a signed-by that is no absolute"),
        ("deb ftp://x bookworm main", "has a URL that is neither"),
    ],
)
def test_a_source_that_is_not_taken_is_explained(line, said, tmp_path):
    text = f"{_GOOD}  sources:\n    - {line}\n"
    (found,) = _refusals(tmp_path, text)
    assert found.startswith(f"distribution.sources.0 {said}")
    assert "write `deb [signed-by=KEYRING] URL SUITE COMPONENT...`" in found


@pytest.mark.parametrize("version", ["1.0", "1.0.0.0", "01.0.0", "1.0.0-rc1", "v1.0.0"])
def test_a_version_is_one_that_a_gallery_takes(version, tmp_path):
    found = _refusals(tmp_path, _GOOD.replace("1.0.0", version))
    assert found == ["version must be three whole numbers with dots, as galleries take them: 1.0.0"]


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from([*ImageRecipe.model_fields, "other"]),
        st.recursive(
            st.none() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_document_is_a_recipe_or_refused_with_places(values):
    import json
    from pathlib import Path
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as name:
        file = Path(name) / "image.json"
        file.write_text(json.dumps(values))
        said = None
        try:
            read_recipe(file)
        except InvalidFile as err:
            said = err
    if said is not None:
        assert said.problems
        assert len(str(said)) < 400 * (1 + len(said.problems))
