"""NVIDIA GPUs: what a confidential GPU says of itself, and whether NVIDIA stands behind it."""
