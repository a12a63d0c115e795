"""Fine-tunes a causal language model with LoRA, and writes the adapter in PEFT's format.

It runs in a container and is one file: standard library, and `torch`, `transformers` and
`safetensors`, which are imported when they are needed. The data set is one or more JSON Lines files
(`*.jsonl`) with a line for each example:

    {"text": "…"}                              all of it is learned
    {"prompt": "…", "completion": "…"}         only the completion is learned
    {"messages": [{"role", "content"}, …]}     the last message is learned, by the chat template

Method: Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (2021): beside a frozen
matrix W a product B·A of rank r is learned, and W·x + 2·B·A·x is used; B starts at zero.
Results: `adapter_model.safetensors`, `adapter_config.json`, and `metrics.json` with the loss of
each epoch, and of the data set before and after. Exit code: 0; 1 if the data set or the model
cannot be used, or if the loss is not a number.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

Example = dict[str, Any]  # {"given", "learned"} or {"messages"}
Row = tuple[list[int], list[int]]  # tokens, and what is learned of them

MAX_LINE = 4 * 1024 * 1024
_IGNORED = -100  # torch: cross_entropy leaves out targets with this value


class Unusable(Exception):
    """The data set or the model cannot be used; the text says why."""


def read_examples(folder: str) -> list[Example]:
    """The examples of all files, in order: (what is given, what is learned) or a chat.

    Raises:
        Unusable: naming file and line.
    """
    files = sorted(Path(folder).rglob("*.jsonl")) if Path(folder).is_dir() else [Path(folder)]
    examples = [example for file in files for example in _file_examples(file)]
    if not examples:
        raise Unusable(f"{folder} holds no example: give JSON Lines files (*.jsonl)")
    return examples


def _file_examples(file: Path) -> Iterator[Example]:
    try:
        with file.open("rb") as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE + 1), b""), 1):
                if line.strip():
                    yield parse_example(line, f"{file.name}:{number}")
    except OSError as err:
        raise Unusable(f"{file} cannot be read: {err.strerror}") from err


def parse_example(line: bytes, place: str) -> Example:
    """One example: {"given", "learned"}, or {"messages"}."""
    if len(line) > MAX_LINE:
        raise Unusable(f"{place}: the line is longer than {MAX_LINE} bytes")
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        raise Unusable(f"{place}: the line is not JSON") from None
    if not isinstance(values, dict):
        raise Unusable(f"{place}: the line is no object")
    if "messages" in values:
        return {"messages": _messages(values["messages"], place)}
    if "text" in values:
        return {"given": "", "learned": _string(values, "text", place)}
    if "prompt" in values:
        return {
            "given": _string(values, "prompt", place),
            "learned": _string(values, "completion", place),
        }
    raise Unusable(f"{place}: needs text, prompt and completion, or messages")


def _string(values: dict[str, Any], name: str, place: str) -> str:
    value = values.get(name)
    if not isinstance(value, str) or not value:
        raise Unusable(f"{place}: {name} must be a text")
    return value


def _messages(messages: Any, place: str) -> list[dict[str, str]]:
    usable = isinstance(messages, list) and len(messages) >= 2
    if not usable or not all(isinstance(each, dict) for each in messages):
        raise Unusable(f"{place}: messages must be a list of two or more objects")
    for each in messages:
        _string(each, "role", place)
        _string(each, "content", place)
    if messages[-1]["role"] != "assistant":
        raise Unusable(f"{place}: the last message must be the assistant's: it is learned")
    return [{"role": each["role"], "content": each["content"]} for each in messages]


def encode(tokenizer: Any, example: Example, max_length: int) -> Row:
    """The tokens of an example and the targets: tokens that are given are not learned."""
    if "messages" in example:
        given = tokenizer.apply_chat_template(
            example["messages"][:-1], tokenize=False, add_generation_prompt=True
        )
        whole = tokenizer.apply_chat_template(example["messages"], tokenize=False)
        learned = whole.removeprefix(given)
        given = given if whole.startswith(given) else ""
    else:
        given, learned = example["given"], example["learned"]
    head = tokenizer(given, add_special_tokens=False)["input_ids"] if given else []
    tail = tokenizer(learned, add_special_tokens=False)["input_ids"]
    if "messages" not in example:
        head = [tokenizer.bos_token_id, *head] if tokenizer.bos_token_id is not None else head
        tail = [*tail, tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else tail
    tokens = [*head, *tail][:max_length]
    targets = [*([_IGNORED] * len(head)), *tail][:max_length]
    return tokens, targets


def batches(count: int, size: int, epoch: int, seed: int) -> list[list[int]]:
    """The indices of each step of an epoch; the order depends on seed and epoch alone."""
    order = list(range(count))
    random.Random(f"{seed} {epoch}").shuffle(order)  # noqa: S311  # an order, and no secret
    return [order[start : start + size] for start in range(0, count, size)]


def adapter_config(given: argparse.Namespace, targets: Iterable[str]) -> dict[str, Any]:
    """`adapter_config.json` of PEFT."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": given.model_name,
        "r": given.rank,
        "lora_alpha": given.rank * 2,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "init_lora_weights": True,
        "target_modules": sorted(targets),
    }


