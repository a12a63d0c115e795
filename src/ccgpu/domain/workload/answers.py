"""Which known answers a server is asked for, and how fast it has to be.

Models have no published answers that hold for every quantised form of them. So the prompts are ones
that every working language model continues in the same way: it counts, it copies, it goes on with a
list. Models above about five billion parameters are asked for facts as well. Nonsense, or words of
another prompt, fail; a model that was exchanged for another good one passes: which one it is, its
manifest says.
"""

from ccgpu.domain.models import GPU_MEMORY_GB, MEMORY_GB_PER_SECOND, ModelEntry
from ccgpu.domain.workload.known_answers import KnownAnswer, KnownAnswers, SpeedFloor

# Each by the words that the model has to write next.
CONTINUED = (
    KnownAnswer("1, 2, 3, 4, 5, 6, 7, 8, 9,", ("10",)),
    KnownAnswer("a b c d e f g h i j k l", ("m",)),
    KnownAnswer(
        "Monday, Tuesday, Wednesday, Thursday, Friday, Saturday, Sunday, Monday, Tuesday,",
        ("Wednesday",),
    ),
    KnownAnswer("red green blue grey red green blue grey red green blue", ("grey",)),
)
FACTS = (
    KnownAnswer("The capital of France is", ("Paris", "a city", "the city of Paris")),
    KnownAnswer(
        "Q: What is 2 + 2? A:",
        ("4", "Four", "2 + 2 = 4", "2+2=4", "2 + 2 is 4", "2 + 2 equals 4", "The answer is 4"),
        max_tokens=12,
    ),
)
# One answer may be another one: small models miss one in a while, nonsense misses all.
_SPARE = 1
# A tenth of the published speed fails; without a published one, a twentieth of what the memory of
# the GPU allows, for servers reach about half of that (and less with few active weights).
_PUBLISHED_SHARE = 0.1
_BOUND_SHARE = 0.05
_LEAST = 5.0  # tokens a second, of small models, whose speed is bounded by launches of kernels
_MOST = 20.0


def known_answers(
    port: int, name: str, entry: ModelEntry | None, weights_gb: float | None
) -> KnownAnswers:
    """The check of a server of text. name: of the model in requests. entry: of the table.

    weights_gb: of the model's files; None if they are not known.
    """
    answers = CONTINUED + (FACTS if entry is not None and entry.knows else ())
    return KnownAnswers(port, name, answers, len(answers) - _SPARE, speed_floor(entry, weights_gb))


def speed_floor(entry: ModelEntry | None, weights_gb: float | None) -> SpeedFloor:
    """The fewest tokens a second that pass."""
    if entry is not None and entry.speed is not None:
        published = entry.speed.tokens_per_second
        return SpeedFloor(round(published * _PUBLISHED_SHARE, 1), published, entry.speed.source)
    active = entry.active_gb if entry is not None else (weights_gb or GPU_MEMORY_GB)
    bound = MEMORY_GB_PER_SECOND / active
    floor = min(max(round(bound * _BOUND_SHARE, 1), min(_LEAST, bound)), _MOST)
    return SpeedFloor(
        floor,
        round(bound, 1),
        f"the memory of an H100 NVL, 3.9 TB/s, allows {bound:.0f} (NVIDIA's data sheet of 2024)",
    )
