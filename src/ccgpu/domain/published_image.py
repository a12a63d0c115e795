"""The tags by which a gallery's image version says which measured image it holds.

`image publish` writes them with the version, and `create` compares them with a manifest. They are
hints that save a boot of the wrong image; the verdict alone proves what runs.
"""

# SHA-256 of the bytes of image.json, 64 hex digits in lower case.
MANIFEST_TAG = "ccgpu-image-manifest"
# SHA-256 of the VHD's bytes with its footer, 64 hex digits in lower case.
VHD_TAG = "ccgpu-image-vhd"
# Of a version that was complete before its regions or replicas were changed: if Azure gives such a
# change up, the version is `Failed`, and yet there are VMs to be made of it.
COMPLETE_TAG = "ccgpu-image-complete"
