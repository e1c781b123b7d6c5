"""Export a saved folder and compare the bundle with what transformers answers on the same folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

import satchel
from satchel.runtime.image import sample_images
from tests.tiny_speech import RATE, some_sound

TEXTS = [
    "Hello, World! The FOX didn't see it.",
    "  two  spaces caf\u00e9 na\u00efve",
    "12.50 \u4e16\u754c\n\u00c9t\u00e9 e\u0301",
]
PAIR = ("Who runs?", "The fox runs on and on, and the Dog sees it.")
STEPS = 12
NEAR = 3e-4  # of the largest value: float32 with its sums in another order
HEADS = {
    "embed": "AutoModel",
    "classify": "AutoModelForSequenceClassification",
    "tokens": "AutoModelForTokenClassification",
    "answer": "AutoModelForQuestionAnswering",
    "fill-mask": "AutoModelForMaskedLM",
}


def export(folder: Path, out: Path, profile: str = "fp32", **options: Any) -> Any:
    """The loaded bundle of a checkpoint."""
    satchel.pack(folder, out, profile=profile, force=profile != "fp32", **options)
    return satchel.load(out, threads=1)


def check(folder: Path, out: Path, **options: Any) -> Any:
    """Export in float32 and compare in everything that the family is for; returns the bundle."""
    ours = export(folder, out, **options)
    manifest = ours.manifest
    with torch.inference_mode():
        if manifest.speech is not None:
            compare_speech(ours, folder)
        elif manifest.family == "encoder-decoder":
            compare_seq2seq(ours, folder)
        elif manifest.family == "decoder":
            compare_decoder(ours, folder)
        elif manifest.image is not None:
            compare_images(ours, folder)
        else:
            compare_texts(ours, folder)
    return ours


def their_model(kind: str, folder: Path) -> Any:
    """transformers' model with the weights of the folder: those made up at random prove nothing."""
    model, said = getattr(transformers, kind).from_pretrained(
        folder, dtype=torch.float32, output_loading_info=True
    )
    made_up = sorted(name for name in said["missing_keys"] if not name.endswith(".bias"))
    assert not made_up, f"transformers makes up {made_up[:3]}"  # biases become 0
    return model.eval()


def their_tokenizer(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder)


def same_ids(found: Any, expected: Any, text: Any) -> None:
    assert list(found) == list(expected), f"ids of {text!r}: {found} and not {expected}"


def near(found: Any, expected: Any, what: str) -> None:
    expected = np.asarray(expected)
    assert found.shape == expected.shape, f"{what}: {found.shape} and not {expected.shape}"
    most, off = np.abs(expected).max(), np.abs(found - expected).max()
    assert off <= NEAR * max(most, 1), f"{what} differ by {off:.3g} of {most:.3g}"


def compare_decoder(ours: Any, folder: Path) -> None:
    """Ids of texts, logits, and the greedy text with its end, as the generation config has it."""
    theirs, tokenizer = their_model("AutoModelForCausalLM", folder), their_tokenizer(folder)
    for text in TEXTS:
        inputs = _row(tokenizer(text).input_ids)
        same_ids(ours.encode(text), inputs["input_ids"][0].tolist(), text)
        near(ours.logits(text), theirs(**inputs).logits[0], "logits")
        expected = theirs.generate(**inputs, max_new_tokens=STEPS, do_sample=False)[0]
        new = expected[inputs["input_ids"].shape[1] :].tolist()
        same_text(ours.generate(text, max_new_tokens=STEPS, temperature=0), new, theirs, tokenizer)


def same_text(found: Any, expected: list[int], theirs: Any, tokenizer: Any) -> None:
    """The ids up to an end, and their text where it is of words."""
    ends = theirs.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    stop = next((place for place, token in enumerate(expected) if token in ends), len(expected))
    assert found.tokens == expected[:stop], f"writes {found.tokens} and not {expected[:stop]}"
    if max(found.tokens, default=0) < len(tokenizer):  # M2M-100 writes out names of languages
        text = tokenizer.decode(expected[:stop], skip_special_tokens=True)
        assert found.text.strip() == text.strip(), f"reads {found.text!r} and not {text!r}"


def compare_texts(ours: Any, folder: Path) -> None:
    """Ids of texts and pairs, and states or the head's answers."""
    task, tokenizer = ours.manifest.task, their_tokenizer(folder)
    theirs = their_model(HEADS[task], folder)
    limit = min(ours.manifest.context, tokenizer.model_max_length)
    pairs = [PAIR] if task in ("classify", "answer") else []
    for item in [*((text,) for text in TEXTS), *pairs, ("the dog " * 90,)]:
        if len(item) == 1 and task == "answer":
            continue
        inputs = tokenizer(*item, truncation=True, max_length=limit, return_tensors="pt")
        encoding = ours.preparation.encode(*item)
        same_ids(encoding.ids, inputs["input_ids"][0].tolist(), item)
        output = theirs(**inputs)
        if task == "embed":
            near(ours.hidden_states(item[0]), output.last_hidden_state[0], "states")
            continue
        [logits] = ours._logits([encoding])  # as classify and answer do
        if task == "answer":
            expected = torch.stack([output.start_logits, output.end_logits], -1)[0]
        else:
            expected = output.logits[0]
        near(logits, expected, "logits")
    if task in ("classify", "fill-mask"):
        compare_pipeline(ours, folder, task, tokenizer)


