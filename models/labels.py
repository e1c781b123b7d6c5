"""What config.json says about a head: its task, and the names and scores of its labels."""

from __future__ import annotations

from typing import Any

from satchel.models.encoder import Labels
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

PRETRAINED = "pre-training"  # for masked words or, as ELECTRA, for something else
TASK_OF = {  # the end of a name in `architectures` -> task
    "Model": "embed",
    "ForSequenceClassification": "classify",
    "ForTokenClassification": "tokens",
    "ForQuestionAnswering": "answer",
    "ForMaskedLM": "fill-mask",
    "ForPreTraining": PRETRAINED,
}
SCORES = {  # problem_type -> how scores read
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "identity",
}
ACTIVATIONS = {  # class of torch.nn that a cross-encoder names -> how scores read
    "Sigmoid": "sigmoid",
    "Identity": "identity",
    "Softmax": "softmax",
}


def declared_task(config: dict[str, Any]) -> str | None:
    """The task that `architectures` names, "embed" where it is absent, None if it is not known."""
    names = config.get("architectures") or ["Model"]
    name = str(names[0]) if isinstance(names, list) else str(names)
    return next((task for end, task in TASK_OF.items() if name.endswith(end)), None)


def read_labels(config: dict[str, Any], task: str, activation: str | None) -> Labels:
    """The labels of a classifier. `activation` names what a cross-encoder's scores go through.

    Where nothing names it, a lone score is a probability unless it is a regression's, and several are
    a distribution: so read transformers' pipeline and, a lone score, sentence-transformers.
    """
    names = _names(config)
    if task == "tokens":
        return Labels(names)
    problem = config.get("problem_type")
    if problem is not None and str(problem) not in SCORES:
        raise UnsupportedError(
            f"config.json: problem_type {shown(problem)} is not supported; known: {', '.join(SCORES)}"
        )
    if activation is not None:
        package, _, kind = activation.rpartition(".")
        if not package.startswith("torch.nn") or kind not in ACTIVATIONS:
            raise UnsupportedError(
                f"activation_fn {shown(activation)} is not supported; known: {', '.join(ACTIVATIONS)}"
            )
        return Labels(names, ACTIVATIONS[kind])
    if len(names) == 1:
        return Labels(names, "identity" if problem == "regression" else "sigmoid")
    return Labels(names, SCORES[problem or "single_label_classification"])


def score_activation(config: dict[str, Any]) -> str | None:
    """What config.json of a cross-encoder says its score goes through, in the styles of its versions."""
    section = config.get("sentence_transformers")
    found = section.get("activation_fn") if isinstance(section, dict) else None
    found = found or config.get("sbert_ce_default_activation_function")
    return found if isinstance(found, str) else None


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
