"""CamemBERT (Martin et al., 2020): RoBERTa in French, under another name."""

from __future__ import annotations

from satchel.models.roberta import Config, Model

__all__ = ["Config", "Model"]
