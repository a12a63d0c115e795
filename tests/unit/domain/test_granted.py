"""What the caller's roles allow: actions less notActions, wildcards, and roles that add up."""

from hypothesis import given
from hypothesis import strategies as st

from ccgpu.domain.granted import Grant, missing_actions

_READ, _WRITE = "Microsoft.Compute/virtualMachines/read", "Microsoft.Compute/virtualMachines/write"
_OWNER = Grant(("*",))
_ACTIONS = st.lists(st.sampled_from([_READ, _WRITE, "Microsoft.Network/x/join/action"]))


def test_an_owner_lacks_nothing_and_nobody_has_everything():
    assert missing_actions([_READ, _WRITE], [_OWNER]) == ()
    assert missing_actions([_READ, _READ], []) == (_READ,)


def test_not_actions_are_taken_from_their_own_role_alone():
    contributor = Grant(("*",), ("Microsoft.Compute/*/write",))
    assert missing_actions([_READ, _WRITE], [contributor]) == (_WRITE,)
    assert missing_actions([_READ, _WRITE], [contributor, Grant((_WRITE,))]) == ()


def test_wildcards_and_case():
    assert Grant(("*/READ",)).allows(_READ)
    assert not Grant(("*/read",)).allows(f"{_READ}/more")
    assert not Grant(("Microsoft.Compute/virtualMachines",)).allows(_READ)
    assert not Grant(("Microsoft.Compute/virtualMachinesX*",)).allows(_READ)
    assert not Grant(("Microsoft.Compute.virtualMachines/read".replace(".v", "?v"),)).allows(_READ)


@given(_ACTIONS, _ACTIONS)
def test_one_more_role_never_takes_a_right_away(needed, more):
    roles = [Grant(("*/read",))]
    before, after = (
        missing_actions(needed, roles),
        missing_actions(needed, [*roles, Grant((*more,))]),
    )
    assert set(after) == set(before) - set(more)
