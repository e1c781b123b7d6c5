#!/usr/bin/env bash
# transformers 5.23.0: a tokenizer called with a text and an empty second text forgets that there is a second
# one: the ids are those of a single text. The same pair in a batch, as two lists or as a list of pairs, has the
# separator of an empty second text. A pair classifier so gives one score to a pair asked alone and another to
# the same pair in a batch; a pipeline that passes text_pair="" and a cross-encoder that passes pairs differ.
#
# Seen: alone 4 ids, [CLS] the fox [SEP]; in a batch 5 ids, with a second [SEP].
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.23.0
cat > "$work/pairs.py" <<'PYTHON'
import sys

import transformers

folder = sys.argv[1]
with open(f"{folder}/vocab.txt", "w", encoding="utf-8") as file:
    file.write("\n".join("[PAD] [UNK] [CLS] [SEP] [MASK] the fox".split()))
tokenizer = transformers.BertTokenizer.from_pretrained(folder)
single = tokenizer("the fox").input_ids
alone = tokenizer("the fox", "").input_ids
[lists] = tokenizer(["the fox"], [""]).input_ids
[pairs] = tokenizer([("the fox", "")]).input_ids
print("transformers", transformers.__version__)
print("one text:          ", single)
print("pair alone:        ", alone)
print("pair in two lists: ", lists)
print("pair in one list:  ", pairs)
assert alone == single, "a lone pair now keeps its empty second text"
assert lists == pairs == [*single, single[-1]], "a pair in a batch has changed"
PYTHON
mkdir "$work/tokenizer"
"$work/venv/bin/python" "$work/pairs.py" "$work/tokenizer"
