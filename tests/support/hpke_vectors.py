"""Known answers of RFC 9180 in base mode, with DHKEM(X25519, HKDF-SHA256) and HKDF-SHA256.

`A.1.1` stands in the RFC's appendix. Both stand in the test vectors of the CFRG's draft
(cfrg/draft-irtf-cfrg-hpke, test-vectors.json), where sequence number 0 is the first encryption.
"""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

INFO = bytes.fromhex("4f6465206f6e2061204772656369616e2055726e")
ASSOCIATED = b"Count-0"
CONTENT = b"Beauty is truth, truth beauty"


@dataclass(frozen=True)
class Vector:
    """One known answer. key_size: of the AEAD, AES-GCM."""

    key_size: int
    private: str
    encapsulated: str
    shared: str
    key: str
    nonce: str
    sealed: str

    @property
    def private_key(self) -> X25519PrivateKey:
        """The recipient's key."""
        return X25519PrivateKey.from_private_bytes(bytes.fromhex(self.private))

    @property
    def message(self) -> bytes:
        """The encapsulated key and the ciphertext."""
        return bytes.fromhex(self.encapsulated + self.sealed)


VECTORS = {
    "A.1.1, AES-128-GCM": Vector(
        16,
        private="4612c550263fc8ad58375df3f557aac531d26850903e55a9f23f21d8534e8ac8",
        encapsulated="37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431",
        shared="fe0e18c9f024ce43799ae393c7e8fe8fce9d218875e8227b0187c04e7d2ea1fc",
        key="4531685d41d65f03dc48f6b8302c05b0",
        nonce="56d890e5accaaf011cff4b7d",
        sealed="f938558b5d72f1a23810b4be2ab4f84331acc02fc97babc53a52ae8218a355a9"
        "6d8770ac83d07bea87e13c512a",
    ),
    "CFRG, AES-256-GCM": Vector(
        32,
        private="497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
        encapsulated="6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
        shared="3101c54c3a4f87439eaac080699ed9bbcc726ffe44e860c0424ccb7e3e2ead7b",
        key="f50b0609186798729ed0564b36ef2ef8044f1f9d05636874d1f46c819c7a669f",
        nonce="151d9929e2449747889bc923",
        sealed="e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be99319"
        "80a41de125a925cdad859d5b7a",
    ),
}
