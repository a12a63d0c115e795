"""Builders of evidence. The defaults are valid; any field can be changed before signing."""
