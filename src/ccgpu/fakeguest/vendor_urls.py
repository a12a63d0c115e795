"""The addresses of the simulated vendors' services. RFC 2606: names in `.invalid` never exist."""

KDS_URL = "https://kds.simulated-amd.invalid"
RIM_URL = "https://rim.simulated-nvidia.invalid/v1/rim/"
OCSP_URL = "https://ocsp.simulated-nvidia.invalid/"
