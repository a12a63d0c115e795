"""Every format sends what the plan says: the same ids, API versions, bodies and order."""

import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ccgpu.render import arm_template, az_script, terraform
from ccgpu.render.rendered_plan import OpenValue, RenderedPlan
from support.rendered import (
    expected,
    new_plan,
    of_configuration,
    of_script,
    of_template,
)
from support.specs import SUBSCRIPTION, VARIANTS


def bodies(sent):
    """API version and body of each resource, in the order in which they are sent."""
    return [(id_, one.api_version, one.body) for id_, one in sent.items()]


def check(rendered: RenderedPlan) -> None:
    """All formats say what the plan says."""
    wanted = expected(rendered)
    template = of_template(arm_template.template(rendered), SUBSCRIPTION, rendered.group)
    assert template == wanted
    assert of_configuration(terraform.configuration(rendered)) == wanted
    script = of_script(az_script.script(rendered))
    assert bodies(script) == bodies(wanted)


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_every_format_sends_the_bodies_of_the_plan(changes):
    check(new_plan(**changes))


def test_a_group_of_the_users_own_is_not_rendered():
    rendered = new_plan(owns_group=False, resource_group="research", ttl="8h")
    check(rendered)
    assert rendered.own_group is None


def test_a_key_that_is_not_known_is_left_open():
    rendered = new_plan(knows_key=False)
    assert rendered.is_open(OpenValue.SSH_PUBLIC_KEY)
    check(rendered)


_PRINTABLE = st.characters(categories=["L", "N", "P", "S"], include_characters=" ")
_TAGS = st.dictionaries(
    st.text(_PRINTABLE, min_size=1, max_size=20).filter(
        lambda name: not (set(name) & set("<>%&\\?/") or name.lower().startswith("ccgpu-"))
    ),
    st.text(_PRINTABLE, max_size=40)
    | st.sampled_from(["${x}", "%{x}", "[x]", "[[x]", "$(x)", "`x`", "BODY", '"', "\\"]),
    max_size=3,
)


@pytest.mark.slow
@settings(max_examples=10)  # each starts a shell
@given(
    changes=st.sampled_from(sorted(VARIANTS)).map(VARIANTS.get),
    tags=_TAGS,
    hours=st.none() | st.integers(1, 700),
    knows_key=st.booleans(),
    owns_group=st.booleans(),
)
def test_every_spec_is_sent_as_it_is(changes, tags, hours, knows_key, owns_group):
    assume(len({name.lower() for name in tags}) == len(tags))
    more = {"tags": tags} | ({"ttl": f"{hours}h"} if hours else {})
    check(new_plan(knows_key=knows_key, owns_group=owns_group, **(changes | more)))


@pytest.mark.parametrize("changes", VARIANTS.values(), ids=VARIANTS)
def test_what_a_body_refers_to_comes_before_it(changes):
    """In a template only `dependsOn` orders resources; a script has them in order."""
    rendered = new_plan(**changes)
    sent = of_template(arm_template.template(rendered), SUBSCRIPTION, rendered.group)
    for id_, one in sent.items():
        text = json.dumps(one.body)
        named = {
            other
            for other in sent
            if other != id_ and f'{other}"' in text.replace("/subnets/", '"')
        }
        assert named <= _awaited(sent, id_)
    order = [*of_script(az_script.script(rendered))]
    assert all(order.index(need) < order.index(id_) for id_ in sent for need in sent[id_].needs)


def _awaited(sent, id_):
    """The ids that are there before this one is sent."""
    needs = sent[id_].needs
    return needs.union(*(_awaited(sent, one) for one in needs))
