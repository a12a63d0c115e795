"""Simulated services, their keys made once, and what the verifier refuses of their tokens."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import pytest

from ccgpu.attest.check import Checks, Verified
from ccgpu.attest.tokens import maa, nras
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import MaaToken, NrasResponse, TokenSigner

AT = tokens.ISSUED + timedelta(minutes=10)
NONCE = bytes(range(32))
VM_ID = tokens.VM_ID

Refusals = Callable[..., set[str]]


@pytest.fixture(scope="session")
def nras_key() -> TokenSigner:
    """The key of NVIDIA's service."""
    return tokens.nras_signer()


@pytest.fixture(scope="session")
def maa_key() -> TokenSigner:
    """The key of Microsoft's service."""
    return tokens.maa_signer()


@pytest.fixture
def answer(nras_key: TokenSigner) -> NrasResponse:
    """NVIDIA's answer about one GPU that is as it should be."""
    return NrasResponse(nras_key, NONCE)


@pytest.fixture
def token(maa_key: TokenSigner) -> MaaToken:
    """Microsoft's token about a guest that is as it should be."""
    return MaaToken(maa_key, NONCE)


@pytest.fixture
def nras_refusals(nras_key: TokenSigner) -> Refusals:
    """The reason codes for an answer of NVIDIA's service; none if it is verified."""

    def refusals(
        answer: NrasResponse | bytes,
        *,
        jwks: bytes | None = None,
        at: datetime = AT,
        nonce: bytes = NONCE,
        issuers: Sequence[str] = (tokens.NRAS_ISSUER,),
        gpus: int = 1,
        evidence: Mapping[str, nras.GpuVersions] | None = None,
    ) -> set[str]:
        checks = Checks()
        outcome = nras.verify(
            answer if isinstance(answer, bytes) else answer.signed(),
            tokens.key_set(nras_key.jwk()) if jwks is None else jwks,
            at,
            checks,
            nonce=nonce,
            issuers=issuers,
            gpus=gpus,
            evidence=evidence,
        )
        return _refused(checks, verified=isinstance(outcome, Verified))

    return refusals


@pytest.fixture
def maa_refusals(maa_key: TokenSigner) -> Refusals:
    """The reason codes for a token of Microsoft's service; none if it is verified."""

    def refusals(
        token: MaaToken | bytes,
        *,
        jwks: bytes | None = None,
        at: datetime = AT,
        nonce: bytes = NONCE,
        issuers: Sequence[str] = (tokens.MAA_ISSUER,),
        vm_id: str | None = VM_ID,
    ) -> set[str]:
        checks = Checks()
        outcome = maa.verify(
            token if isinstance(token, bytes) else token.signed(),
            tokens.key_set(maa_key.jwk()) if jwks is None else jwks,
            at,
            checks,
            issuers=issuers,
            nonce=nonce,
            vm_id=vm_id,
        )
        return _refused(checks, verified=isinstance(outcome, Verified))

    return refusals


def _refused(checks: Checks, *, verified: bool) -> set[str]:
    refused = {check.id for check in checks.made if not check.ok}
    assert verified == (not refused)
    return refused
