#!/usr/bin/env bash
# transformers 5.23.0: Gemma3TextConfig takes rope_scaling in its newer spelling (rope_type) and loses it in
# the older one (type), which version 4 took too: the model is then built without scaling, and only a line of
# the log speaks of an unrecognised key. LlamaConfig takes both.
#
# Seen: of {"type": "linear", "factor": 8.0} the full attention of Gemma 3 gets the rope type "default".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.23.0
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - 2> /dev/null <<'PYTHON'
from importlib.metadata import version

from transformers import Gemma3TextConfig, LlamaConfig

print("transformers", version("transformers"))
for kind, spelling, expected in (
    (Gemma3TextConfig, "type", "default"),
    (Gemma3TextConfig, "rope_type", "linear"),
    (LlamaConfig, "type", "linear"),
    (LlamaConfig, "rope_type", "linear"),
):
    found = kind(rope_scaling={spelling: "linear", "factor": 8.0}).rope_parameters
    rope = found.get("full_attention", found)["rope_type"]
    print(f"{kind.__name__}, {spelling}: {rope}")
    assert rope == expected, f"the behaviour has changed: expected {expected}"
PYTHON
