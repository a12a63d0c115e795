"""The forecast of `plan` and `doctor`: the same, in order, and silent about nothing."""

from ccgpu.azure.run import Run
from ccgpu.fakearm import FakeArm, scenarios
from ccgpu.workflows.forecast import forecast
from support.cli import Shell
from support.cloud import make_cloud, make_spec

_LINE = "--region eastus2 --ssh-from 203.0.113.7/32 -o json --query forecast"


def test_plan_and_doctor_have_the_same_forecast_with_the_end_of_the_image(tmp_path):
    shell = Shell(tmp_path).with_key()
    scenarios.apply(shell.arm, "image-ends")
    planned, checked = shell(f"plan demo {_LINE}"), shell(f"doctor {_LINE}")
    assert planned.document == checked.document
    dates = [one["on"] for one in planned.document]
    assert dates == sorted(dates)
    (image,) = [one for one in planned.document if one["source"].startswith("Azure")]
    assert image["on"] == "2027-06-30"
    assert "24.04.202609150" in image["what"]
    assert all(one["source"] and one["remedy"] for one in planned.document)


def test_an_end_that_azure_does_not_tell_is_listed_without_a_date(tmp_path):
    run = Run.begin(make_cloud(FakeArm(), tmp_path), 60)
    image = {"publisher": "x", "offer": "y", "sku": "z", "version": "1.0.0"}
    *_, last = forecast(run, make_spec(), "eastus2", image)
    assert last.on is None
    assert "Azure does not tell now" in last.then


def test_a_workload_dates_the_table_of_models(tmp_path):
    run = Run.begin(make_cloud(FakeArm(), tmp_path), 60)
    image = {"publisher": "x", "offer": "y", "sku": "z", "version": "1.0.0"}
    plain = forecast(run, make_spec(), "eastus2", image)
    ends = forecast(run, make_spec(workload={"use": "shell"}), "eastus2", image)
    (table,) = set(ends) - set(plain)
    assert table.what.startswith("ccgpu's table of models")
    assert table.on is not None


def test_an_image_that_brings_its_driver_has_no_manifest_of_ours(tmp_path):
    run = Run.begin(make_cloud(FakeArm(), tmp_path), 60)
    gallery = "cgpuimage-db870bae-5bcf-4120-9415-b841adef61d3"
    image = (
        f"/CommunityGalleries/{gallery}/Images/cgpu-NCC-2404-base-image/Versions/2404.20260928.0"
    )
    ends = forecast(run, make_spec(image=image), "eastus2", {"communityGalleryImageId": image})
    assert not any("signer" in one.what for one in ends)
    assert len(ends) == 3
