"""The address of a machine that ccgpu did not create: `user@address[:port]`. Pure."""

import base64
import ipaddress
import re
from dataclasses import dataclass

SSH_PORT = 22
_FORM = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9._-]{0,63})@"
    r"(?:\[(?P<inner>[0-9A-Fa-f:.]+)\]|(?P<outer>[A-Za-z0-9_.-]+))(?::(?P<port>[0-9]{1,5}))?"
)
# RFC 1123, section 2.1, and `_`, which some have.
_DNS_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_NUMERIC = re.compile(r"[0-9.]+")


@dataclass(frozen=True, slots=True)
class HostAddress:
    """Who logs in, and where: an IP address or a DNS name, and the port of sshd."""

    user: str
    host: str
    port: int = SSH_PORT

    def __str__(self) -> str:
        """As `parse_host_address` takes it; the usual port is left out."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}" + ("" if self.port == SSH_PORT else f":{self.port}")

    def known_hosts_line(self, blob: bytes) -> str:
        """The line of known_hosts (sshd(8)) for a machine with this ssh-ed25519 key blob."""
        name = self.host if self.port == SSH_PORT else f"[{self.host}]:{self.port}"
        return f"{name} ssh-ed25519 {base64.b64encode(blob).decode('ascii')}"


def check_host(host: str) -> None:
    """Raise `ValueError` unless it is an IP address or a DNS name."""
    if ":" in host or _NUMERIC.fullmatch(host):
        ipaddress.ip_address(host)
    elif not _DNS_NAME.fullmatch(host):
        raise ValueError(f"{host[:60]!r} is not an address")


def parse_host_address(text: str) -> HostAddress:
    """The address in `user@address[:port]`; `ValueError` for any other text."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is not user@address[:port]; an IPv6 address is in [ ]")
    host, port = match["inner"] or match["outer"], int(match["port"] or SSH_PORT)
    if match["inner"]:
        ipaddress.IPv6Address(host)
    check_host(host)
    if not 0 < port < 65536:
        raise ValueError(f"{text[:60]!r}: a port is a number from 1 to 65535")
    return HostAddress(match["user"], host, port)
