"""A confidential VM in memory: evidence signed by a simulated PKI."""
