"""Builds measured images: runs the programs that make a root file system and a disk of it."""
