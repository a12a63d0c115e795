"""The words of a run line: which are well-formed, and which are refused because they are unsafe.

Each function returns its value, or raises `ValueError` with the end of a sentence that begins with
the name of the field.
"""

import re

# Docker's and podman's reference grammar (distribution/reference): a host with a dot, a port or
# "localhost", lower-case path, tag, digest. ccgpu wants the host, so that every engine finds it.
_HOST = r"(?:localhost|[a-z0-9-]+(?:\.[a-z0-9-]+)+|[a-z0-9-]+(?=:))(?::[0-9]{1,5})?"
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_IMAGE = re.compile(
    rf"(?P<repository>(?P<host>{_HOST})(?:/{_PART})+)(?::(?P<tag>{_TAG}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_MAX_IMAGE = 512
_NAME = r"[a-z0-9][a-z0-9-]{0,62}"
_REPOSITORY = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}/[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REVISION = r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}"
COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
# Folders of a container that a mount would break, or that reach out of it.
_TAKEN = (
    "/proc",
    "/sys",
    "/dev",
    "/run",
    "/etc",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr",
    "/var/run",
)
_SECRET_WORDS = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE|API_?KEY|ACCESS_?KEY", re.ASCII)
_POINTERS = ("_FILE", "_PATH")  # a variable that names a file holds no secret


def workload_name(value: str) -> str:
    """The name of a workload in the VM: part of the names of its container and its unit."""
    if not re.fullmatch(_NAME, value, re.ASCII):
        raise ValueError("must be 1 to 63 of a-z, 0-9 and '-', and not start with '-'")
    return value


def secret_name(value: str) -> str:
    """The name of a secret: the name of its file."""
    if not re.fullmatch(_NAME, value, re.ASCII):
        raise ValueError("must be the name of a secret: 1 to 63 of a-z, 0-9 and '-'")
    return value


def template_name(value: str) -> str:
    """The name of a shipped workload, or the path of a template file."""
    is_file = value.endswith((".yaml", ".yml", ".json"))
    if not is_file and not re.fullmatch(_NAME, value, re.ASCII):
        raise ValueError("must be the name of a workload, or a file that ends with .yaml")
    return value


def model_reference(value: str) -> str:
    """`ORG/NAME` or `ORG/NAME@REVISION`."""
    if not re.fullmatch(rf"{_REPOSITORY}(?:@{_REVISION})?", value, re.ASCII) or ".." in value:
        raise ValueError("must be ORG/NAME as on huggingface.co, or ORG/NAME@COMMIT")
    return value


def image_reference(value: str) -> str:
    """A container image with its registry, and a tag that is not `latest`, or a digest."""
    match = _IMAGE.fullmatch(value)
    if match is None or len(value) > _MAX_IMAGE:
        raise ValueError(
            "must be an image with its registry, as in docker.io/library/python:3.12-slim"
        )
    if match["tag"] in (None, "latest") and match["digest"] is None:
        raise ValueError(
            "must say which version: a tag other than latest, or better a digest (@sha256:…)"
        )
    return value


def container_path(value: str) -> str:
    """An absolute path in a container that a mount may take the place of."""
    parts = value.split("/")
    if parts[0] or not all(parts[1:]) or {".", ".."} & set(parts):
        raise ValueError("must be an absolute path without '.', '..' and '//', such as /data")
    if not re.fullmatch(r"[A-Za-z0-9._/ +@=-]{2,1024}", value, re.ASCII):
        raise ValueError("must consist of letters, digits and ._/+@=- (no ':' and no ',')")
    if any(value == taken or value.startswith(f"{taken}/") for taken in _TAKEN):
        raise ValueError(f"may not be one of the system's folders ({', '.join(_TAKEN)})")
    return value


def variable_name(value: str) -> str:
    """The name of an environment variable that holds nothing secret."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", value, re.ASCII):
        raise ValueError("must be the name of a variable: letters, digits and '_'")
    if _SECRET_WORDS.search(value.upper()) and not value.upper().endswith(_POINTERS):
        raise ValueError(
            "looks like a secret, and everybody in the VM can read the environment: release it as "
            "a secret, which the container reads from /run/secrets/NAME"
        )
    return value


def url_path(value: str) -> str:
    """A path of a URL on the server itself."""
    if not re.fullmatch(r"/[A-Za-z0-9._~/-]{0,255}", value, re.ASCII) or ".." in value:
        raise ValueError("must be a path such as /health")
    return value
