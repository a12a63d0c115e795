"""The fine-tuning program: what it reads, what it learns of an example, and what it refuses."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ccgpu.templates.workloads import finetune

_CHAT = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "yo"}]


class _Tokenizer:
    """Each character is a token; the tokens 0 and 1 begin and end a text."""

    bos_token_id: int | None = 0
    eos_token_id: int | None = 1

    def __call__(self, text, *, add_special_tokens):
        assert not add_special_tokens
        return {"input_ids": [ord(each) for each in text]}

    def apply_chat_template(self, messages, *, tokenize, add_generation_prompt=False):
        assert not tokenize
        text = "".join(f"<{each['role'][0]}>{each['content']}" for each in messages)
        return text + ("<a>" if add_generation_prompt else "")


def _learned(targets):
    return "".join(chr(each) for each in targets if each > 1)


def test_of_a_text_all_is_learned():
    tokens, targets = finetune.encode(_Tokenizer(), {"given": "", "learned": "abc"}, 10)
    assert tokens == [0, *map(ord, "abc"), 1]
    assert targets == [-100, *map(ord, "abc"), 1]


def test_of_a_prompt_only_the_completion_is_learned():
    tokens, targets = finetune.encode(_Tokenizer(), {"given": "x=", "learned": "yes"}, 10)
    assert len(tokens) == len(targets)
    assert _learned(targets) == "yes"
    assert targets[-1] == 1


def test_of_a_chat_only_the_last_message_is_learned():
    tokens, targets = finetune.encode(_Tokenizer(), {"messages": _CHAT}, 100)
    assert "".join(map(chr, tokens)) == "<u>hi<a>yo"
    assert _learned(targets) == "yo"


def test_a_template_that_does_not_continue_its_prompt_is_learned_whole():
    class Other(_Tokenizer):
        def apply_chat_template(self, messages, *, tokenize, add_generation_prompt=False):
            assert messages
            assert not tokenize
            return "?" if add_generation_prompt else "whole"

    _, targets = finetune.encode(Other(), {"messages": _CHAT}, 100)
    assert _learned(targets) == "whole"


def test_a_tokenizer_without_special_tokens():
    class Plain(_Tokenizer):
        bos_token_id = None
        eos_token_id = None

    assert finetune.encode(Plain(), {"given": "a", "learned": "b"}, 9) == ([97, 98], [-100, 98])


@pytest.mark.slow
@given(st.text(max_size=20), st.text(min_size=1, max_size=20), st.integers(1, 30))
def test_tokens_and_targets_have_one_length_and_no_more_than_the_limit(given_, learned, limit):
    tokens, targets = finetune.encode(_Tokenizer(), {"given": given_, "learned": learned}, limit)
    assert len(tokens) == len(targets) <= limit


@pytest.mark.parametrize(
    ("line", "example"),
    [
        ({"text": "a"}, {"given": "", "learned": "a"}),
        ({"prompt": "a", "completion": "b", "more": 1}, {"given": "a", "learned": "b"}),
        ({"messages": [{**_CHAT[0], "x": 1}, _CHAT[1]]}, {"messages": _CHAT}),
    ],
)
def test_an_example_is_read(line, example):
    assert finetune.parse_example(json.dumps(line).encode(), "f:1") == example


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"{", "f:1: the line is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[]", "is no object"),
        (b"{}", "needs text, prompt and completion, or messages"),
        (b'{"text": ""}', "text must be a text"),
        (b'{"text": 5}', "text must be a text"),
        (b'{"prompt": "a"}', "completion must be a text"),
        (b'{"messages": []}', "two or more"),
        (b'{"messages": ["a", "b"]}', "two or more"),
        (b'{"messages": [{"role": "user"}, {"role": "a"}]}', "content must be a text"),
        (json.dumps({"messages": _CHAT[::-1]}).encode(), "must be the assistant's"),
        (b" " * (4 * 1024 * 1024 + 1), "longer than"),
    ],
)
def test_what_is_no_example_is_refused_with_its_place(line, words):
    with pytest.raises(finetune.Unusable, match=words) as caught:
        finetune.parse_example(line, "f:1")
    assert str(caught.value).startswith("f:1: ")


def test_all_files_of_a_folder_are_read_in_order(tmp_path):
    (tmp_path / "b.jsonl").write_text('{"text": "3"}\n')
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.jsonl").write_text('{"text": "1"}\n\n{"text": "2"}')
    (tmp_path / "notes.txt").write_text("no")
    found = [each["learned"] for each in finetune.read_examples(str(tmp_path))]
    assert found == ["1", "2", "3"]
    assert len(finetune.read_examples(str(tmp_path / "b.jsonl"))) == 1


def test_a_data_set_without_examples_is_refused(tmp_path):
    with pytest.raises(finetune.Unusable, match="holds no example"):
        finetune.read_examples(str(tmp_path))
    with pytest.raises(finetune.Unusable, match="cannot be read"):
        finetune.read_examples(str(tmp_path / "none.jsonl"))


@given(st.integers(1, 50), st.integers(1, 9), st.integers(0, 3), st.integers(0, 3))
def test_every_epoch_takes_every_example_once_in_an_order_of_the_seed(count, size, epoch, seed):
    steps = finetune.batches(count, size, epoch, seed)
    assert sorted(index for step in steps for index in step) == list(range(count))
    assert max(map(len, steps)) <= size
    assert steps == finetune.batches(count, size, epoch, seed)


def test_layers_are_found_by_the_ends_of_their_names():
    names = ["m.0.q_proj", "m.0.other_q_proj", "m.0.v_proj", "lm_head"]
    assert finetune.matching_layers(names, "q_proj,lm_head,") == {
        "m.0.q_proj": "q_proj",
        "lm_head": "lm_head",
    }
    with pytest.raises(finetune.Unusable, match="ends with x or y"):
        finetune.matching_layers(names, "x,y")


def test_the_configuration_has_pefts_fields():
    words = ["--model", "m", "--model-name", "a/b", "--data", "d", "--outputs", "o", "--rank", "8"]
    config = finetune.adapter_config(finetune.arguments(words), {"v_proj", "q_proj"})
    assert (config["peft_type"], config["r"], config["lora_alpha"]) == ("LORA", 8, 16)
    assert config["target_modules"] == ["q_proj", "v_proj"]
    assert config["base_model_name_or_path"] == "a/b"
