"""One shot: create a deployment, run its workload there, and delete it again; one outcome.

The workload runs once the create has ended: the journal is not locked meanwhile, so that another
command can delete the VM of a job that takes hours.
"""

from collections.abc import Callable

from ccgpu.azure.context import AzureContext
from ccgpu.domain.events import Listener
from ccgpu.domain.run_outcome import RunOutcome
from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.errors import CcgpuError, InternalError, Interrupted, InvalidFile, UsageProblem
from ccgpu.workflows.create.context import CreateOutcome
from ccgpu.workflows.run.ending import delete_after


def create_and_run(
    name: str,
    plan: ContainerPlan,
    create: Callable[[], CreateOutcome],
    run: Callable[[], RunOutcome],
) -> RunOutcome:
    """Create the deployment, then run the workload if it stands and was accepted.

    Whatever keeps either from its end is the outcome's problem: nothing may keep the VM from being
    deleted.
    """
    try:
        made = create()
        if made.problem is not None:
            return RunOutcome(name, plan, problem=made.problem)
        return run()
    except CcgpuError as err:
        return RunOutcome(name, plan, problem=err)
    except Exception as err:  # noqa: BLE001  # a bug, too
        return RunOutcome(name, plan, problem=InternalError.of(err))
    except KeyboardInterrupt:
        return RunOutcome(name, plan, problem=Interrupted(f"interrupted: {name} is not complete"))


def delete_unless_refused(
    cloud: AzureContext,
    outcome: RunOutcome,
    group: str,
    listen: Listener,
    go_on: Callable[[], None],
) -> RunOutcome:
    """Delete what the create has made; what it refused before it made anything deletes nothing.

    A delete that fails is the outcome's problem only if the journal says that something was made.
    """
    if outcome.started is None and isinstance(outcome.problem, UsageProblem | InvalidFile):
        return outcome
    deleted = delete_after(cloud, outcome, group, listen, go_on)
    journal = cloud.journals.peek(cloud.subscription, outcome.name)
    is_made = journal is not None and bool(journal.records)
    return deleted if deleted.deleted or is_made else outcome
