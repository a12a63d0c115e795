"""Builders of evidence that is valid unless told otherwise: any field changed, then signed."""
