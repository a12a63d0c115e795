"""NVIDIA's root keys, pinned: a verdict never fetches them.

Both come with NVIDIA's verifiers (github.com/NVIDIA/nvtrust, local_gpu_verifier, certs; the same in
github.com/NVIDIA/attestation-sdk), and the first with every device chain. As of 2026-11-22.
"""

import base64

from ccgpu.attest.roots import Anchor

NVIDIA_DEVICE = Anchor(  # root of device certificates
    "O=NVIDIA,CN=NVIDIA Device Identity CA",
    bytes.fromhex("102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48"),
    base64.b64decode(
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEDkwUozv4pWJmWNtBKWB+TL9FGcRBJxb00NkXxJeABb3qvq79V7xmCC1x"
        "ik+LYFLhUW7op8QiuE3oVwcbtY/Tlb6gz6HGPufIDWvWOQHZHLvRh9OFfcFrXM6vI4/4wn29"
    ),
    0x2D3670B1CA100411C1FEC0E82A065B54,
)
NVIDIA_RIM = Anchor(  # root of manifest signers
    "CN=NVIDIA CoRIM signing Root CA,O=NVIDIA,C=US",
    bytes.fromhex("12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1"),
    base64.b64decode(
        "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEuECyi9vNM+Iw2lfUzyBldHAwaC1HF7TCgp12QcEyUTm3Tagxwr48d55+"
        "K2VIlWYIDk7NlAIQdcV/Ff7euGLI+Qauj93HsSI4WX298PpW54RTgz9tC+Q684caR/BXWEeZ"
    ),
    0x45DAE3A00E5037BDDF875375ECB5E270,
)
