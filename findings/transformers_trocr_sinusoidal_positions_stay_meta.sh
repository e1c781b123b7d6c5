#!/usr/bin/env bash
# transformers 5.24.0, torch 2.13.0: a TrOCR decoder with sinusoidal positions (`use_learned_position_embeddings`
# false) works as it is built. Saved and loaded again by `from_pretrained` it raises at its first ids: its table of
# positions is a plain attribute, which stays on the meta device that a model is built on while it is loaded, and the
# file has no weight for it.
#
# Seen: logits from the model as built; from the loaded one "NotImplementedError Cannot copy out of meta tensor; no data!".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.24.0 torch==2.13.0
cat > "$work/positions.py" <<'PYTHON'
import sys

import torch
import transformers

config = transformers.TrOCRConfig(
    vocab_size=64, d_model=16, decoder_layers=1, decoder_attention_heads=2, decoder_ffn_dim=32,
    max_position_embeddings=32, use_learned_position_embeddings=False, is_decoder=True,
    add_cross_attention=False,
)
built = transformers.TrOCRForCausalLM(config).eval()
ids = torch.tensor([[5, 6, 7]])
with torch.no_grad():
    assert torch.isfinite(built(ids).logits).all()
built.save_pretrained(sys.argv[1])
loaded = transformers.TrOCRForCausalLM.from_pretrained(sys.argv[1]).eval()
table = loaded.model.decoder.embed_positions.weights
print("transformers", transformers.__version__, "torch", torch.__version__)
print("table of positions:", table.device)
assert table.device.type == "meta", "the table is no longer left on the meta device"
try:
    with torch.no_grad():
        loaded(ids)
except NotImplementedError as error:
    print(type(error).__name__, str(error).splitlines()[0])
else:
    print("the loaded model no longer fails")
    raise SystemExit(1)
PYTHON
HF_HUB_OFFLINE=1 "$work/venv/bin/python" "$work/positions.py" "$work/checkpoint" 2> /dev/null
