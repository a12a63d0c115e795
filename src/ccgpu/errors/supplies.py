"""What is fetched or built for a VM, and is not to be had: models, images."""

from typing import ClassVar

from ccgpu.errors.base import CcgpuError


class ModelUnavailable(CcgpuError):
    """A model could not be looked up at huggingface.co, or its files are not those listed there."""

    exit_code: ClassVar[int] = 4


class ImageNotBuilt(CcgpuError):
    """A step of an image's build failed: its packages are not to be had, or a program failed."""

    exit_code: ClassVar[int] = 4
