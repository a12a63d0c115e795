"""DER that ends within the head of an element."""

import pytest

from ccgpu.attest.check import Malformed
from ccgpu.attest.snp import der


@pytest.mark.parametrize("data", [b"", b"\x30", b"\x30\x82", b"\x30\x82\x01"])
def test_an_element_that_ends_before_its_length_does_is_malformed(data):
    with pytest.raises(Malformed):
        der.Cursor(data).next(0x30)
