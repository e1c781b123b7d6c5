#!/usr/bin/env bash
# transformers 5.23.0: a folder whose tokenizer.json keeps case is lower-cased by BertTokenizer, unless
# tokenizer_config.json says do_lower_case false. The class takes the vocabulary from tokenizer.json and makes
# the normaliser anew, so that file alone does not say what ids a text gets; the tokenizers library, which
# reads nothing else, gives others. The generic class takes the file as it is.
#
# Seen: "Hello" is ["Hello"] by tokenizers and by PreTrainedTokenizerFast, ["hello"] by BertTokenizer.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    transformers==5.23.0 tokenizers==0.23.3
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work" 2> /dev/null <<'PYTHON'
import json
import sys
from importlib.metadata import version
from pathlib import Path

import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

folder = Path(sys.argv[1]) / "checkpoint"
folder.mkdir()
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "Hello", "hello"]
vocabulary = {word: index for index, word in enumerate(words)}
made = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
made.normalizer = normalizers.BertNormalizer(lowercase=False)
made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
made.save(str(folder / "tokenizer.json"))
print("transformers", version("transformers"), "tokenizers", version("tokenizers"))
print("tokenizers alone:", made.encode("Hello").tokens)
assert made.encode("Hello").tokens == ["Hello"]
for said, expected in (
    ({"tokenizer_class": "BertTokenizer"}, ["hello"]),
    ({"tokenizer_class": "BertTokenizer", "do_lower_case": False}, ["Hello"]),
    ({"tokenizer_class": "PreTrainedTokenizerFast"}, ["Hello"]),
):
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    found = transformers.AutoTokenizer.from_pretrained(folder).tokenize("Hello")
    print(said, found)
    assert found == expected, f"the behaviour has changed: expected {expected}"
PYTHON
