"""The fault sweep: every request of a life cycle with every fault, once and permanently.

`fault_kinds` and `local_faults` define the faults, `interference` what other clients do,
`scenarios` the commands under test, `invariants` what must always hold. `cases` combines them,
`trial` runs one case, `run` runs all and counts.
"""
