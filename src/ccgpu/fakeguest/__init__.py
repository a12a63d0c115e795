"""A confidential VM in memory: its evidence, signed by a simulated PKI."""
