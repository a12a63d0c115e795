"""`image publish`: the image arrives byte by byte, and nothing else stays."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ccgpu.azure.long_running import run_task
from ccgpu.azure.run import Run
from ccgpu.domain.resource import tags_of
from ccgpu.errors import (
    AzureRefused,
    ImageRejected,
    Interrupted,
    InvalidFile,
    LeftBehind,
    TimedOut,
    UsageProblem,
)
from ccgpu.fakearm import Request, Response
from ccgpu.image.blocks import BytesBlocks
from ccgpu.image.page_ranges import PageRange, data_ranges, ranges_outside
from ccgpu.workflows import gc as collecting
from ccgpu.workflows.publish.version import remove_half_made
from support import built_folders, faults
from support.built_folders import (
    API,
    DEFINITION,
    GALLERY,
    STAYS,
    VERSION,
    BuiltFolder,
    build_folder,
    publish,
    upload_disks,
    with_version,
)
from support.cloud import Machine
from support.faults import NthRequest, request_to

PAGES = request_to("PUT", "/abcd")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuiltFolder:
    return build_folder(tmp_path_factory.mktemp("image") / "built")


def ranges_of(built: BuiltFolder) -> list[PageRange]:
    """What has to be sent."""
    return list(data_ranges(BytesBlocks(built.vhd)))


def reads_pages(request: Request) -> bool:
    """Reads of bytes, not of the list of ranges."""
    return request.method == "GET" and request.path.endswith("/abcd") and "comp=" not in request.url


def sent_pages(machine: Machine) -> int:
    """The number of ranges that were written."""
    paths = [path for method, path in machine.writes() if method == "PUT"]
    return sum(path.endswith("/abcd") for path in paths)


def test_the_version_has_the_bytes_of_the_vhd_and_its_digests(
    machine: Machine, built: BuiltFolder
) -> None:
    outcome = publish(machine, built, regions=("East US 2", "westeurope"))
    assert outcome.action == "published"
    assert [(one.region, one.state) for one in outcome.copies] == [
        ("eastus2", "Completed"),
        ("westeurope", "Completed"),
    ]
    assert machine.kinds() == STAYS
    assert built_folders.version_bytes(machine.arm) == built.vhd
    assert 0 < outcome.sent < len(built.vhd) // 10, "zeros were sent"
    body = machine.get(VERSION, API)
    assert tags_of(body).items() >= outcome.wanted.digests.items()
    assert not list((machine.state / "journals" / "publications").rglob("*.json"))


def test_a_second_command_has_nothing_to_do_and_can_add_a_region(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built)
    before = machine.writes()
    assert publish(machine, built).action == "unchanged"
    assert machine.writes() == before
    outcome = publish(machine, built, regions=("westeurope", "centralus"))
    assert outcome.action == "extended"
    assert {one.region for one in outcome.copies} == {"eastus2", "westeurope", "centralus"}
    assert built_folders.version_bytes(machine.arm) == built.vhd


def test_a_region_that_does_not_exist_is_refused_before_the_first_write(
    machine: Machine, built: BuiltFolder
) -> None:
    with pytest.raises(InvalidFile, match="westeurop is not an Azure region, did you mean westeur"):
        publish(machine, built, regions=("eastus2", "westeurop"))
    assert machine.writes() == []


def replicas(machine: Machine) -> dict[str, int]:
    """The copies that the version shall have in each region, as Azure says."""
    targets = machine.get(VERSION, API)["properties"]["publishingProfile"]["targetRegions"]
    return {one["name"]: one["regionalReplicaCount"] for one in targets}


def test_replicas_of_a_version_that_is_there_are_changed_where_they_are_meant(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built, regions=("eastus2", "westeurope"), replicas=2)
    outcome = publish(machine, built, regions=(), replicas=3)
    assert outcome.action == "updated"
    assert [(one.region, one.replicas) for one in outcome.copies] == [
        ("eastus2", 3),
        ("westeurope", 3),
    ]
    assert publish(machine, built, regions=("westeurope",), replicas=1).action == "updated"
    assert replicas(machine) == {"eastus2": 3, "westeurope": 1}
    before = machine.writes()
    for more in ({"replicas": 3}, {}, {"regions": ("westeurope",), "replicas": 1}):
        assert publish(machine, built, **more).action == "unchanged"
    assert machine.writes() == before
    assert publish(machine, built, regions=("centralus",)).action == "extended"
    assert replicas(machine) == {"eastus2": 3, "westeurope": 1, "centralus": 1}
    assert built_folders.version_bytes(machine.arm) == built.vhd
    assert not list((machine.state / "journals" / "publications").rglob("*.json"))


def test_a_change_of_copies_that_fails_leaves_the_version_and_is_tried_again(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built)
    machine.arm.configure({"replication": {"seconds": {"*": 180.0}, "fails": ["westeurope"]}})
    with pytest.raises(AzureRefused, match="CrpPirReplicationJobsNotCompleted"):
        publish(machine, built, regions=("westeurope",), replicas=2)
    machine.arm.advance(400 * 24 * 3600)
    assert collecting.collect(machine.cloud, yes=True).found == ()
    assert built_folders.version_bytes(machine.arm) == built.vhd
    machine.arm.configure({"replication": {"seconds": {"*": 180.0}, "fails": []}})
    before = sent_pages(machine)
    assert publish(machine, built).action == "updated"
    assert machine.get(VERSION, API)["properties"]["provisioningState"] == "Succeeded"
    assert replicas(machine) == {"eastus2": 1, "westeurope": 2}
    assert sent_pages(machine) == before


def test_an_interrupted_change_of_copies_says_so_and_is_waited_for(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built)
    machine.arm.faults.append(NthRequest(1, request_to("GET", "/versions/"), KeyboardInterrupt()))
    with pytest.raises(Interrupted, match="the image stays published") as raised:
        publish(machine, built, replicas=2)
    assert raised.value.resources == ()
    machine.arm.faults.clear()
    assert publish(machine, built, replicas=2).action == "unchanged"
    assert replicas(machine) == {"eastus2": 2}


def test_another_image_of_the_same_version_is_refused(machine: Machine, built: BuiltFolder) -> None:
    publish(machine, built)
    machine.put(
        VERSION,
        API,
        {**machine.get(VERSION, API), "tags": {"ccgpu-image-manifest": "0" * 64}},
    )
    with pytest.raises(UsageProblem, match=r"tiny 1\.2\.3 is in the gallery images already"):
        publish(machine, built)
    assert machine.kinds() == STAYS


def test_a_definition_that_does_not_fit_is_refused_by_name(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built)
    fits = machine.get(DEFINITION, API)
    other = {**fits["properties"], "osState": "Specialized"}
    other["identifier"] = {**other["identifier"], "sku": "other"}
    machine.put(f"{GALLERY}/images/other", API, {**fits, "properties": other})
    before = machine.writes()
    with pytest.raises(UsageProblem, match=r"definition other in .* osState is Specialized"):
        publish(machine, built, name="other")
    assert machine.writes() == before


def test_nothing_is_sent_of_a_disk_that_is_not_the_manifests(
    machine: Machine, tmp_path: Path
) -> None:
    built = build_folder(tmp_path / "built")
    disk = built.path / "disk.vhd"
    data = bytearray(built.vhd)
    data[-513] ^= 1
    disk.write_bytes(data)
    with pytest.raises(ImageRejected):
        publish(machine, built)
    disk.write_bytes(built.vhd[:-512])
    with pytest.raises(ImageRejected):
        publish(machine, built)
    assert not machine.arm.show()["requests"]


def test_nothing_is_sent_of_a_version_that_no_gallery_takes(
    machine: Machine, tmp_path: Path
) -> None:
    built = build_folder(tmp_path / "built", with_version("1.0-rc1"))
    with pytest.raises(InvalidFile, match=r"version: is '1\.0-rc1'"):
        publish(machine, built)
    assert not machine.arm.show()["requests"]


def test_an_interrupt_removes_the_disk_and_the_rest_is_said(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(NthRequest(2, PAGES, KeyboardInterrupt()))
    with pytest.raises(Interrupted, match="the disk of the upload is removed") as raised:
        publish(machine, built)
    assert raised.value.resources == ()
    assert upload_disks(machine) == []
    machine.arm.faults.clear()
    assert publish(machine, built).action == "published"
    assert built_folders.version_bytes(machine.arm) == built.vhd


def test_an_interrupt_before_the_footer_removes_the_disk_too(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(NthRequest(0, PAGES, KeyboardInterrupt()))
    with pytest.raises(Interrupted):
        publish(machine, built)
    assert upload_disks(machine) == []


def test_a_second_interrupt_ends_at_once_and_says_what_may_be_left(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(NthRequest(1, PAGES, KeyboardInterrupt()))
    machine.arm.faults.append(NthRequest(0, request_to("DELETE", "/disks/"), KeyboardInterrupt()))
    with pytest.raises(Interrupted) as raised:
        publish(machine, built)
    assert [(one.id, one.state, one.billed) for one in raised.value.resources] == [
        (upload_disks(machine)[0], "exists", True)
    ]


def test_an_interrupt_while_azure_copies_leaves_the_version_to_the_next_command(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(
        NthRequest(3, request_to("GET", "/versions/1.2.3"), KeyboardInterrupt())
    )
    with pytest.raises(Interrupted, match="Azure goes on making the image version") as raised:
        publish(machine, built)
    assert len(raised.value.resources) == 2
    machine.arm.faults.clear()
    before = sent_pages(machine)
    assert publish(machine, built).action == "unchanged"
    assert sent_pages(machine) == before
    assert machine.kinds() == STAYS


def test_a_failed_copy_leaves_no_half_made_version(machine: Machine, built: BuiltFolder) -> None:
    machine.arm.configure({"replication": {"seconds": {"*": 180.0}, "fails": ["westeurope"]}})
    with pytest.raises(AzureRefused):
        publish(machine, built, regions=("eastus2", "westeurope"))
    assert machine.kinds() == ["galleries", "images", "resourceGroups"]


def test_the_time_limit_ends_an_upload_and_removes_the_disk(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(NthRequest(3, PAGES, faults.UNAVAILABLE, None))
    with pytest.raises(TimedOut):
        publish(machine, built, timeout=90.0)
    assert upload_disks(machine) == []


def test_a_disk_that_stays_is_reported_and_gc_removes_it(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.faults.append(NthRequest(2, PAGES, faults.error(400, "BadRequest"), None))
    refuse = NthRequest(0, request_to("DELETE", "/disks/"), faults.error(409, "ScopeLocked"), None)
    machine.arm.faults.append(refuse)
    with pytest.raises(LeftBehind) as raised:
        publish(machine, built)
    assert [one.id for one in raised.value.resources] == upload_disks(machine)
    machine.arm.faults.clear()
    found = collecting.collect(machine.cloud, yes=True).found
    assert found == (), "its command may still be running"
    machine.arm.advance(5 * 3600)
    found = collecting.collect(machine.cloud, yes=False).found
    assert [(one.why, one.action) for one in found] == [("unfinished", "would-remove")]
    assert len(upload_disks(machine)) == 1
    found = collecting.collect(machine.cloud, yes=True).found
    assert [one.action for one in found] == ["removed"]
    assert upload_disks(machine) == []


def test_gc_leaves_complete_versions_and_what_is_not_ours(
    machine: Machine, built: BuiltFolder
) -> None:
    publish(machine, built)
    group = "/resourceGroups/ccgpu-images/providers/Microsoft.Compute/disks/theirs"
    body = {"location": "eastus2", "properties": {"creationData": {"createOption": "Empty"}}}
    body["properties"] |= {"diskSizeGB": 4}  # type: ignore[operator]
    machine.put(group, "2026-03-02", body)
    machine.arm.advance(400 * 24 * 3600)
    assert collecting.collect(machine.cloud, yes=True).found == ()
    assert machine.kinds() == sorted([*STAYS, "disks"])


def test_an_upload_goes_on_with_what_is_there(machine: Machine, built: BuiltFolder) -> None:
    """As after a kill: four ranges are written, and one of them has other bytes."""
    written: list[Request] = []

    def keep(request: Request, _: Any) -> None:
        written.extend([request] if PAGES(request) else [])

    machine.arm.on_commit = keep
    machine.arm.faults.append(NthRequest(4, PAGES, SystemExit()))
    with pytest.raises(SystemExit):
        publish(machine, built)
    zeros = bytes(len(written[-1].body))
    headers = {**written[-1].headers, "Content-MD5": built_folders.md5(zeros)}
    machine.arm.send(replace(written[-1], headers=headers, body=zeros))
    before = sent_pages(machine)
    outcome = publish(machine, built)
    assert any("going on with it" in one.text for one in machine.events)
    total = ranges_of(built)
    assert len(total) > 6
    assert sent_pages(machine) - before == len(total) - 3
    assert outcome.sent < sum(one.size for one in total)
    assert built_folders.version_bytes(machine.arm) == built.vhd


def test_a_permission_that_ends_is_asked_for_again(machine: Machine, built: BuiltFolder) -> None:
    over = faults.error(403, "x", x_ms_error_code="AuthenticationFailed")
    machine.arm.faults.append(NthRequest(3, PAGES, over))
    assert publish(machine, built).action == "published"
    assert built_folders.version_bytes(machine.arm) == built.vhd
    machine.arm.faults.append(NthRequest(1, PAGES, over, None))
    with pytest.raises(AzureRefused, match="AuthenticationFailed"):
        publish(machine, built, name="other")
    assert upload_disks(machine) == []


def test_a_disk_that_cannot_be_read_is_written_anew(machine: Machine, built: BuiltFolder) -> None:
    machine.arm.faults.append(NthRequest(4, PAGES, SystemExit()))
    with pytest.raises(SystemExit):
        publish(machine, built)
    before = sent_pages(machine)
    refuse = NthRequest(0, reads_pages, faults.error(403, "AuthorizationPermissionMismatch"), None)
    machine.arm.faults.append(refuse)
    publish(machine, built)
    assert sent_pages(machine) - before == len(ranges_of(built))
    assert built_folders.version_bytes(machine.arm) == built.vhd


def test_bytes_that_were_damaged_on_the_way_are_sent_again(
    machine: Machine, built: BuiltFolder
) -> None:
    refused = faults.error(400, "Md5Mismatch", x_ms_error_code="Md5Mismatch")
    other = Response(201, None, {"Content-MD5": built_folders.md5(b"other")})
    machine.arm.faults += [NthRequest(2, PAGES, refused), NthRequest(4, PAGES, other)]
    publish(machine, built)
    assert built_folders.version_bytes(machine.arm) == built.vhd


def test_a_range_that_never_arrived_ends_the_upload(machine: Machine, built: BuiltFolder) -> None:
    machine.arm.faults.append(NthRequest(2, PAGES, Response(201)))
    with pytest.raises(AzureRefused, match=f"1 of {len(ranges_of(built))} ranges are not on it"):
        publish(machine, built)
    assert upload_disks(machine) == []


def test_bytes_that_the_vhd_does_not_have_end_the_upload(
    machine: Machine, built: BuiltFolder
) -> None:
    written: list[Request] = []
    machine.arm.on_commit = lambda request, _: written.append(request)
    hole = next(ranges_outside([PageRange(0, len(built.vhd))], ranges_of(built)))

    def add(request: Request) -> None:
        if PAGES(request) and len(written) and not add.done:  # type: ignore[attr-defined]
            add.done = True  # type: ignore[attr-defined]
            data = b"x" * 512
            headers = {**request.headers, "Content-MD5": built_folders.md5(data)}
            headers["x-ms-range" if "x-ms-range" in headers else "Range"] = (
                f"bytes={hole.offset}-{hole.offset + 511}"
            )
            machine.arm.faults.remove(add)
            machine.arm.send(replace(request, headers=headers, body=data))

    add.done = False  # type: ignore[attr-defined]
    machine.arm.faults.append(add)
    with pytest.raises(AzureRefused, match=f"from byte {hole.offset} it has what the VHD"):
        publish(machine, built)
    assert upload_disks(machine) == []


def test_a_change_by_others_that_failed_does_not_make_a_version_half_made(
    machine: Machine, built: BuiltFolder
) -> None:
    made = publish(machine, built)
    machine.arm.configure({"replication": {"seconds": {"*": 30.0}, "fails": ["westeurope"]}})
    body = machine.get(VERSION, API)
    profile = body["properties"]["publishingProfile"]
    profile["targetRegions"].append({"name": "westeurope", "regionalReplicaCount": 1})
    storage = body["properties"]["storageProfile"]
    changed = {"publishingProfile": profile, "storageProfile": storage}
    machine.put(
        VERSION, API, {key: body[key] for key in ("location", "tags")} | {"properties": changed}
    )
    assert machine.get(VERSION, API)["properties"]["provisioningState"] == "Failed"
    machine.arm.advance(400 * 24 * 3600)
    assert collecting.collect(machine.cloud, yes=True).found == ()
    run = Run.begin(machine.cloud, 600)
    run_task(run, remove_half_made(run, made.wanted.version_id))
    assert machine.kinds() == STAYS
    machine.arm.configure({"replication": {"seconds": {"*": 30.0}, "fails": []}})
    before = sent_pages(machine)
    assert publish(machine, built, regions=("westeurope",)).action == "updated"
    assert sent_pages(machine) == before, "it was made anew"
    assert machine.get(VERSION, API)["properties"]["provisioningState"] == "Succeeded"


def test_gc_removes_a_half_made_version_and_then_its_disk(
    machine: Machine, built: BuiltFolder
) -> None:
    machine.arm.configure({"replication": {"seconds": {"*": 180.0}, "fails": ["eastus2"]}})
    machine.arm.faults.append(NthRequest(3, request_to("GET", "/versions/1.2.3"), SystemExit()))
    with pytest.raises(SystemExit):
        publish(machine, built, timeout=600)
    machine.arm.faults.clear()
    machine.arm.advance(2 * 3600)
    assert collecting.collect(machine.cloud, yes=True).found == (), "the version is young"
    assert len(upload_disks(machine)) == 1, "it tells that the version is half-made"
    machine.arm.advance(5 * 3600)
    locked = NthRequest(
        0, request_to("DELETE", "/versions/"), faults.error(409, "ScopeLocked"), None
    )
    machine.arm.faults.append(locked)
    assert [one.action for one in collecting.collect(machine.cloud, yes=True).found] == ["failed"]
    assert len(upload_disks(machine)) == 1
    machine.arm.faults.clear()
    done = collecting.collect(machine.cloud, yes=True).found
    assert [one.action for one in done] == ["removed", "removed"]
    assert machine.kinds() == ["galleries", "images", "resourceGroups"]
