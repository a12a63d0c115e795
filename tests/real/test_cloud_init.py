"""The real cloud-init reads what ccgpu renders: its own check of the schema, and its own merging.

The check lets unknown top-level keys pass; `unit/guest/test_cloud_init.py` has a list of its own.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ccgpu.domain.spec.guest import Guest
from ccgpu.guest.cloud_init import prebuilt_image, set_up_image
from ccgpu.guest.files import shipped_files
from support.slow import mostly_slow

_CLOUD_INIT = shutil.which("cloud-init", path="/usr/bin")
_PYTHON = "/usr/bin/python3"  # cloud-init's package is for the system's own

pytestmark = pytest.mark.skipif(_CLOUD_INIT is None, reason="needs cloud-init")

_OTHER = {
    "docker": False,
    "container_toolkit": False,
    "openssl": False,
    "apt_snapshot": "none",
    "updates": "none",
    "temp_disk": "none",
    "ready": "at-boot",
    "lockdown": False,
}
_SETTINGS: list[dict[str, Any]] = [{}, _OTHER, *({name: _OTHER[name]} for name in _OTHER)]

# cloud-init's own reader of user data, and its own merging of all cloud-config parts.
_READER = """
import json, sys
from cloudinit import user_data, util
from cloudinit.handlers.cloud_config import CloudConfigPartHandler
from cloudinit.helpers import Paths

paths = Paths({"cloud_dir": "/nonexistent", "run_dir": "/nonexistent"})
handler = CloudConfigPartHandler(paths)
scripts = []
for part in user_data.UserDataProcessor(paths).process(sys.stdin.buffer.read()).walk():
    kind, payload = part.get_content_type(), part.get_payload(decode=True)
    if part.is_multipart():
        continue
    text = util.fully_decoded_payload(part)
    if kind == "text/cloud-config":
        handler.handle_part(None, kind, part.get_filename(), text, None, dict(part))
    else:
        scripts.append([kind, text])
print(json.dumps({"config": handler.cloud_buf, "scripts": scripts}))
"""


def _render(**changes: Any) -> str:
    return set_up_image(Guest.model_validate(changes), "595.71.05", shipped_files())


def _check(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    file = folder / "user-data.yaml"
    file.write_text(text, encoding="utf-8")
    return subprocess.run(
        [str(_CLOUD_INIT), "schema", "--config-file", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )


def _read(text: str) -> Any:
    done = subprocess.run(
        [_PYTHON, "-c", _READER], input=text.encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


@pytest.mark.parametrize("changes", mostly_slow(_SETTINGS, 20), ids=str)
def test_every_template_and_option_passes_the_schema(changes, tmp_path):
    only = {name: value for name, value in changes.items() if name in ("ready", "lockdown")}
    for text in (_render(**changes), prebuilt_image(Guest.model_validate(only))):
        done = _check(tmp_path, text)
        assert done.returncode == 0, done.stderr + done.stdout
        assert "deprecat" not in (done.stderr + done.stdout).lower()


@pytest.mark.slow
def test_the_schema_is_checked_at_all(tmp_path):
    done = _check(tmp_path, _render().replace("runcmd:", "packages: curl\nruncmd:"))
    assert done.returncode != 0


@pytest.mark.slow
def test_extra_parts_add_to_the_configuration_and_change_nothing_of_it():
    own = _read(_render())["config"]
    part = (
        "#cloud-config\nssh_pwauth: true\ndisable_root: false\nlocale: de_DE.UTF-8\n"
        "ssh: {emit_keys_to_console: false}\nmounts: [[ephemeral0, /data]]\n"
        "runcmd: [[echo, mine]]\nwrite_files:\n  - {path: /x, content: grün}\npackages: [vim]\n"
    )
    script = "#!/bin/sh\necho ünï 😀\n"
    answer = _read(_render(cloud_init=[part, script]))
    merged = answer["config"]
    assert answer["scripts"] == [["text/x-shellscript", script]]
    assert merged.pop("packages") == ["vim"]
    assert merged["runcmd"] == [*own["runcmd"], ["echo", "mine"]]
    assert merged["write_files"] == [*own["write_files"], {"path": "/x", "content": "grün"}]
    assert merged["mounts"][: len(own["mounts"])] == own["mounts"]
    lists = {"runcmd", "write_files", "mounts"}
    assert {k: v for k, v in merged.items() if k not in lists} == {
        k: v for k, v in own.items() if k not in lists
    }


@pytest.mark.slow
def test_without_extra_parts_cloud_init_reads_the_same_values():
    assert _read(_render())["config"]["ssh_genkeytypes"] == ["ed25519"]
    assert _read(prebuilt_image(Guest()))["config"]["ssh_pwauth"] is False
