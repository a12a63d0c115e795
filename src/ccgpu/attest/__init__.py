"""The verifier: bytes, collateral, a policy and a time in, an appraisal out. It opens nothing."""
