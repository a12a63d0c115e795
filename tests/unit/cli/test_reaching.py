"""Words of `cp`, `tunnel` and `exec` that cannot be meant: refused before anything is asked."""

import pytest

from ccgpu.cli.raw_output import binary


@pytest.mark.parametrize("words", ["a b", "demo:a demo:b", "./demo:a b", "A:b c", "/a:b c"])
def test_cp_needs_one_side_in_a_vm(shell, words):
    done = shell(f"cp {words}")
    assert done.code == 2
    assert "one of SRC and DST" in done.err
    assert shell.reached == []


@pytest.mark.parametrize(
    "ports", ["0", "65536", "80:x", "80:70000", "A", "a b", "80:90:100", "-1", "٣"]
)
def test_a_tunnel_needs_ports(shell, ports):
    assert shell(f"tunnel demo -- '{ports}'").code == 2
    assert shell.reached == []


@pytest.mark.parametrize("jump", ["-oProxyCommand=x", "a b", "h:0", "ssh://h"])
def test_a_jump_host_is_a_host(shell, jump):
    done = shell(f"exec demo '--jump={jump}' -- true")
    assert done.code == 2
    assert "[user@]host[:port]" in done.err
    assert shell.reached == []


def test_exec_needs_a_command(shell):
    assert shell("exec demo").code == 2
    assert shell("exec demo --").code == 2
    assert shell.reached == []


@pytest.mark.parametrize(
    "line", ["ssh {}", "exec {} -- true", "tunnel {} 80", "logs {}", "logs {} --serial"]
)
@pytest.mark.parametrize("name", ["UPPER", "a_b", "''", "../x"])
def test_a_name_is_one_of_a_deployment(shell, line, name):
    assert shell(line.format(name)).code == 2
    assert shell.reached == []


def test_bytes_reach_a_stream_of_text_too(shell):
    shell("list")
    out = binary(shell._console(shell.out, terminal=False))
    out.write(b"\xffok\n")
    out.flush()
    assert shell.out.getvalue().endswith("\\xffok\n")
