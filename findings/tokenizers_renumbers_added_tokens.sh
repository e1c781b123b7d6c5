#!/usr/bin/env bash
# tokenizers 0.23.3: tokenizer.json declares an id for every added token. Where that id does not follow on
# the vocabulary's last one, loading gives the token the next free id instead: no error, no warning. A model
# whose embedding row belongs to the declared id is then fed another row.
#
# Seen: "<x>" declared with id 10 behind a vocabulary of ids 0 to 2 is encoded as 3. Declared with id 3 it
# stays 3. A vocabulary that names the token itself under 10 keeps 10.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
"$work/venv/bin/python" - <<'PYTHON'
import json
from importlib.metadata import version

from tokenizers import Tokenizer


def encoded(declared, vocabulary):
    """The ids of "a <x> b" where "<x>" is an added token with the declared id."""
    added = {"id": declared, "content": "<x>", "special": True}
    added |= dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    content = {"version": "1.0", "added_tokens": [added], "model": model}
    content |= dict.fromkeys(("truncation", "padding", "normalizer", "post_processor", "decoder"))
    content["pre_tokenizer"] = {"type": "WhitespaceSplit"}
    return Tokenizer.from_str(json.dumps(content)).encode("a <x> b").ids


words = {"a": 0, "b": 1, "[UNK]": 2}
print("tokenizers", version("tokenizers"))
for declared, vocabulary, expected in (
    (10, words, [0, 3, 1]),
    (3, words, [0, 3, 1]),
    (10, words | {"<x>": 10}, [0, 10, 1]),
):
    found = encoded(declared, vocabulary)
    print(f"declared {declared}, in the vocabulary {vocabulary.get('<x>')}: {found}")
    assert found == expected, f"the behaviour has changed: expected {expected}"
PYTHON
