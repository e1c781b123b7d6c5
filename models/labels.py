"""What config.json says about a head: its task, and the names and scores of its labels."""

from __future__ import annotations

import re
from typing import Any

from satchel.checkpoints.sentence import SentenceModules
from satchel.checkpoints.sentence_steps import activation_class
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.manifest import Labels

PRETRAINED = "pre-training"  # for masked words or, as ELECTRA, for something else
TASK_OF = {  # the end of a name in `architectures` -> task
    "Model": "embed",
    "ForSequenceClassification": "classify",
    "ForTokenClassification": "tokens",
    "ForQuestionAnswering": "answer",
    "ForMaskedLM": "fill-mask",
    "ForPreTraining": PRETRAINED,
    "LMHead": "fill-mask",  # NeoBERT's names
    "NeoBERT": "embed",
}
SINGLE = "single_label_classification"
OTHER_HEADS = re.compile(  # classes of generating architectures that do not generate
    r"(For(\w+Classification|QuestionAnswering|MultipleChoice)|EncoderModel)$"
)
SCORES = {  # problem_type -> how scores read
    SINGLE: "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "identity",
}
CROSS_SCORES = {  # class of torch.nn -> how scores read
    "Sigmoid": "sigmoid",
    "Identity": "identity",
    "Softmax": "softmax",
}


def declared_task(config: dict[str, Any]) -> str | None:
    """The task that `architectures` names, "embed" where it is absent, None if it is not known."""
    name = saved_by(config) or "Model"
    return next((task for end, task in TASK_OF.items() if name.endswith(end)), None)


def saved_by(config: dict[str, Any]) -> str:
    """The class that wrote the checkpoint, "" where `architectures` is absent."""
    names = config.get("architectures") or [""]
    return str(names[0]) if isinstance(names, list) else str(names)


def check_generates(config: dict[str, Any]) -> None:
    """Refuse a checkpoint of a generating architecture whose class has another head, or none."""
    name = saved_by(config)
    if OTHER_HEADS.search(name):
        raise UnsupportedError(
            f"config.json: architectures = {shown(name)} does not generate; of model_type "
            f"{shown(config.get('model_type'))} satchel exports what does (ForCausalLM, "
            "LMHeadModel, ForConditionalGeneration)"
        )


def read_labels(
    config: dict[str, Any], task: str, sentence: SentenceModules | None = None
) -> Labels:
    """The labels of a classifier.

    Their scores read as a pipeline of transformers reads them or, where the folder or a named
    activation says that it is one, as a cross-encoder of sentence-transformers.
    """
    names = _names(config)
    if task == "tokens":
        return Labels(names, "softmax")
    problem = config.get("problem_type")
    if problem is not None and str(problem) not in SCORES:
        raise UnsupportedError(
            f"config.json: problem_type {shown(problem)} is not supported; known: {', '.join(SCORES)}"
        )
    crossing = sentence is not None and sentence.settings.kind == "CrossEncoder"
    activation = sentence.settings.activation if sentence is not None and crossing else None
    activation = activation or _activation(config)
    if activation is not None:
        return Labels(
            names, CROSS_SCORES[activation_class(activation, CROSS_SCORES, "activation_fn")]
        )
    if crossing:
        return Labels(names, "sigmoid" if len(names) == 1 else "identity")
    usual = "sigmoid" if len(names) == 1 else "softmax"
    # A pipeline takes the softmax over no more than one label as a sigmoid.
    return Labels(names, usual if problem in (None, SINGLE) else SCORES[problem])


def _activation(config: dict[str, Any]) -> str | None:
    """What config.json of a cross-encoder says its scores go through, in the styles of its versions."""
    section = config.get("sentence_transformers")
    name = section.get("activation_fn") if isinstance(section, dict) else None
    name = name or config.get("sbert_ce_default_activation_function")
    return name if isinstance(name, str) else None


def _names(config: dict[str, Any]) -> list[str]:
    mapping = config.get("id2label")
    if mapping is None:
        count = config.get("num_labels", config.get("_num_labels", 2))
        if not isinstance(count, int) or not 1 <= count <= 1 << 20:
            raise CheckpointError(f"config.json: num_labels = {shown(count)}", "CKPT_CONFIG")
        return [f"LABEL_{index}" for index in range(count)]
    keys = [str(index) for index in range(len(mapping))] if isinstance(mapping, dict) else []
    if not keys or set(mapping) != set(keys):
        raise CheckpointError(
            f"config.json: id2label = {shown(mapping)} does not number its labels from 0",
            "CKPT_CONFIG",
        )
    return [str(mapping[key]) for key in keys]
