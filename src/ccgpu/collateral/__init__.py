"""Fetch and cache collateral. Nothing is trusted here: `attest` verifies it each time."""
