"""`ccgpu image`: images whose every byte the verdict pins."""

from ccgpu.cli.commands import Command, command_group
from ccgpu.cli.image_build import build
from ccgpu.cli.image_measure import measure
from ccgpu.cli.image_publish import publish
from ccgpu.cli.image_show import show

app = command_group("image")


@app.callback()
def image() -> None:
    """Measured images: what a disk is, what is in it, and the PCRs that it leads to."""


app.command(cls=Command)(build)
app.command(cls=Command)(measure)
app.command(cls=Command)(publish)
app.command(cls=Command)(show)