def compare_pipeline(ours: Any, folder: Path, task: str, tokenizer: Any) -> None:
    """Labels and filled words with their scores."""
    name = {"classify": "text-classification", "fill-mask": "fill-mask"}[task]
    reader = transformers.pipeline(name, model=str(folder), device="cpu", dtype=torch.float32)
    if task == "classify":
        expected = {
            row["label"]: row["score"] for row in reader(TEXTS[0], top_k=None, truncation=True)
        }
        found = ours.classify(TEXTS[0]).scores
    else:
        text = f"The fox {tokenizer.mask_token} the dog."
        expected = {row["token_str"].strip(): row["score"] for row in reader(text, top_k=5)}
        found = {row.token: row.score for row in ours.fill_mask(text)}
    assert list(found) == list(expected) or task == "classify", f"{found} and not {expected}"
    assert found.keys() == expected.keys(), f"{found} and not {expected}"
    off = max(abs(found[key] - expected[key]) for key in expected)
    assert off < 1e-3, f"scores differ by {off:.3g}: {found} and not {expected}"


def compare_seq2seq(ours: Any, folder: Path) -> None:
    """Ids of sources, logits, and the text as the generation config has it."""
    theirs, tokenizer = their_model("AutoModelForSeq2SeqLM", folder), their_tokenizer(folder)
    start = theirs.generation_config.decoder_start_token_id
    for text in TEXTS:
        inputs = _row(tokenizer(text).input_ids)
        same_ids(ours.encode(text), inputs["input_ids"][0].tolist(), text)
        expected = theirs(**inputs, decoder_input_ids=torch.tensor([[start, 5, 6, 7]])).logits[0]
        near(ours.logits(text, [5, 6, 7]), expected, "logits")
        made = theirs.generate(**inputs, max_new_tokens=STEPS, do_sample=False)[0].tolist()
        same_text(ours.generate(text, max_new_tokens=STEPS), made[1:], theirs, tokenizer)
    told = ours.manifest.translation
    if told is not None and told.target == "forced":
        compare_translation(ours, theirs, tokenizer)


def compare_translation(ours: Any, theirs: Any, tokenizer: Any) -> None:
    """From one named language into another."""
    source, target = list(ours.manifest.translation.languages)[:2]
    tokenizer.src_lang = source
    inputs = _row(tokenizer(TEXTS[0]).input_ids)
    ids = ours.encode_source(TEXTS[0], source, target)
    same_ids(ids, inputs["input_ids"][0].tolist(), TEXTS[0])
    forced = ours.manifest.translation.languages[target]
    made = theirs.generate(
        **inputs, max_new_tokens=STEPS, do_sample=False, forced_bos_token_id=forced
    )
    [found] = ours.targets([ids], target, max_new_tokens=STEPS)
    same_text(found, made[0].tolist()[1:], theirs, tokenizer)


def compare_speech(ours: Any, folder: Path) -> None:
    """From sound to text."""
    theirs = their_model("AutoModelForSpeechSeq2Seq", folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    named = hasattr(theirs.generation_config, "lang_to_id")  # older files only force ids
    asked = {"language": "de", "task": "transcribe"} if named else {}
    for seed in range(2):
        sound = some_sound(1.9, seed)
        heard = processor(sound, sampling_rate=RATE, return_tensors="pt")
        made = theirs.generate(heard["input_features"], max_new_tokens=STEPS, **asked)
        found = ours.transcribe(sound, sample_rate=RATE, max_new_tokens=STEPS, **asked)
        [expected] = processor.batch_decode(made, skip_special_tokens=True)
        # The library counts what asks for a language and a task among the new ids: it ends earlier.
        alike = found.text.strip().startswith(expected.strip())
        assert alike and expected.strip(), f"hears {found.text!r} and not {expected!r}"


def compare_images(ours: Any, folder: Path) -> None:
    """Vectors or labels of images, and vectors of the texts that go with them."""
    pictures = list(sample_images((50, 70), 2))
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    pixels = processor(pictures, return_tensors="pt")["pixel_values"]
    task = ours.manifest.task
    if task == "image-classify":
        theirs = their_model("AutoModelForImageClassification", folder)
        scores = theirs(pixels).logits.softmax(-1).numpy()
        found = np.stack([list(row.scores.values()) for row in ours.classify_images(pictures)])
        near(found, scores, "scores")
        return
    theirs = their_model("AutoModel", folder)
    if not hasattr(theirs, "get_image_features"):
        expected = theirs(pixels).last_hidden_state
        near(ours.embed_images(pictures), expected[:, 0], "vectors of images")
        return
    near(ours.embed_images(pictures), _unit(theirs.get_image_features(pixels)), "vectors of images")
    whole = transformers.AutoProcessor.from_pretrained(folder)
    length = ours.manifest.context
    for text in [*TEXTS, "the dog " * 90]:
        options = {"padding": "max_length", "truncation": True, "max_length": length}
        ids = whole(text=[text], return_tensors="pt", **options)[
            "input_ids"
        ]  # SigLIP masks nothing
        near(ours.embed([text]), _unit(theirs.get_text_features(ids)), "vectors of texts")


def _unit(output: Any) -> Any:
    vectors = output.pooler_output
    return vectors / vectors.norm(dim=-1, keepdim=True)


def _row(ids: list[int]) -> dict[str, Any]:
    tensor = torch.tensor([ids])
    return {"input_ids": tensor, "attention_mask": torch.ones_like(tensor)}


def edit(folder: Path, name: str, change: Callable[[Any], Any]) -> None:
    """Replace a JSON file's content by what `change` makes of it."""
    path = folder / name
    path.write_text(json.dumps(change(json.loads(path.read_text("utf-8"))), indent=2), "utf-8")
