"""The data plane of simulated key vaults: keys under a release policy, and their release."""
