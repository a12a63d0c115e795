"""NVIDIA GPUs: reports, certificates, reference manifests, revocation."""
