#!/usr/bin/env bash
# transformers 5.24.0: with attn_implementation="eager" a Falcon with ALiBi (falcon-rw-1b) adds the bias to its
# scores twice: once itself, and once in the mask, into which it has been written for scaled_dot_product_attention.
# With "sdpa", the default, and in the paper it is added once.
#
# Seen: logits that differ by more than 0.01 of the largest between the two implementations, for the same weights;
# without ALiBi they are the same.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.13.0
HF_HUB_OFFLINE=1 "$work/venv/bin/python" - "$work/model" 2> /dev/null <<'PYTHON'
import sys
from importlib.metadata import version

import torch
from transformers import FalconConfig, FalconForCausalLM

print("transformers", version("transformers"))
for alibi in (True, False):
    torch.manual_seed(0)
    sizes = {"vocab_size": 64, "hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
    model = FalconForCausalLM(FalconConfig(**sizes, alibi=alibi, multi_query=False))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter) * 0.3
    model.save_pretrained(sys.argv[1])
    logits = []
    for kind in ("eager", "sdpa"):
        read = FalconForCausalLM.from_pretrained(sys.argv[1], attn_implementation=kind).eval()
        with torch.inference_mode():
            logits.append(read(torch.arange(40)[None]).logits)
    gap = float((logits[0] - logits[1]).abs().max() / logits[1].abs().max())
    print(f"alibi {alibi}: eager and sdpa differ by {gap:.2g} of the largest logit")
    assert (gap > 0.01) == alibi, "the behaviour has changed"
PYTHON
