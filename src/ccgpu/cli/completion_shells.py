"""Answers the completion scripts of bash, zsh and fish (`templates/completion`).

A script runs `ccgpu __complete SHELL WORDS…`. The first line of the answer is `PATHS SPACE START`:
`files`, `folders` or `words`; `space` or `nospace` after a word; how many characters of the last
word the words below leave out. Each further line is a word, a tab and its description. bash gets
the words that fit, without descriptions; zsh and fish choose themselves.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ccgpu.cli.completing import Candidates, candidates

_TABLE = Path(__file__).with_name("completions.json")
_BREAKS = "=:"  # of readline's word breaks, those that occur in our words


def answer(words: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """The answer to the words after `__complete`; None if they are not a script's.

    Words: `bash COMP_WORDBREAKS LINE`, the line up to the cursor; or `zsh` or `fish` and the words
    after the program's name, the last one as far as it is typed.
    """
    shell, *rest = words or ("",)
    if shell == "bash" and len(rest) == 2:
        breaks, line = rest
        typed, split = split_line(line, breaks)
        return _for_bash(_found(typed, environ), typed[-1], split)
    if shell == "zsh" and rest:
        found = _found(rest, environ)
        return _formatted(found, found.words)
    if shell == "fish" and rest:
        found = _found(rest, environ)
        start = rest[-1][: found.start]
        return _formatted(found, {f"{start}{word}": text for word, text in found.words.items()})
    return None


def _found(words: Sequence[str], environ: Mapping[str, str]) -> Candidates:
    table = json.loads(_TABLE.read_text(encoding="utf-8"))
    return candidates(table, words, lambda backend: deployments(backend, environ))


def deployments(backend: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """The names in this machine's journals: of `backend`, or by CCGPU_BACKEND, or of both.

    A file name that is no name of a deployment is not offered: it could hold anything.
    """
    from ccgpu.domain.resource import is_deployment_name
    from ccgpu.store import folders

    state = folders.state()
    of_backends = {
        "fake": (folders.fake_journals(folders.fake_state(state, environ)), "simulated"),
        "azure": (state / "journals", "deployment"),
    }
    wanted = backend or environ.get("CCGPU_BACKEND")
    found: dict[str, str] = {}
    for name, (folder, text) in of_backends.items():
        if wanted in (name, None, ""):
            stems = sorted(file.stem for file in folder.glob("*/*.json"))
            found |= {stem: text for stem in stems if is_deployment_name(stem)}
    return found


def _for_bash(found: Candidates, last: str, split: int) -> str:
    """split: of the last word, how many characters readline does not replace."""
    fitting = [word for word in found.words if word.startswith(last[found.start :])]
    whole = [f"{last[: found.start]}{word}" for word in fitting]
    return _formatted(found, {word[split:]: "" for word in whole})


def _formatted(found: Candidates, words: Mapping[str, str]) -> str:
    space = "nospace" if found.unfinished else "space"
    rows = [f"{word}\t{text}" if text else word for word, text in words.items()]
    return "\n".join([f"{found.paths or 'words'} {space} {found.start}", *rows]) + "\n"


def split_line(line: str, breaks: str) -> tuple[list[str], int]:
    """The words of a line after the first, without their quotes; the last one may be empty.

    breaks: readline's word breaks. The number returned says how many characters of the last word
    stand before the last break that is not quoted.
    """
    words, word, split, quote, escaped = [], "", 0, "", False
    inside = False  # a word has begun
    for letter in line:
        if escaped:
            word, escaped = word + letter, False
        elif letter == "\\" and quote != "'":
            escaped = inside = True
        elif quote:
            quote, word = ("", word) if letter == quote else (quote, word + letter)
        elif letter in "\"'":
            quote, inside = letter, True
        elif letter.isspace():
            if inside:
                words.append(word)
            word, split, inside = "", 0, False
        else:
            word, inside = word + letter, True
            split = len(word) if letter in _BREAKS and letter in breaks else split
    return [*words[1:], word] if words else [""], split
