"""The check that an image server answers with images: not black, not noise, and seed for seed.

No image is compared with a stored one: pixels differ between versions and GPUs. What is checked
holds for every picture of a thing. What it catches: black or grey images (numbers that are not
finite), noise (weights that are wrong), a seed that is not obeyed. What it does not: a wrong thing.
"""

import base64
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from ccgpu.domain.workload import png
from ccgpu.domain.workload.known_answers import CheckAnswer, CheckRequest, CheckResult

_PATH = "/v1/images/generations"
_PROMPT = "a photograph of a red apple on a white table"
_SEEDS = (1, 1, 2)  # the first two images are to be the same, the third another one
_SIZE = 512
_SECONDS = 300.0  # the first request may compile kernels
_LIMIT = 2 * 1024 * 1024  # 512 x 512 pixels of noise are 1 MiB in base64
_MIN_CONTRAST = 8.0  # least standard deviation of the red channel, of 255
# Least correlation of a pixel with its right neighbour. Pictures are above 0.9, noise is near 0.
_MIN_SMOOTHNESS = 0.5
_EACH_ROW = 4  # rows between two that are looked at
_SAME = 8.0  # greatest mean difference of two images of one seed, of 255
CAUSES = (
    "16-bit numbers that overflow, or weights that are damaged or of another model",
    "copies between CPU and GPU that are stale on a confidential GPU",
)


@dataclass(frozen=True, slots=True)
class KnownImages:
    """The check of one image server.

    model: the name by which requests ask for it. steps: of denoising, in the check.
    """

    port: int
    model: str
    steps: int = 20

    def requests(self) -> tuple[CheckRequest, ...]:
        """The requests, in the order in which `judge` wants their answers."""
        return tuple(
            CheckRequest(
                _PATH,
                {
                    "model": self.model,
                    "prompt": _PROMPT,
                    "n": 1,
                    "size": f"{_SIZE}x{_SIZE}",
                    "seed": seed,
                    "num_inference_steps": self.steps,
                    "response_format": "b64_json",
                    "output_format": "png",
                },
                _SECONDS,
                _LIMIT,
            )
            for seed in _SEEDS
        )

    def judge(self, answers: Sequence[CheckAnswer]) -> CheckResult:
        """What the answers say. Fewer answers than requests, or unreadable ones, are problems."""
        if len(answers) != len(_SEEDS):
            problem = f"{len(answers)} of {len(_SEEDS)} requests were answered"
            return CheckResult(False, (problem,), (), 0, None)
        try:
            images = [_image(answer) for answer in answers]
        except ValueError as err:
            return CheckResult(False, (str(err),), (), 0, None)
        each = [_problems(image) for image in images]
        problems = [problem for found in each for problem in found]
        if _difference(images[0], images[1]) > _SAME:
            problems.append("two images of one prompt and one seed differ")
        if _difference(images[0], images[2]) == 0:
            problems.append("two images of different seeds are the same")
        right = sum(not found for found in each)
        found = tuple(dict.fromkeys(problems))
        return CheckResult(not found, found, CAUSES if found else (), right, None)


_Image = list[list[int]]


def _image(answer: CheckAnswer) -> _Image:
    if answer.status == 0:
        raise ValueError("the server could not be reached")
    if answer.status != 200:
        raise ValueError(f"{_PATH} answered {answer.status}")
    try:
        text = json.loads(answer.body)["data"][0]["b64_json"]
        data = base64.b64decode(text, validate=True)
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ValueError(f"{_PATH} answered with no image") from None
    try:
        pixels = png.decode(data)
    except ValueError as err:
        raise ValueError(f"the image cannot be read: {err}") from None
    if (pixels.width, pixels.height) != (_SIZE, _SIZE):
        raise ValueError(f"the image has {pixels.width} x {pixels.height} pixels")
    return pixels.luminance()[::_EACH_ROW]


def _problems(image: _Image) -> list[str]:
    values = [value for row in image for value in row]
    mean = sum(values) / len(values)
    spread = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    if spread < _MIN_CONTRAST:
        return [f"an image is of one colour (contrast {spread:.1f})"]
    pairs = [(row[i] - mean) * (row[i + 1] - mean) for row in image for i in range(len(row) - 1)]
    smoothness = sum(pairs) / len(pairs) / spread**2
    if smoothness < _MIN_SMOOTHNESS:
        return [f"an image is noise (correlation of neighbours {smoothness:.2f})"]
    return []


def _difference(one: _Image, other: _Image) -> float:
    """The mean absolute difference of two images of one size."""
    pairs = zip(itertools.chain(*one), itertools.chain(*other), strict=True)
    return sum(abs(a - b) for a, b in pairs) * _EACH_ROW / _SIZE**2
