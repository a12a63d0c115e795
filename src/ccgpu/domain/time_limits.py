"""The time limits of commands, and what they may still do after them. Help and messages name both.

In seconds. A command's own limit holds unless `--timeout` says another.
"""

ATTEST = 900.0
CREATE = 3600.0
DELETE = 1800.0
DOCTOR = 3600.0  # it may repair a set-up
DOCTOR_ALONE = 600.0  # without a deployment, for reads alone
EXTEND = 1800.0
GC = 3600.0
KEY_VAULT = 120.0  # for all requests of one command
POWER = 1800.0  # of a start, a stop, a restart, and of waiting for a state
# An upload of some GiB over a slow line, then copies to regions, which Azure makes in minutes to
# an hour each (azure-compute-docs, "Azure Compute Gallery": replication).
PUBLISH = 3 * 3600.0
RUN = 4 * 3600.0  # until a server is healthy, or a job has begun
SECRETS = 900.0
GUEST = 60.0  # in which a VM that runs should answer

# Seconds to undo a failed create, because its time limit has often passed by then. Azure takes a
# minute to delete a VM and three for a reserved NIC (as recorded), retries excluded.
UNDO = 1200.0
# Seconds to read what is left of a deployment when a command fails: enough for one read of each
# resource and its dependents, too few for a retry.
REPORT = 15.0
# The same after a create, within `UNDO`: a replica of Azure may not show yet what was just created,
# so an absent resource is read four times, over 36 s.
REPORT_NEW = 45.0
# Seconds for the delete at the end of a run that was told to delete its deployment.
THEN_DELETE = 1800.0
