"""Azure's two addresses as a VM in QEMU sees them: QEMU runs this program for each connection.

`azure_addresses.py imds|wire FOLDER`: answers are files of the folder (`user-data`, `thim`); each
request is appended to `FOLDER/requests` as one line of JSON.
"""

import base64
import json
import sys
from pathlib import Path

_GOAL_STATE = """<?xml version="1.0" encoding="utf-8"?>
<GoalState><Version>2012-11-30</Version><Incarnation>1</Incarnation>
<Machine><ExpectedState>Started</ExpectedState></Machine>
<Container><ContainerId>7b324f53-983a-43bc-b919-1775d6077608</ContainerId><RoleInstanceList>
<RoleInstance><InstanceId>fbb84507-46cd-4f4e-bd78-a2edaa9d059b._demo</InstanceId></RoleInstance>
</RoleInstanceList></Container></GoalState>
"""


def answer(service: str, folder: Path, request: str) -> tuple[int, bytes]:
    """Status and body of the answer to the first line of a request."""
    if service == "wire":
        return 200, _GOAL_STATE.encode() if "comp=goalstate" in request else b""
    name = "user-data" if "/userData" in request else "thim" if "/THIM/" in request else ""
    if not name:
        return 404, b""
    file = folder / name
    data = file.read_bytes() if file.exists() else b""
    return 200, base64.b64encode(data) if name == "user-data" else data


def main(service: str, folder: Path) -> None:
    """Answer one request."""
    stream, head = sys.stdin.buffer, b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte:
            return
        head += byte
    lines = head.decode("latin1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (x.partition(": ") for x in lines[1:])}
    body = stream.read(int(headers.get("content-length", "0")))
    with (folder / "requests").open("a") as log:
        entry = {"service": service, "request": lines[0], "headers": headers}
        log.write(json.dumps({**entry, "body": body.decode("latin1")}) + "\n")
    status, content = answer(service, folder, lines[0])
    said = f"HTTP/1.1 {status} x\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    sys.stdout.buffer.write(said.encode() + content)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
