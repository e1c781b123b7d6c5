"""The architectures: which family each belongs to, and the module that builds it.

A module has a `Config` with `from_dict(raw, ignored_keys)` and a `Model`, or `towers` where it reads
images. `sanitize` gives the checkpoint's tensors our names and layouts.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from types import ModuleType

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.checkpoints.config_keys import kind_of
from satchel.models.labels import declared_task
from satchel.runtime.errors import UnsupportedError, shown
from satchel.runtime.task import TEXT_TASKS


@dataclass(frozen=True)
class Architecture:
    """`family` is "decoder", "encoder" or "encoder-decoder"; `module` lies in `satchel.models`; what it
    `reads` is "text", "images" (with texts beside them in CLIP and SigLIP), "sound", "labels" before a
    text, or words with boxes on "pages"."""

    family: str
    module: str
    reads: str = "text"
    any_size: bool = False  # whether images of one model differ in size

    def load(self) -> ModuleType:
        return importlib.import_module(f"satchel.models.{self.module}")


ARCHITECTURES = {  # by model_type
    "llama": Architecture("decoder", "llama"),
    "mistral": Architecture("decoder", "mistral"),
    "qwen2": Architecture("decoder", "qwen2"),
    "qwen3": Architecture("decoder", "qwen3"),
    "smollm3": Architecture("decoder", "smollm3"),
    "gemma": Architecture("decoder", "gemma"),
    "gemma2": Architecture("decoder", "gemma2"),
    "gemma3_text": Architecture("decoder", "gemma3_text"),
    "gemma3": Architecture("decoder", "gemma3"),
    "phi3": Architecture("decoder", "phi3"),
    "olmo2": Architecture("decoder", "olmo2"),
    "olmo3": Architecture("decoder", "olmo3"),
    "granite": Architecture("decoder", "granite"),
    "ministral": Architecture("decoder", "ministral"),
    "ministral3": Architecture("decoder", "ministral3"),
    "mistral3": Architecture("decoder", "mistral3"),
    "exaone4": Architecture("decoder", "exaone4"),
    "hunyuan_v1_dense": Architecture("decoder", "hunyuan_v1_dense"),
    "ernie4_5": Architecture("decoder", "ernie4_5"),
    "arcee": Architecture("decoder", "arcee"),
    "apertus": Architecture("decoder", "apertus"),
    "helium": Architecture("decoder", "helium"),
    "glm": Architecture("decoder", "glm"),
    "glm4": Architecture("decoder", "glm4"),
    "cohere": Architecture("decoder", "cohere"),
    "cohere2": Architecture("decoder", "cohere2"),
    "nemotron": Architecture("decoder", "nemotron"),
    "gpt2": Architecture("decoder", "gpt2"),
    "gpt_neox": Architecture("decoder", "gpt_neox"),
    "phi": Architecture("decoder", "phi"),
    "starcoder2": Architecture("decoder", "starcoder2"),
    "stablelm": Architecture("decoder", "stablelm"),
    "falcon": Architecture("decoder", "falcon"),
    "gpt_bigcode": Architecture("decoder", "gpt_bigcode"),
    "opt": Architecture("decoder", "opt"),
    "gptj": Architecture("decoder", "gptj"),
    "codegen": Architecture("decoder", "codegen"),
    "gpt_neo": Architecture("decoder", "gpt_neo"),
    "bloom": Architecture("decoder", "bloom"),
    "mpt": Architecture("decoder", "mpt"),
    "bert": Architecture("encoder", "bert"),
    "roberta": Architecture("encoder", "roberta"),
    "xlm-roberta": Architecture("encoder", "xlm_roberta"),
    "distilbert": Architecture("encoder", "distilbert"),
    "mpnet": Architecture("encoder", "mpnet"),
    "modernbert": Architecture("encoder", "modernbert"),
    "electra": Architecture("encoder", "electra"),
    "albert": Architecture("encoder", "albert"),
    "deberta": Architecture("encoder", "deberta"),
    "deberta-v2": Architecture("encoder", "deberta_v2"),
    "camembert": Architecture("encoder", "camembert"),
    "xlm-roberta-xl": Architecture("encoder", "xlm_roberta_xl"),
    "nomic_bert": Architecture("encoder", "nomic_bert"),
    "gte": Architecture("encoder", "gte"),
    "new": Architecture("encoder", "new"),
    "jina_embeddings_v3": Architecture("encoder", "jina_embeddings_v3"),
    "jina_xlm_roberta": Architecture("encoder", "jina_xlm_roberta"),
    "jina_bert": Architecture("encoder", "jina_bert"),
    "eurobert": Architecture("encoder", "eurobert"),
    "neobert": Architecture("encoder", "neobert"),
    "roformer": Architecture("encoder", "roformer"),
    "esm": Architecture("encoder", "esm"),
    "convbert": Architecture("encoder", "convbert"),
    "longformer": Architecture("encoder", "longformer"),
    "static-embedding": Architecture("encoder", "static"),
    "layoutlmv3": Architecture("encoder", "layoutlmv3", reads="pages"),
    "gliner": Architecture("encoder", "gliner", reads="labels"),
    "t5": Architecture("encoder-decoder", "t5"),
    "mt5": Architecture("encoder-decoder", "mt5"),
    "umt5": Architecture("encoder-decoder", "umt5"),
    "longt5": Architecture("encoder-decoder", "longt5"),
    "bart": Architecture("encoder-decoder", "bart"),
    "led": Architecture("encoder-decoder", "led"),
    "mbart": Architecture("encoder-decoder", "mbart"),
    "marian": Architecture("encoder-decoder", "marian"),
    "pegasus": Architecture("encoder-decoder", "pegasus"),
    "m2m_100": Architecture("encoder-decoder", "m2m_100"),
    "blenderbot": Architecture("encoder-decoder", "blenderbot"),
    "blenderbot-small": Architecture("encoder-decoder", "blenderbot_small"),
    "t5gemma": Architecture("encoder-decoder", "t5gemma"),
    "encoder-decoder": Architecture("encoder-decoder", "encoder_decoder"),
    "vision-encoder-decoder": Architecture(
        "encoder-decoder", "vision_encoder_decoder", reads="images"
    ),
    "whisper": Architecture("encoder-decoder", "whisper", reads="sound"),
    "moonshine": Architecture("encoder-decoder", "moonshine", reads="sound"),
    "vit": Architecture("encoder", "vit", reads="images"),
    "deit": Architecture("encoder", "deit", reads="images"),
    "beit": Architecture("encoder", "beit", reads="images"),
    "dinov2": Architecture("encoder", "dinov2", reads="images"),
    "dinov2_with_registers": Architecture("encoder", "dinov2_with_registers", reads="images"),
    "dinov3_vit": Architecture("encoder", "dinov3_vit", reads="images"),
    "resnet": Architecture("encoder", "resnet", reads="images"),
    "convnext": Architecture("encoder", "convnext", reads="images"),
    "convnextv2": Architecture("encoder", "convnextv2", reads="images"),
    "mobilenet_v2": Architecture("encoder", "mobilenet_v2", reads="images"),
    "mobilenet_v3": Architecture("encoder", "mobilenet_v3", reads="images"),
    "swin": Architecture("encoder", "swin", reads="images"),
    "swinv2": Architecture("encoder", "swinv2", reads="images"),
    "segformer": Architecture("encoder", "segformer", reads="images"),
    "depth_anything": Architecture("encoder", "depth_anything", reads="images", any_size=True),
    "yolos": Architecture("encoder", "yolos", reads="images", any_size=True),
    "detr": Architecture("encoder", "detr", reads="images", any_size=True),
    "clip": Architecture("encoder", "clip", reads="images"),
    "siglip": Architecture("encoder", "siglip", reads="images"),
    "siglip2": Architecture("encoder", "siglip2", reads="images", any_size=True),
    "wav2vec2": Architecture("encoder", "wav2vec2", reads="sound"),
    "hubert": Architecture("encoder", "hubert", reads="sound"),
    "wavlm": Architecture("encoder", "wavlm", reads="sound"),
    "wav2vec2-bert": Architecture("encoder", "wav2vec2_bert", reads="sound"),
}
FEW = 8  # model types that an error names
ONE_TOWER = {  # model_type -> that of the checkpoint which holds the tower with its projection
    f"{pair}_{tower}_model": pair
    for pair in ("clip", "siglip", "siglip2")
    for tower in ("text", "vision")
}


def architecture(checkpoint: Checkpoint, family: str | None = None) -> Architecture:
    """That of `checkpoint`; UnsupportedError where its model_type is not in the table, or of another
    `family` than the one that is wanted."""
    model_type = kind_of(checkpoint.config)
    if isinstance(model_type, str) and model_type in ONE_TOWER:
        raise UnsupportedError(
            f"model_type {shown(model_type)} is one tower of two; satchel exports them from the "
            f"checkpoint of both, of model_type {ONE_TOWER[model_type]}"
        )
    known = list(ARCHITECTURES) if family is None else of_family(family)
    if not isinstance(model_type, str) or model_type not in known:
        kind = "unknown" if family is None else f"no {family}"
        raise UnsupportedError(f"model_type {shown(model_type)} is {kind}; known: {listed(known)}")
    return ARCHITECTURES[model_type]


def family(checkpoint: Checkpoint, task: str | None = None) -> str:
    """The family that `checkpoint` is read as for a task (None: the one it was made for): a decoder that
    gives vectors or labels is an encoder."""
    entry, config = architecture(checkpoint), checkpoint.config
    made = checkpoint.sentence is not None or declared_task(config) in ("classify", "tokens")
    reads = made or bool(config.get("use_bidirectional_attention"))
    if entry.family == "decoder" and (task in TEXT_TASKS or (task is None and reads)):
        return "encoder"
    return entry.family


def listed(known: list[str]) -> str:
    """The first of many model types, and where the others are."""
    return f"{', '.join(known[:FEW])} and {len(known) - FEW} more (docs/checkpoints.md)"


def of_family(family: str, reads: str | None = None) -> list[str]:
    """The model types of a family, or those of them that read the same."""
    return [
        name
        for name, entry in ARCHITECTURES.items()
        if entry.family == family and reads in (None, entry.reads)
    ]
