#!/usr/bin/env bash
# sentence-transformers 6.2.0: CrossEncoder.rank sorts what the activation has made of the logits. In float32 a
# sigmoid is exactly 1 from about 17 on, so that passages which the model tells apart have the same score, and
# come back in the order in which they were given. With activation_fn=torch.nn.Identity() the order is that of
# the logits. Rankers with large logits so rank by chance where they are surest.
#
# Seen: logits 39.4907, 39.4913, 39.4909, 39.4909; scores 1 1 1 1; ranked 0 1 2 3, by logits 1 3 2 0.
#
# Installs PyTorch, which is several gigabytes on Linux unless pip finds a build for the CPU (PIP_FIND_LINKS).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    torch==2.13.0 transformers==5.23.0 sentence-transformers==6.2.0
cat > "$work/rank.py" <<'PYTHON'
import sys

import sentence_transformers
import torch
import transformers

folder = sys.argv[1]
passages = ["fox", "cat", "dog", "bird"]
with open(f"{folder}/vocab.txt", "w", encoding="utf-8") as file:
    file.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "query", *passages]))
tokenizer = transformers.BertTokenizer.from_pretrained(folder)
torch.manual_seed(0)
config = transformers.BertConfig(
    vocab_size=10, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
    intermediate_size=16, max_position_embeddings=16, num_labels=1,
)
model = transformers.BertForSequenceClassification(config).eval()
with torch.no_grad():
    model.classifier.weight.mul_(50)
    model.classifier.bias.fill_(40)  # sure of every passage, of some more than of others
model.save_pretrained(folder)
tokenizer.save_pretrained(folder)

encoder = sentence_transformers.CrossEncoder(folder, device="cpu")
pairs = [("query", passage) for passage in passages]
logits = encoder.predict(pairs, activation_fn=torch.nn.Identity())
scores = encoder.predict(pairs)
ranked = [row["corpus_id"] for row in encoder.rank("query", passages)]
by_logits = logits.argsort()[::-1].tolist()
print("sentence-transformers", sentence_transformers.__version__)
print("logits", logits, "scores", scores)
print("ranked", ranked, "by logits", by_logits)
assert (scores == 1).all() and len(set(logits.tolist())) == 4, "the scores no longer saturate"
assert ranked == [0, 1, 2, 3] != by_logits, "rank no longer follows the saturated scores"
PYTHON
mkdir "$work/model"
"$work/venv/bin/python" "$work/rank.py" "$work/model"
