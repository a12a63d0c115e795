"""An entry of `data_disks`: an empty disk beside the OS disk."""

from typing import Annotated

from pydantic import Field

from ccgpu.domain import catalog
from ccgpu.domain.spec.fields import DiskType, Gib
from ccgpu.domain.spec.section import Section


class DataDisk(Section):
    """An empty disk beside the OS disk. It is not covered by confidential encryption."""

    size_gib: Annotated[
        Gib,
        Field(ge=catalog.DATA_DISK_GIB[0], le=catalog.DATA_DISK_GIB[1], description="Size in GiB."),
    ]
    type: Annotated[DiskType, Field(description="Kind of storage; Premium_LRS is the fastest.")] = (
        "Premium_LRS"
    )
