#!/usr/bin/env bash
# transformers 5.24.0: DebertaTokenizer puts two [SEP] between the texts of a pair, whatever tokenizer.json says;
# 4.57.3 puts one on the same folder, as DeBERTa's models of inference and of questions were trained. The class makes
# its post-processor anew behind the one that it read. DebertaV2Tokenizer has one [SEP] in both, but leaves the rules of
# characters in tokenizer.json out, so that a fullwidth letter is unknown.
#
# Seen: [CLS] a [SEP] b [SEP] by 4.57.3, [CLS] a [SEP] [SEP] b [SEP] by 5.24.0; a fullwidth "a" is ▁a by 4.57.3 and
# unknown by 5.24.0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/look.py" <<'PYTHON'
import json
import sys
from pathlib import Path

import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

version, place = transformers.__version__, Path(sys.argv[1])
special = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"]


def save(name, tokenizer):
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    folder = place / version / name
    folder.mkdir(parents=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    said = {"tokenizer_class": name, **{f"{s.strip('[]').lower()}_token": s for s in special}}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    return transformers.AutoTokenizer.from_pretrained(folder)


bytes_ = Tokenizer(models.BPE({word: i for i, word in enumerate([*special, "a", "b"])}, []))
bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
bytes_.decoder = decoders.ByteLevel()
pair = save("DebertaTokenizer", bytes_)("a", "b").input_ids
pieces = Tokenizer(models.Unigram([(s, 0.0) for s in special] + [("\u2581a", -1.0)], unk_id=3))
pieces.normalizer = normalizers.NFKC()  # in place of a SentencePiece model's own rules
pieces.pre_tokenizer = pre_tokenizers.Metaspace()
wide = save("DebertaV2Tokenizer", pieces)("\uff41").input_ids
print("transformers", version, "a pair:", pair, "a fullwidth letter:", wide)
old = version.startswith("4.")
assert pair == ([1, 5, 2, 6, 2] if old else [1, 5, 2, 2, 6, 2]), "the behaviour has changed"
assert (3 in wide) == (not old), "the behaviour has changed"
PYTHON
for release in 4.57.3 5.24.0; do
    python3 -m venv "$work/$release"
    "$work/$release/bin/python" -m pip install --quiet --disable-pip-version-check "transformers==$release"
    HF_HUB_OFFLINE=1 "$work/$release/bin/python" "$work/look.py" "$work/made" 2> "$work/errors" || {
        tail -3 "$work/errors"
        exit 1
    }
done
