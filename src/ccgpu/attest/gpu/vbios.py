"""The version of a GPU's VBIOS, which the report has as eight bytes, back to front."""


def format_version(raw: bytes) -> str:
    """The version as NVIDIA writes it: five pairs of hex digits ("96.00.9F.00.04").

    Said back to front, the last four bytes are its first four pairs, and the byte before them its
    last (NVIDIA nvtrust, local_gpu_verifier, `format_vbios_version`).
    """
    reverse = raw[::-1]
    return ".".join(f"{byte:02X}" for byte in (*reverse[4:], reverse[3]))
