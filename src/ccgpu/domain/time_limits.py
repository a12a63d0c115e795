"""What a command may still do after its time limit, and for how long. Help and messages name it."""

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