def matching_layers(names: Iterable[str], wanted: str) -> dict[str, str]:
    """The names of layers that end with a wanted name, and the wanted names that match.

    Raises:
        Unusable: none matches.
    """
    ends = [each for each in wanted.split(",") if each]
    found = {name: end for name in names for end in ends if name == end or name.endswith(f".{end}")}
    if not found:
        raise Unusable(f"the model has no linear layer that ends with {' or '.join(ends)}")
    return found


def with_adapters(model: Any, given: argparse.Namespace) -> tuple[dict[str, Any], set[str]]:
    """Put an adapter beside each wanted linear layer; returns them by the layer's name."""
    import torch

    class Adapted(torch.nn.Module):  # type: ignore[misc]  # torch is not installed here
        """A frozen linear layer and its adapter."""

        def __init__(self, layer: Any) -> None:
            super().__init__()
            self.layer = layer
            where = layer.weight.device
            self.lora_a = torch.nn.Parameter(
                torch.empty(given.rank, layer.in_features, device=where)
            )
            self.lora_b = torch.nn.Parameter(
                torch.zeros(layer.out_features, given.rank, device=where)
            )
            torch.nn.init.kaiming_uniform_(self.lora_a, a=math.sqrt(5))

        def forward(self, values: Any) -> Any:
            """W·x + 2·B·A·x: PEFT's lora_alpha is twice the rank."""
            low = values.to(self.lora_a.dtype) @ self.lora_a.T @ self.lora_b.T
            return self.layer(values) + 2.0 * low.to(values.dtype)

    for parameter in model.parameters():
        parameter.requires_grad_(False)
    linear = {name for name, each in model.named_modules() if isinstance(each, torch.nn.Linear)}
    found = matching_layers(sorted(linear), given.modules)
    adapters = {}
    for name in found:
        parent, _, last = name.rpartition(".")
        adapted = Adapted(model.get_submodule(name))
        setattr(model.get_submodule(parent), last, adapted)
        adapters[name] = adapted
    return adapters, set(found.values())


def padded(torch: Any, rows: Sequence[Row], device: str) -> Iterator[Any]:
    """Tokens, mask and targets of a step, filled up to the longest row."""
    longest = max(len(tokens) for tokens, _ in rows)
    tokens = [[*t, *([0] * (longest - len(t)))] for t, _ in rows]
    masks = [[*([1] * len(t)), *([0] * (longest - len(t)))] for t, _ in rows]
    targets = [[*y, *([_IGNORED] * (longest - len(y)))] for _, y in rows]
    return (torch.tensor(each, device=device) for each in (tokens, masks, targets))


def loss_of(model: Any, torch: Any, rows: Sequence[Row], device: str) -> Any:
    """The mean loss of the rows."""
    tokens, masks, targets = padded(torch, rows, device)
    return model(input_ids=tokens, attention_mask=masks, labels=targets).loss


