"""Headless Chromium, driven over its pipe by the DevTools protocol; nothing else is needed."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

_TIMEOUT = 60.0  # seconds; one page takes 0.2 on an idle machine
# Chromium reads its commands from descriptor 3, and answers on 4.
_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
_OPTIONS = (
    "--headless",
    "--remote-debugging-pipe",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--no-first-run",
    "--disable-background-networking",
    # Whatever a page asks for stays on this machine.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_COUNT_COLOURS = """
(async (data) => {
  const file = await fetch("data:image/png;base64," + data);
  const image = await createImageBitmap(await file.blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const bytes = canvas.getImageData(0, 0, image.width, image.height).data, counts = {};
  for (let i = 0; i < bytes.length; i += 4) {
    const colour = "#" + [0, 1, 2].map((j) => bytes[i + j].toString(16).padStart(2, "0")).join("");
    counts[colour] = (counts[colour] || 0) + 1;
  }
  return counts;
})
"""


@dataclass
class Tab:
    """A page in the browser, and all that it has said and asked for."""

    browser: "Chromium"
    session: str
    target: str
    messages: list[str] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)  # addresses, by the request's id
    refused: list[str] = field(default_factory=list)  # those that never left the browser

    def send(self, method: str, **parameters: Any) -> Any:
        """Send a command, and return its result."""
        return self.browser.send(method, parameters, self.session)

    def open(self, url: str, width: int = 1280, height: int = 900) -> "Tab":
        """Load a page, until all of it is there."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        self.browser.loaded.discard(self.session)
        self.send("Page.navigate", url=url)
        while self.session not in self.browser.loaded:
            self.browser.read_one()
        self.run("new Promise((done) => setTimeout(done, 50))")  # what comes late
        return self

    def media(self, name: str = "", scheme: str = "light") -> None:
        """Show the page as for print or screen, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.send("Emulation.setEmulatedMedia", media=name, features=features)

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        answer = self.send(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """Press a key."""
        for kind in ("rawKeyDown", "keyUp"):
            self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=9)

    def pdf(self) -> bytes:
        """The page as it is printed."""
        return base64.b64decode(self.send("Page.printToPDF", printBackground=False)["data"])

    def colours(self, width: int, height: int) -> dict[str, int]:
        """How many pixels of each colour the upper part of the page has, as it is seen."""
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = self.send("Page.captureScreenshot", format="png", clip=clip)["data"]
        found: dict[str, int] = self.browser.blank.run(f"({_COUNT_COLOURS})({picture!r})")
        return found


class Chromium:
    """A running browser."""

    def __init__(self, reads: int, writes: int) -> None:
        self._reads, self._writes = reads, writes
        self._number = 0
        self._buffer = b""
        self._answers: dict[int, Any] = {}
        self._tabs: dict[str, Tab] = {}
        self.loaded: set[str] = set()
        self.blank = self.tab()  # where scripts may run

    def tab(self) -> Tab:
        """A new page, which is empty."""
        target = self.send("Target.createTarget", {"url": "about:blank"})["targetId"]
        session = self.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        tab = self._tabs[session["sessionId"]] = Tab(self, session["sessionId"], target)
        for domain in ("Page", "Network", "Runtime", "Log"):
            tab.send(f"{domain}.enable")
        return tab

    def close(self, tab: Tab) -> None:
        """Close a page."""
        self.send("Target.closeTarget", {"targetId": tab.target})

    def send(self, method: str, parameters: Any, session: str | None = None) -> Any:
        """Send a command, and wait for its result."""
        self._number += 1
        number = self._number
        command = {"id": number, "method": method, "params": parameters}
        command |= {} if session is None else {"sessionId": session}
        data = memoryview(json.dumps(command).encode() + b"\0")
        while data:
            data = data[os.write(self._writes, data) :]
        while number not in self._answers:
            self.read_one()
        answer = self._answers.pop(number)
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]

    def read_one(self) -> None:
        """Read one message."""
        until = time.monotonic() + _TIMEOUT  # noqa: TID251  # a real process is waited for
        while b"\0" not in self._buffer:
            left = until - time.monotonic()  # noqa: TID251
            ready, _, _ = select.select([self._reads], [], [], max(left, 0))
            assert ready, "Chromium does not answer"
            read = os.read(self._reads, 1 << 20)
            assert read, "Chromium ended"
            self._buffer += read
        raw, _, self._buffer = self._buffer.partition(b"\0")
        message = json.loads(raw)
        if "id" in message:
            self._answers[message["id"]] = message
        elif message.get("sessionId") in self._tabs:
            self._take(message["method"], message["params"], message["sessionId"])

    def _take(self, method: str, parameters: Any, session: str) -> None:
        tab = self._tabs[session]
        match method:
            case "Page.loadEventFired":
                self.loaded.add(session)
            case "Network.requestWillBeSent":
                tab.requests[parameters["requestId"]] = parameters["request"]["url"]
            case "Network.loadingFailed" if parameters.get("blockedReason") == "csp":
                tab.refused.append(tab.requests[parameters["requestId"]])
            case "Log.entryAdded":
                tab.messages.append(parameters["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                tab.messages.append(json.dumps(parameters))
            case _:
                pass


@contextmanager
def running_chromium(folder: Path) -> Iterator[Chromium]:
    """A browser with a profile of its own in `folder`; the test is skipped without one."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs chromium")
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    commands, answers = os.pipe(), os.pipe()
    inner = [fcntl.fcntl(each, fcntl.F_DUPFD, 10) for each in (commands[0], answers[1])]
    words = [sys.executable, "-I", "-S", "-c", _START, *map(str, inner), program]
    words += [*_OPTIONS, *sandbox, f"--user-data-dir={folder}"]
    process = subprocess.Popen(
        words,
        pass_fds=inner,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8"},
    )
    for each in (*inner, commands[0], answers[1]):
        os.close(each)
    try:
        browser = Chromium(answers[0], commands[1])
        yield browser
        browser.send("Browser.close", {})
        process.wait(_TIMEOUT)
    finally:
        process.kill()
        process.wait()
        for each in (answers[0], commands[1]):
            os.close(each)
