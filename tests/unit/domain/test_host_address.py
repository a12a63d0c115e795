"""`user@address[:port]`: what is one, and what is refused before it becomes words of ssh."""

import pytest

from ccgpu.domain import hostkey
from ccgpu.domain.host_address import HostAddress, check_host, parse_host_address
from support.vms import HOST_KEY


@pytest.mark.parametrize(
    ("text", "parsed", "known_as"),
    [
        ("me@10.0.0.4", HostAddress("me", "10.0.0.4"), "10.0.0.4"),
        ("me@10.0.0.4:22", HostAddress("me", "10.0.0.4"), "10.0.0.4"),
        ("me@10.0.0.4:2222", HostAddress("me", "10.0.0.4", 2222), "[10.0.0.4]:2222"),
        ("a-b@gpu-1.example", HostAddress("a-b", "gpu-1.example"), "gpu-1.example"),
        ("me@[2001:db8::1]", HostAddress("me", "2001:db8::1"), "2001:db8::1"),
        ("me@[2001:db8::1]:2222", HostAddress("me", "2001:db8::1", 2222), "[2001:db8::1]:2222"),
    ],
)
def test_an_address_is_parsed_and_named_as_known_hosts_names_it(text, parsed, known_as):
    address = parse_host_address(text)
    assert address == parsed
    assert parse_host_address(str(address)) == address
    line = address.known_hosts_line(HOST_KEY)
    assert line.split()[0] == known_as
    assert hostkey.parse(line.encode()) == HOST_KEY


@pytest.mark.parametrize(
    "text",
    [
        *("", "host", "@host", "me@", "me@host:", "me@host:0", "me@host:65536", "me@host:x"),
        *("-oProxyCommand=x@h", "me@-h", "me@h h", "me@h;x", "me@$(x)", "me@h%h", "me@h\n"),
        *(
            "a@b@c",
            "me@1.2.3",
            "me@1.2.3.400",
            "me@::1",
            "me@[::1",
            "me@[1.2.3.4]",
            "me@.h",
            "me@h-",
        ),
        f"me@{'a' * 254}",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        parse_host_address(text)


@pytest.mark.parametrize("host", ["-h", "a b", "1.2.3.4.5", "", "[::1]", "h:1"])
def test_what_is_no_address_is_refused(host):
    with pytest.raises(ValueError, match=r"."):
        check_host(host)