def mean_loss(model: Any, torch: Any, rows: Sequence[Row], size: int, device: str) -> float:
    """The loss of the whole data set, without learning."""
    with torch.no_grad():
        steps = [rows[start : start + size] for start in range(0, len(rows), size)]
        return sum(float(loss_of(model, torch, step, device)) * len(step) for step in steps) / len(
            rows
        )


def train(given: argparse.Namespace) -> dict[str, Any]:
    """Learn, and write the results; returns the metrics."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(given.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not given.cpu:
        raise Unusable("there is no GPU in this container (--cpu learns without)")
    examples = read_examples(given.data)
    tokenizer = AutoTokenizer.from_pretrained(given.model, local_files_only=True)
    rows = [encode(tokenizer, each, given.max_length) for each in examples]
    rows = [row for row in rows if any(target != _IGNORED for target in row[1][1:])]
    if not rows:
        raise Unusable("no example has anything to learn within --max-length tokens")
    model = AutoModelForCausalLM.from_pretrained(
        given.model,
        dtype=torch.bfloat16 if device == "cuda" else torch.float32,
        local_files_only=True,
        use_safetensors=True,
    ).to(device)
    model.config.use_cache = False
    adapters, targets = with_adapters(model, given)
    learned = [p for each in adapters.values() for p in (each.lora_a, each.lora_b)]
    optimizer = torch.optim.AdamW(learned, lr=given.learning_rate)
    metrics: dict[str, Any] = {"examples": len(rows), "skipped": len(examples) - len(rows)}
    metrics["loss_before"] = mean_loss(model, torch, rows, given.batch_size, device)
    metrics["epochs"] = [
        _epoch(model, torch, rows, epoch, optimizer, given, device) for epoch in range(given.epochs)
    ]
    metrics["loss_after"] = mean_loss(model, torch, rows, given.batch_size, device)
    if not math.isfinite(metrics["loss_after"]):
        raise Unusable("the loss is not a number: lower the learning rate")
    save(given, adapters, targets, metrics)
    return metrics


def _epoch(
    model: Any,
    torch: Any,
    rows: Sequence[Row],
    epoch: int,
    optimizer: Any,
    given: argparse.Namespace,
    device: str,
) -> float:
    """One pass over the data set; returns its mean loss."""
    total = 0.0
    for step in batches(len(rows), given.batch_size, epoch, given.seed):
        loss = loss_of(model, torch, [rows[index] for index in step], device)
        if not math.isfinite(float(loss)):
            raise Unusable("the loss is not a number: lower the learning rate")
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        total += float(loss) * len(step)
    mean = total / len(rows)
    print(f"epoch {epoch + 1} of {given.epochs}: loss {mean:.4f}", flush=True)
    return mean


def save(
    given: argparse.Namespace,
    adapters: dict[str, Any],
    targets: set[str],
    metrics: dict[str, Any],
) -> None:
    """Write the adapter, its configuration and the metrics, the last one last."""
    from safetensors.torch import save_file

    folder = Path(given.outputs)
    tensors = {}
    for name, each in adapters.items():
        tensors[f"base_model.model.{name}.lora_A.weight"] = each.lora_a.detach().cpu().contiguous()
        tensors[f"base_model.model.{name}.lora_B.weight"] = each.lora_b.detach().cpu().contiguous()
    save_file(tensors, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    config = json.dumps(adapter_config(given, targets), indent=2)
    (folder / "adapter_config.json").write_text(config + "\n")
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")


def arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", required=True, help="folder of the model")
    parser.add_argument("--model-name", required=True, help="its name, for adapter_config.json")
    parser.add_argument("--data", required=True, help="folder of the data set, or one file")
    parser.add_argument("--outputs", required=True, help="folder for the results")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--learning-rate", type=float, default=2e-4)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--modules", default="q_proj,k_proj,v_proj,o_proj")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", action="store_true", help="learn without a GPU")
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Fine-tune; the exit code."""
    try:
        metrics = train(arguments(words))
    except Unusable as err:
        print(f"error: {err}", file=sys.stderr)
        return 1
    print(json.dumps({name: metrics[name] for name in ("loss_before", "loss_after")}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
