"""The version of a GPU's VBIOS, as text."""


def format_version(raw: bytes) -> str:
    """The version as NVIDIA writes it, "96.00.9F.00.04", from 8 bytes of the opaque data.

    The last four bytes in reverse order are its first four parts, the byte before them its last
    (NVIDIA nvtrust, local_gpu_verifier, `format_vbios_version`).
    """
    reverse = raw[::-1]
    return ".".join(f"{byte:02X}" for byte in (*reverse[4:], reverse[3]))
