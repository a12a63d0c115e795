"""Signatures of bundles, as `ssh-keygen -Y` and cosign make them. Pure."""
