#!/usr/bin/env bash
# transformers 5.24.0, Siglip2Processor: it reads images with patches of its own, 256 at most with sides of 16,
# whatever its image processor was made (or saved) with. The image processor alone keeps to its own.
#
# Seen (an image of 120 x 200, max_num_patches 25, patch_size 8): the image processor gives pixel_values of
# (1, 25, 192), the processor around it (1, 256, 768).
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    transformers==5.24.0 numpy==2.4.6 pillow==13.0.0
cat > "$work/patches.py" <<'PYTHON'
import sys

import numpy as np
import PIL
import transformers
from PIL import Image
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast, Siglip2Processor
from transformers.models.siglip2.image_processing_pil_siglip2 import Siglip2ImageProcessorPil

print("transformers", transformers.__version__, "pillow", PIL.__version__)
noise = np.random.default_rng(0).integers(0, 255, (120, 200, 3), dtype=np.uint8)
image = Image.fromarray(noise)
words = models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(words), pad_token="a")
alone = Siglip2ImageProcessorPil(max_num_patches=25, patch_size=8)
inside = Siglip2Processor(alone, tokenizer)
shapes = [
    np.asarray(one(images=image, return_tensors="np")["pixel_values"]).shape
    for one in (alone, inside)
]
print("image processor", shapes[0], "processor", shapes[1])
if shapes != [(1, 25, 192), (1, 256, 768)]:
    sys.exit("changed: expected (1, 25, 192) and (1, 256, 768)")
print("as described")
PYTHON
"$work/venv/bin/python" "$work/patches.py"
