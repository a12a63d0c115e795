"""Who made a token, for whom and for which time: the same for both services."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ccgpu.attest.tokens.registered import SKEW
from ccgpu.fakeguest.evidence import tokens
from ccgpu.fakeguest.evidence.tokens import ABSENT
from unit.attest.tokens.conftest import AT

NOW = int(AT.timestamp())
SLACK = int(SKEW.total_seconds())

CLAIMS = [
    ({"iss": ABSENT}, {"token.iss"}),
    ({"iss": None}, {"token.iss"}),
    ({"iss": ""}, {"token.iss"}),
    ({"iss": "https://sharedweu.weu.attest.azure.net"}, {"token.iss"}),
    ({"iss": f"{tokens.MAA_ISSUER}/"}, {"token.iss"}),
    ({"iss": tokens.NRAS_ISSUER.upper()}, {"token.iss"}),
    ({"iss": [tokens.NRAS_ISSUER]}, {"token.iss"}),
    ({"iss": {}}, {"token.iss"}),
    ({"aud": "https://elsewhere"}, {"token.aud"}),
    ({"aud": []}, {"token.aud"}),
    ({"azp": "somebody"}, {"token.azp"}),
    ({"exp": ABSENT}, {"token.exp.absent"}),
    ({"exp": NOW - SLACK}, {"token.exp.past"}),
    ({"exp": NOW - SLACK + 1}, set()),
    ({"exp": 0}, {"token.exp.past"}),
    ({"exp": None}, {"token.time.form"}),
    ({"exp": str(NOW + 60)}, {"token.time.form"}),
    ({"exp": True}, {"token.time.form"}),
    ({"exp": -1}, {"token.time.form"}),
    ({"exp": 10**18}, {"token.time.form"}),
    ({"exp": 1e300}, {"token.time.form"}),
    ({"exp": NOW + 0.5}, set()),
    ({"nbf": ABSENT}, set()),
    ({"nbf": NOW + SLACK}, set()),
    ({"nbf": NOW + SLACK + 1}, {"token.nbf.future"}),
    ({"nbf": "0"}, {"token.time.form"}),
    ({"iat": ABSENT}, {"token.iat.absent"}),
    ({"iat": NOW + SLACK}, set()),
    ({"iat": NOW + SLACK + 1}, {"token.iat.future"}),
    ({"iat": [NOW]}, {"token.time.form"}),
]


@pytest.mark.parametrize(("claims", "reasons"), CLAIMS)
def test_microsofts_token_is_of_its_issuer_and_time(token, maa_refusals, claims, reasons):
    assert maa_refusals(replace(token, claims=claims)) == reasons


@pytest.mark.parametrize(("claims", "reasons"), CLAIMS)
def test_nvidias_overall_token_is_of_its_issuer_and_time(answer, nras_refusals, claims, reasons):
    assert nras_refusals(replace(answer, overall=claims)) == reasons


@pytest.mark.parametrize(("claims", "reasons"), CLAIMS)
def test_nvidias_token_of_a_gpu_is_of_its_issuer_and_time(answer, nras_refusals, claims, reasons):
    assert nras_refusals(replace(answer, gpu=claims)) == reasons


def test_without_configured_issuers_no_token_is_trusted(answer, token, nras_refusals, maa_refusals):
    assert nras_refusals(answer, issuers=()) == {"token.iss"}
    assert maa_refusals(token, issuers=()) == {"token.iss", "token.header.jku"}


def test_the_time_is_that_of_the_caller(answer, token, nras_refusals, maa_refusals):
    for later, reason in ((timedelta(days=400), "token.exp.past"),):
        assert nras_refusals(answer, at=AT + later) == {reason}
        assert maa_refusals(token, at=AT + later) == {reason}
    early = {"token.iat.future", "token.nbf.future"}
    assert nras_refusals(answer, at=AT - timedelta(days=400)) == early
    assert maa_refusals(token, at=AT - timedelta(days=400)) == early


@pytest.mark.parametrize("empty", [{"eat_nonce": ""}, {}])
def test_an_empty_nonce_is_refused(answer, nras_refusals, empty):
    blank = replace(answer, gpu=empty, overall=empty)
    reasons = {"token.nonce.unasked"} | ({"nras.nonce.absent"} if empty else set())
    assert nras_refusals(blank, nonce=b"") == reasons


def test_an_empty_nonce_is_refused_in_a_maa_token(token, maa_refusals):
    assert maa_refusals(replace(token, nonce=b""), nonce=b"") == {"token.nonce.unasked"}
