"""Renders the systemd unit of a workload. Pure: one plan gives one text.

The engine runs in the foreground, so that systemd sees the container's exit code and journald its
output. There is no [Install] section and the unit lies in /run: after a reboot nothing starts
before the VM is attested anew. Sources: systemd.service(5), systemd.unit(5), systemd.syntax(7).
"""

from ccgpu.domain.workload.container import ContainerPlan
from ccgpu.domain.workload.values import WorkloadKind

# Stands for the image in a unit that the client renders: the VM puts REPOSITORY@sha256:… there.
IMAGE_MARK = "@IMAGE@"
DOCKER = "/usr/bin/docker"
_DOCKER_UNIT = "docker.service"
# With them the GPU's CDI description is there, and does not change under a running container.
_AFTER = "nvidia-cdi-refresh.service"
_GRACE = 30  # seconds for the engine, after those for the container
_TERMINATED = 143  # of a container that ended by SIGTERM (128 + 15)


def render(plan: ContainerPlan, *, engine: str = DOCKER, image: str = IMAGE_MARK) -> str:
    """The text of the unit.

    engine: the path of docker, or of podman, which needs no service. image: with its digest.
    """
    return "\n".join([*_unit(plan, engine), "", *_service(plan, engine, image), ""])


def _unit(plan: ContainerPlan, engine: str) -> list[str]:
    uses_docker = engine.endswith("/docker")
    lines = ["[Unit]", f"Description=ccgpu workload {plan.name}"]
    lines += [f"Requires={_DOCKER_UNIT}"] if uses_docker else []
    lines += [f"After={_DOCKER_UNIT} {_AFTER}" if uses_docker else f"After={_AFTER}"]
    if plan.restart.attempts:
        lines += [
            f"StartLimitIntervalSec={plan.restart.window_seconds}",
            f"StartLimitBurst={plan.restart.attempts + 1}",
        ]
    return lines


def _service(plan: ContainerPlan, engine: str, image: str) -> list[str]:
    stop, restart = plan.restart.stop_seconds, plan.restart
    return [
        "[Service]",
        "Type=exec",
        f"ExecStartPre=-{command_line((engine, 'rm', '--force', plan.container))}",
        f"ExecStart={command_line((engine, *plan.run_words(image)))}",
        f"ExecStop=-{command_line((engine, 'stop', '-t', str(stop), plan.container))}",
        f"TimeoutStopSec={stop + _GRACE}",
        "KillMode=mixed",
        f"SyslogIdentifier={plan.container}",
        *(
            ["Restart=on-failure", f"RestartSec={restart.delay_seconds}"]
            if restart.attempts
            else ["Restart=no"]
        ),
        *_end(plan.kind),
    ]


def _end(kind: WorkloadKind) -> list[str]:
    """A job's exit code stays readable after it has ended; a server may be ended by SIGTERM."""
    if kind is WorkloadKind.JOB:
        return ["RemainAfterExit=yes"]
    return [f"SuccessExitStatus={_TERMINATED}"]


def command_line(words: tuple[str, ...]) -> str:
    """The words as the value of ExecStart= and its like: every one reaches the program unchanged.

    Raises:
        ValueError: a word has a NUL, which no program can be given.
    """
    first, *others = words
    return " ".join([first, *map(_quoted, others)])


_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-+=:,./@")


def _quoted(word: str) -> str:
    if "\0" in word:
        raise ValueError("a word of a command has a NUL")
    if word and set(word) <= _PLAIN:
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    escaped = escaped.replace("\t", "\\t").replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
