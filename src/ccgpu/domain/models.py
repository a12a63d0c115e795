"""Models as dated data: how large they are, whether they fit the GPU, and what serves them.

The table ships with ccgpu (`templates/models.yaml`, with the source of each fact). Licence and
gating are shown, and nothing is decided by them. A model that is not in the table can be run all
the same: its size is then known from its files. Nothing here reads a clock or a file.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

SCHEMA = "ccgpu.models/1"
# Warn this long before the table is due: time enough for a new release.
NOTICE = timedelta(days=60)
# H100 NVL: 94 GB (NVIDIA's data sheet). `nvidia-smi` shows 95830 MiB, some of which CC mode keeps.
GPU_MEMORY_GB = 94.0
# H100 NVL: 3.9 TB/s (NVIDIA's data sheet, 2024). Every token of one request reads all active
# weights once, so that this bounds the tokens a second.
MEMORY_GB_PER_SECOND = 3900.0
# Bytes for each parameter. 4-bit forms carry scales as well.
BYTES = {"FP32": 4.0, "BF16": 2.0, "FP16": 2.0, "FP8": 1.0, "AWQ": 0.56, "MXFP4": 0.55}
TEXT, IMAGE = "text", "image"
_YES_NO = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    """A published speed of one request on this hardware in confidential mode."""

    tokens_per_second: float
    source: str


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model.

    repository: ORG/NAME on huggingface.co. form: of its weights, a key of `BYTES`. billions: of
    parameters; active_billions: of those that one token uses. workloads: those that run it. base:
    whether it continues texts and was not taught to answer. knows: whether it is large enough to
    know simple facts. use_instead: a form of it that fits, if this one does not.
    """

    repository: str
    family: str
    kind: str
    form: str
    billions: float
    active_billions: float
    licence: str
    gated: bool
    workloads: tuple[str, ...]
    knows: bool
    speed: ModelSpeed | None
    use_instead: str | None
    note: str | None
    sources: tuple[str, ...]

    @property
    def weights_gb(self) -> float:
        """The size of its weights (10^9 bytes)."""
        return self.billions * BYTES[self.form]

    @property
    def active_gb(self) -> float:
        """The size of the weights that one token reads."""
        return self.active_billions * BYTES[self.form]

    def fits(self, beside_gb: float = 0.0) -> bool:
        """Whether it fits the GPU together with `beside_gb` of other memory."""
        return self.weights_gb + beside_gb <= GPU_MEMORY_GB

    def refusal(self, workload: str) -> str | None:
        """Why this workload does not run it, as the end of a sentence; None if it does."""
        if workload not in SERVING or workload in self.workloads:
            return None
        return f"is not run by {workload}: choose {' or '.join(self.workloads)}"


# The workloads that have to know a model's architecture; others take whatever the user brings.
SERVING = frozenset({"sglang", "vllm", "diffusers", "sglang-images"})


@dataclass(frozen=True, slots=True)
class ModelTable:
    """All models that ccgpu knows of, as of a day; from `review_by` on it is out of date."""

    as_of: date
    review_by: date
    models: tuple[ModelEntry, ...]

    def find(self, repository: str) -> ModelEntry | None:
        """The model with this name, in any case of letters; None if the table does not have it."""
        wanted = repository.casefold()
        return next((each for each in self.models if each.repository.casefold() == wanted), None)

    def warnings(self, at: datetime, notice: timedelta = NOTICE) -> tuple[str, ...]:
        """That the table is out of date at the time `notice` after `at`."""
        left = (self.review_by - at.astimezone(UTC).date()).days
        if left > notice.days:
            return ()
        is_over = "too old since" if left <= 0 else "good until"
        return (
            f"ccgpu's table of models is of {self.as_of}, and {is_over} {self.review_by}: "
            "update ccgpu",
        )

    def alternatives(self, beside_gb: float, kind: str = TEXT) -> tuple[ModelEntry, ...]:
        """The models of a kind that fit together with `beside_gb`, the largest first."""
        fitting = [each for each in self.models if each.kind == kind and each.fits(beside_gb)]
        return tuple(sorted(fitting, key=lambda each: (-each.billions, each.repository)))


def parse_models(values: Mapping[str, Any]) -> ModelTable:
    """The table from the values of its file, which are texts.

    Raises:
        ValueError: the file is not such a table: a field is missing, unknown or of another type, a
            model is listed twice, or one that is an alternative is missing or does not fit.
    """
    if values.get("schema") != SCHEMA:
        raise ValueError(f"is not {SCHEMA}")
    try:
        models = tuple(_entry(each) for each in values["models"])
        dates = [date.fromisoformat(values[name]) for name in ("as_of", "review_by")]
    except (KeyError, TypeError) as err:
        raise ValueError(f"is not a table of models: {err}") from err
    table = ModelTable(dates[0], dates[1], models)
    for problem in _contradictions(table):
        raise ValueError(problem)
    return table


def _contradictions(table: ModelTable) -> Iterator[str]:
    names = [each.repository.casefold() for each in table.models]
    if len(set(names)) != len(names):
        yield "lists a model twice"
    for each in table.models:
        instead = None if each.use_instead is None else table.find(each.use_instead)
        if each.use_instead is not None and (instead is None or not instead.fits()):
            yield f"names {each.use_instead}, which it does not have, or which does not fit"
        if not each.workloads and each.use_instead is None:
            yield f"has no workload for {each.repository}, and no alternative"
        if each.fits() != bool(each.workloads):
            yield f"has workloads for {each.repository}, and it does not fit, or the reverse"


def _entry(values: Mapping[str, Any]) -> ModelEntry:
    if extra := values.keys() - _FIELDS:
        raise ValueError(f"has the unknown fields {sorted(extra)}")
    name = values["repository"]
    billions = float(values["billions"])
    if values["kind"] not in (TEXT, IMAGE) or values["form"] not in BYTES:
        raise ValueError(f"has an unknown kind or form for {name}")
    if set(values["workloads"]) - SERVING:
        raise ValueError(f"has an unknown workload for {name}")
    speed = values.get("speed")
    return ModelEntry(
        name,
        values["family"],
        values["kind"],
        values["form"],
        billions,
        float(values.get("active_billions", billions)),
        values["licence"],
        _YES_NO[values["gated"]],
        tuple(values["workloads"]),
        _YES_NO[values["knows"]] if values["kind"] == TEXT else False,
        None if speed is None else ModelSpeed(float(speed["tokens_per_second"]), speed["source"]),
        values.get("use_instead"),
        values.get("note"),
        tuple(values["sources"]),
    )


_FIELDS = set(ModelEntry.__dataclass_fields__)
