"""Simulated AMD authorities, made once: RSA keys take their time."""

import pytest

from ccgpu.fakeguest.evidence import amd as amds
from ccgpu.fakeguest.evidence.amd import AmdAuthorities, SimulatedChip
from support.evidence_amd import Machine


@pytest.fixture(scope="session")
def amd() -> AmdAuthorities:
    """AMD for Genoa."""
    return amds.make_authorities("Genoa", bits=2048)


@pytest.fixture(scope="session")
def milan() -> AmdAuthorities:
    """AMD for Milan."""
    return amds.make_authorities("Milan", bits=2048)


@pytest.fixture(scope="session")
def turin() -> AmdAuthorities:
    """AMD for Turin."""
    return amds.make_authorities("Turin", bits=2048)


@pytest.fixture(scope="session")
def machine(amd: AmdAuthorities) -> Machine:
    """A machine of Azure's, on Genoa."""
    return Machine(amd, SimulatedChip())
