"""What a secret may be called, how large it may be, and that its value is in no message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.secret import (
    LAST_OWNER,
    MOST_BYTES,
    MOST_SECRETS,
    Secret,
    find_problem,
    is_secret_name,
    require_releasable,
)
from ccgpu.errors import UsageProblem

_CANARY = b"canary-9f31"


@pytest.mark.parametrize("name", ["a", "0", "hf-token", "a" * 63, "a-"])
def test_good_names(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["", "-a", "A", "a_b", "a.b", "../a", "a/b", "a" * 64, "a\n", "é", "٣"]
)
def test_bad_names(name):
    assert not is_secret_name(name)
    assert find_problem(Secret(name, b"x")) is not None


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        (Secret("a", b""), "its value is empty"),
        (Secret("a", bytes(MOST_BYTES + 1)), "65,537 bytes; at most 65,536"),
        (Secret("a", b"x", -1), "owner -1 is no user id"),
        (Secret("a", b"x", LAST_OWNER + 1), "owner 4294967295 is no user id"),
    ],
)
def test_what_is_wrong_is_told(secret, words):
    assert words in (find_problem(secret) or "")
    with pytest.raises(UsageProblem, match="secret a"):
        require_releasable([secret])


def test_the_limits_themselves_are_good():
    many = [Secret(f"s{number}", bytes(MOST_BYTES), LAST_OWNER) for number in range(MOST_SECRETS)]
    require_releasable(many)
    with pytest.raises(UsageProblem, match="17 secrets are too many"):
        require_releasable([*many, Secret("one-more", b"x")])


def test_none_and_two_of_one_name_are_refused():
    with pytest.raises(UsageProblem, match="no secret"):
        require_releasable([])
    with pytest.raises(UsageProblem, match="secret a is given twice"):
        require_releasable([Secret("a", b"1"), Secret("b", b"2"), Secret("a", b"3")])


@given(st.text(max_size=70), st.integers())
def test_no_message_has_the_value(name, owner):
    secret = Secret(name, _CANARY, owner)
    assert "canary" not in f"{secret!r}{secret}{find_problem(secret)}"
