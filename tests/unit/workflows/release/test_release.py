"""The gate lets secrets through to a VM that was proven in this very run."""

from ccgpu.domain.secret import Secret

TOKEN = Secret("hf-token", b"canary-of-the-token-1234567890", 1000)


def test_secrets_reach_the_proven_vm(releaser):
    stored = releaser.release(TOKEN, Secret("other", b"x"))
    assert [(one.name, one.size, one.owner) for one in stored] == [
        ("hf-token", len(TOKEN.value), 1000),
        ("other", 1, 0),
    ]
