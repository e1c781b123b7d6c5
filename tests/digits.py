"""A small ResNet that learns in seconds to read handwritten digits, those that scikit-learn carries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
import transformers
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits  # type: ignore[import-untyped]

SIDE, TAUGHT, OTHERS, SAVED = 24, 800, 200, 100
PROCESSOR = {
    "size": {"height": SIDE, "width": SIDE},
    "do_center_crop": False,
    "image_mean": [0.5] * 3,
    "image_std": [0.5] * 3,
}
SIZES: dict[str, Any] = {
    "embedding_size": 16,
    "hidden_sizes": [32, 64],
    "depths": [1, 1],
    "layer_type": "basic",
    "num_labels": 10,
}


@dataclass(frozen=True)
class Digits:
    """A checkpoint, some of the images it learnt from, and what transformers makes of others."""

    checkpoint: Path
    images: Path
    others: list[Image.Image]
    likeliest: NDArray[np.int64]
    labels: NDArray[np.int64]


def learnt(folder: Path) -> Digits:
    """Teach and save a model and its images below `folder`."""
    known = load_digits()
    pictures = [_picture(image) for image in known.images[: TAUGHT + OTHERS]]
    pixels = torch.from_numpy(np.stack([np.asarray(one, np.float32) for one in pictures]))
    pixels = pixels.permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.from_numpy(known.target[: TAUGHT + OTHERS])
    torch.manual_seed(0)
    model: Any = transformers.ResNetForImageClassification(transformers.ResNetConfig(**SIZES))
    _teach(model, pixels[:TAUGHT], labels[:TAUGHT])
    with torch.no_grad():
        likeliest = model.eval()(pixels[TAUGHT:]).logits.argmax(1).numpy()
    checkpoint, images = folder / "checkpoint", folder / "images" / "some"
    model.save_pretrained(checkpoint)
    transformers.ViTImageProcessor(**PROCESSOR).save_pretrained(checkpoint)
    images.mkdir(parents=True)
    for number, picture in enumerate(pictures[:SAVED]):
        picture.save(images / f"{number:03}.png")
    return Digits(checkpoint, images.parent, pictures[TAUGHT:], likeliest, labels[TAUGHT:].numpy())


def _teach(model: Any, pixels: torch.Tensor, labels: torch.Tensor) -> None:
    optimizer = torch.optim.AdamW(model.train().parameters(), 5e-3)
    for _ in range(8):
        for some in torch.randperm(len(pixels)).split(50):
            loss = F.cross_entropy(model(pixels[some]).logits, labels[some])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def _picture(image: NDArray[np.float64]) -> Image.Image:
    levels = (image * 255 / 16).astype(np.uint8)
    return Image.fromarray(levels).convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
