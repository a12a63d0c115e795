"""Queries about the caller's account, for `doctor`, and about the end of an image, for forecasts.

Sources: Microsoft Learn, "Subscriptions - Get", "Permissions - List For Resource Group"; the models
`ImageDeprecationStatus` and `CommunityGalleryImageVersionProperties` of azure-mgmt-compute.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ccgpu.azure.arm import Arm
from ccgpu.azure.errors import translating_errors
from ccgpu.azure.images import ImageReader
from ccgpu.domain.forecast import ImageEnd
from ccgpu.domain.granted import Grant

# The SDK packages in use have no clients for these two: their newest stable versions.
_SUBSCRIPTIONS_API = "2022-12-01"
_AUTHORIZATION_API = "2022-04-01"


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription: its name, its tenant, and its state."""

    name: str
    tenant: str
    state: str


class Account:
    """Queries about the account, over the session's subscription."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm

    def subscription(self) -> Subscription:
        """The session's subscription."""
        id_ = f"/subscriptions/{self._arm.subscription}"
        with translating_errors(f"reading {id_}"):
            body = self._read(id_, _SUBSCRIPTIONS_API)
            return Subscription(
                str(body["displayName"]), str(body.get("tenantId")), str(body["state"])
            )

    def grants(self, scope: str) -> tuple[Grant, ...]:
        """The permissions of each of the caller's roles at a subscription or a group.

        They are the caller's own, and need no right to read role assignments. The list is short:
        if it has more than one page, `KeyError` is translated, as for an answer of another form.
        """
        with translating_errors(f"reading your permissions at {scope}"):
            body = self._read(
                f"{scope}/providers/Microsoft.Authorization/permissions", _AUTHORIZATION_API
            )
            if body.get("nextLink"):
                raise KeyError("nextLink")
            return tuple(
                Grant(tuple(one["actions"]), tuple(one.get("notActions") or ()))
                for one in body["value"]
            )

    def image_end(self, region: str, reference: Mapping[str, str]) -> ImageEnd | None:
        """When an image version ends; None if nothing is announced, or it is of a private gallery.

        reference: the `imageReference` of an exact version.
        """
        with translating_errors(f"reading when the image ends in {region}"):
            if "publisher" in reference:
                return self._marketplace_end(region, reference)
            if community := reference.get("communityGalleryImageId"):
                return self._community_end(region, community)
            return None

    def _marketplace_end(self, region: str, reference: Mapping[str, str]) -> ImageEnd | None:
        parts = [reference[one] for one in ("publisher", "offer", "sku", "version")]
        image = ImageReader(self._arm, region).marketplace(*parts)
        end = (image.get("imageDeprecationStatus") or {}).get("scheduledDeprecationTime")
        field = "imageDeprecationStatus.scheduledDeprecationTime"
        return None if end is None else ImageEnd(":".join(parts), _parse_time(end), field)

    def _community_end(self, region: str, id_: str) -> ImageEnd | None:
        _, _, gallery, _, image, _, version = id_.split("/")
        end = ImageReader(self._arm, region).community(gallery, image, version).get("endOfLifeDate")
        return None if end is None else ImageEnd(id_, _parse_time(end), "endOfLifeDate")

    def _read(self, id_: str, api_version: str) -> dict[str, Any]:
        return {**self._arm.reader.get(quote(id_), api_version)}


def _parse_time(text: str) -> datetime:
    """A time of ARM's; a `TypeError`, as any answer of another form, if it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as err:
        raise TypeError(f"{text!r} is no time") from err
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
