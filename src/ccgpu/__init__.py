"""Confidential GPU virtual machines on Azure: create them, prove them, delete them."""

__version__ = "0.1.0"
