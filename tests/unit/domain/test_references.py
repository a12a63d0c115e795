"""ARM ids as users paste them."""

import pytest

from ccgpu.domain import references

_GROUP = "/subscriptions/11111111-2222-3333-4444-aaaaaaaaaaaa/resourceGroups/My.Group(1)"
_SUBNET = f"{_GROUP}/providers/Microsoft.Network/virtualNetworks/v_1/subnets/default"


@pytest.mark.parametrize(
    "text",
    [
        _SUBNET,
        _SUBNET.replace("resourceGroups", "resourcegroups"),
        _SUBNET.replace("Microsoft.Network", "MICROSOFT.NETWORK").replace("subnets", "SubNets"),
    ],
)
def test_ids_are_normalised_to_the_spelling_of_arm(text):
    assert references.canonical_id(text, references.SUBNET) == _SUBNET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default",
        f"{_SUBNET}/",
        f"{_SUBNET}\n",
        f" {_SUBNET}",
        _SUBNET.replace("1111-2222", "2222"),
        _SUBNET.replace("My.Group(1)", "dot."),
        _SUBNET.replace("My.Group(1)", "g" * 91),
        _SUBNET.replace("default", "d" * 81),
        _SUBNET.replace("default", "dé"),
        _SUBNET.replace("subnets", "taps"),
        _SUBNET.replace("Microsoft.Network", "MicrosoftxNetwork"),
    ],
)
def test_an_id_of_another_kind_is_refused_with_the_expected_form(text):
    with pytest.raises(ValueError, match="virtualNetworks/NAME/subnets/NAME"):
        references.canonical_id(text, references.SUBNET)
