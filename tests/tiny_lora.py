"""Adapters that peft itself saves, for tiny checkpoints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file

from tests.tiny import reader

FILE, CONFIG = "adapter_model.safetensors", "adapter_config.json"


def save_lora(checkpoint: Path, folder: Path, seed: int = 1, **settings: Any) -> Any:
    """Write an adapter of `checkpoint` to `folder`; returns peft's model with it, none of it zero."""
    config = json.loads((checkpoint / "config.json").read_text())
    base = reader(config["model_type"]).from_pretrained(checkpoint, dtype=torch.float32)
    model = get_peft_model(
        base, LoraConfig(**({"r": 4, "task_type": "CAUSAL_LM"} | settings))
    ).eval()
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += torch.randn_like(parameter) * 0.2
    model.save_pretrained(folder)
    return model


def edit_lora(folder: Path, **changes: Any) -> None:
    """Change keys of adapter_config.json; the value `...` removes one."""
    path = folder / CONFIG
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not ...}))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    """Change the tensors of an adapter."""
    tensors = load_file(folder / FILE)
    change(tensors)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / FILE)
