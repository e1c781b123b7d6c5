"""Folders of MobileNet V3 as timm 1.0 saves them, and what timm 1.0.31 answers on each.

transformers has no such model without timm, which needs torchvision: timm's names, shapes and answers
stand in tiny_timm.json. Where both are there, ``python -m tests.tiny_timm`` writes it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

ANSWERS = Path(__file__).with_suffix(".json")
SIDES = {  # pixels of the images of each model that was asked
    "mobilenetv3_small_050": 64,
    "mobilenetv3_large_100": 64,
    "tf_mobilenetv3_large_minimal_100": 75,
}
LABELS = 5


def noise_images(side: int) -> Tensor:
    """Two images of noise [2, 3, side, side]."""
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(side))


def weights(shapes: dict[str, list[int]]) -> dict[str, Tensor]:
    """Noise of such a size that every layer shows in the answer."""
    noise, made = torch.Generator().manual_seed(0), {}
    for name, shape in shapes.items():
        values = torch.randn(shape, generator=noise)
        if len(shape) > 1:
            values *= (2 / values[0].numel()) ** 0.5
        elif name.endswith("running_var"):
            values = 0.8 + values.abs() / 2
        else:
            values = values / 5 + name.endswith("weight")
        made[name] = values
    return made


def configuration(name: str) -> dict[str, Any]:
    """config.json as timm's push to a hub writes it."""
    side = SIDES[name]
    return {
        "architecture": name,
        "num_classes": LABELS,
        "num_features": 576 if "small" in name else 960,
        "pretrained_cfg": {
            "tag": "lamb_in1k",
            "custom_load": False,
            "input_size": [3, side, side],
            "fixed_input_size": False,
            "interpolation": "bicubic",
            "crop_pct": 0.875,
            "crop_mode": "center",
            "mean": [0.485, 0.456, 0.406],
            "std": [0.229, 0.224, 0.225],
            "num_classes": LABELS,
            "pool_size": [7, 7],
            "first_conv": "conv_stem",
            "classifier": "classifier",
        },
    }


def save_mobilenet(folder: Path, name: str = "mobilenetv3_small_050") -> Tensor:
    """Write a checkpoint; returns the scores that timm gives its images."""
    recorded = json.loads(ANSWERS.read_text("utf-8"))[name]
    folder.mkdir(exist_ok=True)
    tensors = weights(recorded["shapes"])
    counted = [key for key in tensors if key.endswith("running_mean")]
    tensors |= {
        key.replace("running_mean", "num_batches_tracked"): torch.tensor(7) for key in counted
    }
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(configuration(name)))
    return torch.tensor(recorded["logits"])


def main() -> None:
    """Ask timm."""
    timm: Any = __import__("timm")
    answers = {}
    for name, side in SIDES.items():
        model = timm.create_model(name, num_classes=LABELS).eval()
        shapes = {k: list(t.shape) for k, t in model.state_dict().items() if t.ndim}
        model.load_state_dict(weights(shapes), strict=False)
        with torch.inference_mode():
            answers[name] = {"logits": model(noise_images(side)).tolist(), "shapes": shapes}
    ANSWERS.write_text(json.dumps(answers, separators=(",", ":")) + "\n", "utf-8")


if __name__ == "__main__":
    main()
