"""Secure key release of Azure Key Vault: policies, keys, and why a release would fail."""
