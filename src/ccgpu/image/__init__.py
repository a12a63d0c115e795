"""The formats of a measured image: disk, file systems, boot program. Pure: bytes in, bytes out."""
