"""What a VM prints on its serial console: kernel, cloud-init with the host key, set-up.

The log holds all boots. cloud-init prints the host key once, at the first boot (its documentation,
module "Keys to Console"). The texts are own; the markers are cloud-init's.
"""

from collections.abc import Iterator

from ccgpu.fakearm import Machine, MachineBoot
from ccgpu.fakeguest import hostkeys
from ccgpu.fakeguest.files import moment
from ccgpu.fakeguest.guest import SimulatedGuest

_MOST = 1 << 20  # characters; own


def serial_log(machine: Machine) -> str:
    """Everything printed so far."""
    if not machine.boots:
        return ""
    guest = SimulatedGuest(machine)
    lines = [line for _, _, line in sorted(_lines(guest), key=lambda one: one[:2])]
    if not machine.settings["key_in_log"]:
        lines = lines[_after_block(lines) :]
    return "".join(f"{line}\r\n" for line in lines)[-_MOST:]


def _lines(guest: SimulatedGuest) -> Iterator[tuple[float, int, str]]:
    """The lines with their times; the number keeps lines of one time in order."""
    number = 0
    for which, boot in enumerate(guest.machine.boots):
        for at, line in _boot_lines(guest, which, boot):
            if at <= guest.now and (boot.ended is None or at <= boot.ended):
                number += 1
                yield at, number, line
    for at, text in guest.setup.lines if guest.setup else ():
        number += 1
        yield at, number, f"ccgpu-setup: {text}"


def _boot_lines(
    guest: SimulatedGuest, which: int, boot: MachineBoot
) -> Iterator[tuple[float, str]]:
    name = guest.machine.name
    kernel = guest.kernel_of(which)
    yield (
        boot.began,
        f"[    0.000000] Linux version {kernel} (simulated) booted {moment(boot.began)}",
    )
    yield boot.began, "[    0.412907] Memory Encryption Features active: AMD SEV SEV-ES SEV-SNP"
    yield boot.began, f"[    3.118442] systemd[1]: Hostname set to <{name}>."
    if guest.is_measured:  # neither cloud-init nor a getty, and no key
        return
    if which == _key_boot(guest):
        yield from ((boot.ready, line) for line in _key_block(guest))
    ended = boot.ready + guest.machine.durations["guest.cloudInit"]
    if which == guest.first_boot_number:
        if guest.first_boot_failed:
            yield ended, "cloud-init[911]: failed to run module runcmd (scripts in /var/lib/cloud)"
        yield ended, f"cloud-init[911]: Cloud-init v. 25.2 finished at {moment(ended)}"
    yield (ended if which == guest.first_boot_number else boot.ready), f"{name} login: "


def _key_boot(guest: SimulatedGuest) -> int | None:
    """The first boot that came far enough to print the key."""
    for number, one in enumerate(guest.machine.boots):
        if one.ended is None or one.ended >= one.ready:
            return number
    return None


def _key_block(guest: SimulatedGuest) -> Iterator[str]:
    """The block between cloud-init's markers. Its key is never the one of `other_key`."""
    name, key = guest.machine.name, hostkeys.host_key(guest.machine.vm_id)
    yield f"[   21.730115] cloud-init[911]: configuring {name}"
    yield "-----BEGIN SSH HOST KEY FINGERPRINTS-----"
    yield f"256 {hostkeys.fingerprint(key)} root@{name} (ED25519)"
    yield "-----END SSH HOST KEY FINGERPRINTS-----"
    yield "-----BEGIN SSH HOST KEY KEYS-----"
    yield f"{hostkeys.public_line(key)} root@{name}"
    yield "-----END SSH HOST KEY KEYS-----"


def _after_block(lines: list[str]) -> int:
    """The place after the block: a log that was rotated begins there."""
    ends = [place for place, one in enumerate(lines) if one.startswith("-----END SSH HOST KEY")]
    return ends[-1] + 1 if ends else 0
