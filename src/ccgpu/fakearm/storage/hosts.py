"""The addresses of the blobs behind managed disks.

Form: Microsoft Learn, "Upload a VHD to Azure"; hosts as in microsoft/AzureStorageExplorer#4902.
"""

import base64
import hashlib
import re
from urllib.parse import quote

from ccgpu.fakearm.wire import Body

_HOST = re.compile(r"md-impexp-[a-z0-9]+\.z\d+\.blob\.storage\.azure\.net")
_VERSION = "2018-03-28"


def is_known_host(host: str) -> bool:
    """Whether the host is that of a managed disk's blob."""
    return _HOST.fullmatch(host) is not None


def blob_host(content: str) -> str:
    """The host of the blob with this content."""
    return f"md-impexp-{content[:12]}.z{int(content[12:14], 16) % 50}.blob.storage.azure.net"


def blob_path(content: str) -> str:
    return f"/{content[14:26]}/abcd"


def signature(content: str, access: Body) -> str:
    """The signature of an access: unknowable to clients, and the same at each call."""
    text = f"{content}/{access['policy']}/{access['level']}"
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def signed_url(content: str, access: Body) -> str:
    """The address with its shared access signature. It names a policy, which knows the end."""
    return (
        f"https://{blob_host(content)}{blob_path(content)}?sv={_VERSION}&sr=b"
        f"&si={access['policy']}&sig={quote(signature(content, access), safe='')}"
    )
