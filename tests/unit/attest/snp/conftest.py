"""Simulated AMD authorities, made once: RSA keys take their time."""

import pytest

from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence.amd import Amd, Chip
from support.evidence_amd import Machine


@pytest.fixture(scope="session")
def amd() -> Amd:
    """AMD for Genoa."""
    return amds.make("Genoa", bits=2048)


@pytest.fixture(scope="session")
def milan() -> Amd:
    """AMD for Milan."""
    return amds.make("Milan", bits=2048)


@pytest.fixture(scope="session")
def turin() -> Amd:
    """AMD for Turin."""
    return amds.make("Turin", bits=2048)


@pytest.fixture(scope="session")
def machine(amd: Amd) -> Machine:
    """A machine of Azure's, on Genoa."""
    return Machine(amd, Chip())
