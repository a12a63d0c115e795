"""`ccgpu price`, and prices in plan, create, show and list."""

import pytest

from support.faults import NthRequest, error

_FLAGS = "--region eastus2 --ssh-from 203.0.113.7/32 --disk-encryption state-only --no-attest"


def test_price_text(shell, golden):
    done = shell("price --region eastus2 --region westeurope --data-disk 512")
    golden("cli/price.txt", str(done))


def test_every_region_of_the_spec_has_both_prices(shell):
    done = shell("price -o json")
    assert done.code == 0
    found = {one["region"]: one for one in done.document["prices"]}
    assert list(found) == ["eastus2", "westeurope", "centralus"]
    vm = found["westeurope"]["on_demand"]["parts"][0]
    assert (vm["what"], vm["hourly"], vm["unknown"]) == ("VM", 7.89, None)
    assert found["westeurope"]["spot"]["parts"][0]["hourly"] == 1.578
    assert done.document["simulated"] is True


def test_price_needs_no_sign_in_and_sends_no_request_to_arm(shell):
    assert shell("price").code == 0
    assert shell.arm.show()["requests"] == []


def test_an_unknown_currency_is_told_not_guessed(shell):
    done = shell("price --region eastus2 --currency XYZ")
    assert done.code == 0
    assert "unknown: the price list cannot be read" in done.out
    assert shell("price --currency euro").code == 2


def test_a_region_without_a_price_says_so(shell):
    done = shell("price --region northeurope -o json")
    assert done.document["prices"][0]["on_demand"]["hourly"] is None
    reasons = [one["unknown"] for one in done.document["prices"][0]["on_demand"]["parts"]]
    assert reasons == ["the price list has no VM in northeurope", None, None]


@pytest.mark.parametrize(
    ("region", "told"),
    [
        ("westeurop", "regions: westeurop is not in Azure's price list, did you mean westeurope?"),
        ("mars", "regions: mars is not in Azure's price list\n"),
    ],
)
def test_a_region_that_the_list_does_not_have_is_bad_input(shell, region, told):
    done = shell(f"price --region eastus2 --region {region}")
    assert (done.code, done.out) == (3, "")
    assert told in done.err


def test_a_region_that_another_list_has_or_that_cannot_be_looked_up_is_unknown(shell):
    assert shell("price --region chinaeast2").code == 0
    shell.arm.settings.set("prices", "service", value="down")
    assert shell("price --region mars").code == 0


def test_a_maximum_below_the_price_of_spot_is_told_before_the_first_write(shell):
    told = "max_price is 0.5 USD an hour, and the VM as Spot costs 1.3960 USD in eastus2"
    planned = shell(f"plan demo {_FLAGS.replace('--no-attest', '')} --spot --max-price 0.5 -o json")
    assert [told in one for one in planned.document["warnings"]] == [True]
    shell.arm.faults.append(
        NthRequest(0, lambda request: request.method == "PUT", error(403, "Stop", "."), times=None)
    )
    refused = shell(f"create demo {_FLAGS} --spot --max-price 0.5 --no-wait")
    assert (refused.code, told in refused.err) == (4, True)


@pytest.mark.slow
def test_doctor_warns_of_a_maximum_below_the_price_of_spot(shell):
    done = shell("doctor --region eastus2 --spot --max-price 0.5")
    assert "and the VM as Spot costs 1.3960 USD" in " ".join(done.out.split())


@pytest.mark.slow
def test_the_deployments_price_follows_what_bills(shell):
    assert shell(f"create demo {_FLAGS}").code == 0
    shown = shell("show demo -o json").document
    assert shown["hourly_usd"] == 7.037071
    bills = {one["what"] for one in shown["price"]["parts"]}
    assert bills == {"disk demo-osdisk", "VM", "public IP"}
    assert shell("stop demo").code == 0
    stopped = shell("show demo -o json").document
    assert stopped["hourly_usd"] == 0.057071
    assert stopped["spent_usd_at_most"] is None


@pytest.mark.slow
def test_list_tells_what_was_spent_at_most(shell):
    assert shell(f"create demo {_FLAGS}").code == 0
    created = shell("list -o json").document["deployments"][0]
    shell("fake advance 10h")
    later = shell("list -o json").document["deployments"][0]
    more = later["spent_usd_at_most"] - created["spent_usd_at_most"]
    assert more == pytest.approx(10 * later["hourly_usd"], abs=0.01)
    assert "<= " in shell("list").out


@pytest.mark.slow
def test_plan_and_create_tell_the_price_before_the_first_write(shell):
    planned = shell(f"plan demo {_FLAGS.replace('--no-attest', '')} -o json").document
    assert planned["price"]["currency"] == "USD"
    done = shell(f"create demo {_FLAGS}")
    told = done.err.index("the price of demo is 7.04 USD an hour")
    assert told < done.err.index("resourceGroups ccgpu-demo: create")


@pytest.mark.slow
def test_without_the_price_list_everything_works_and_says_unknown(shell):
    assert shell("fake scenario prices-down").code == 0
    done = shell(f"create demo {_FLAGS}")
    assert done.code == 0
    assert "the price of demo is unknown: the price list cannot be read" in done.err
    shown = shell("show demo -o json").document
    assert (shown["hourly_usd"], shown["price"]["hourly"]) == (None, None)
    assert "unknown: " in shell("show demo").out
    assert shell("list").code == 0
    assert "unknown: " in shell("price").out
