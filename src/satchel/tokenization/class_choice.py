"""Which of transformers' tokenizer classes reads a checkpoint, chosen as its AutoTokenizer does.

Names are without "Tokenizer" and "Fast"; empty is the generic class, which takes tokenizer.json as it is.
"""

from __future__ import annotations

import json

from satchel.checkpoints.checkpoint import Checkpoint

GENERIC = ""
OWN = {  # model_type -> the class registered for it in transformers 5.23; others have the generic one
    "albert": "Albert",
    "bart": "Roberta",
    "bert": "Bert",
    "blenderbot": "Blenderbot",
    "camembert": "Camembert",
    "clip": "CLIP",
    "convbert": "Bert",
    "deberta": "Deberta",
    "deberta-v2": "DebertaV2",
    "distilbert": "Bert",
    "electra": "Bert",
    "esm": "Esm",
    "gemma": "Gemma",
    "gemma2": "Gemma",
    "gemma3": "Gemma",
    "gemma3_text": "Gemma",
    "gpt2": "GPT2",
    "gpt_neox": "GPTNeoX",
    "gte": "XLMRoberta",
    "jina_embeddings_v3": "XLMRoberta",
    "layoutlmv3": "LayoutLMv3",
    "led": "Roberta",
    "longformer": "Roberta",
    "m2m_100": "M2M100",
    "marian": "Marian",
    "mbart": "MBart",
    "mpnet": "MPNet",
    "mt5": "T5",
    "nomic_bert": "Bert",
    "pegasus": "Pegasus",
    "qwen2": "Qwen2",
    "qwen3": "Qwen2",
    "roberta": "Roberta",
    "roformer": "RoFormer",
    "siglip": "Siglip",
    "t5": "T5",
    "whisper": "Whisper",
    "xlm-roberta": "XLMRoberta",
}
TAKEN_AS_GENERIC = frozenset(  # whatever class their files name
    """ernie4_5 glm glm4 granite ministral ministral3 mistral mistral3 modernbert nemotron olmo2 olmo3
    phi3""".split()  # noqa: SIM905
)
TAKEN_AS_OWN = {"qwen2"}  # likewise, because many of their files name a wrong one
ALIASES = {
    "Bart": "Roberta",
    "ConvBert": "Bert",
    "Electra": "Bert",
    "LED": "Roberta",
    "LayoutLM": "Bert",
    "Longformer": "Roberta",
    "Lxmert": "Bert",
    "MobileBert": "Bert",
    "Mvp": "Roberta",
    "SqueezeBert": "Bert",
}
WITH_TYPES = frozenset(  # further classes of 5.23 whose models are told the texts of a pair apart
    [
        "Canine",
        "DPRContextEncoder",
        "DPRQuestionEncoder",
        "FNet",
    ]
)
UNNAMED = ("", "PreTrained", "TokenizersBackend", "PythonBackend", "Bloom")


def reading_class(checkpoint: Checkpoint) -> str:
    """The class that reads the tokenizer of `checkpoint`; one that satchel does not know by its name."""
    stated = checkpoint.tokenizer_config.get("tokenizer_class")
    stated = stated or checkpoint.config.get("tokenizer_class")
    kind = str(checkpoint.config.get("model_type"))
    own = OWN.get(kind, GENERIC)
    if kind in TAKEN_AS_GENERIC:
        return GENERIC
    if not isinstance(stated, str) or kind in TAKEN_AS_OWN:
        return own
    name = bare_name(stated)
    if name == "Llama" and '"ByteLevel"' in json.dumps(checkpoint.tokenizer):
        return GENERIC  # such files are Llama 3's, which that class does not read
    return name


def bare_name(name: str) -> str:
    """A class without what all names have, and without its aliases."""
    name = name.removesuffix("Fast").removesuffix("Tokenizer")
    return GENERIC if name in UNNAMED else ALIASES.get(name, name)
