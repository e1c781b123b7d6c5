"""`satchel.sentence` beside sentence-transformers: the same calls on the same folders, equal results."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from satchel.runtime.errors import SatchelError, UsageError
from satchel.sentence import CrossEncoder, SentenceTransformer, SparseEncoder
from tests.sentence_models import LONG, PAIRS, PROMPTS, TEXTS, assert_close, save_dense
from tests.tiny_encoders import save_encoder

pytest_plugins = "tests.sentence_models"
library = pytest.importorskip("sentence_transformers")
Both = Callable[..., tuple[Any, Any]]

CALLS: dict[str, dict[str, Any]] = {
    "plain": {},
    "prompt by name": {"prompt_name": "query"},
    "prompt": {"prompt": "the dog: "},
    "both": {"prompt": "the dog: ", "prompt_name": "query"},
    "unit": {"normalize_embeddings": True},
    "short": {"truncate_dim": 10},
    "short and unit": {"truncate_dim": 10, "normalize_embeddings": True},
    "small batches": {"batch_size": 1, "show_progress_bar": False, "device": "cpu"},
    "bits": {"precision": "binary"},
    "unsigned bits": {"precision": "ubinary", "truncate_dim": 10},
    "bytes": {"precision": "int8"},
    "unsigned bytes": {"precision": "uint8", "normalize_embeddings": True},
    "tensor": {"convert_to_tensor": True},
    "tensors": {"convert_to_numpy": False},
    "tokens": {"output_value": "token_embeddings"},
    "task": {"task": "query"},
}


@pytest.mark.parametrize("name", CALLS)
def test_encode(name: str, both: Both) -> None:
    theirs, ours = both("SentenceTransformer", {"prompts": PROMPTS})
    options = CALLS[name]
    expected = theirs.encode(TEXTS, **options)
    found = ours.encode(TEXTS, **options)
    if "int8" in options.get("precision", ""):  # a number at the edge of two steps may take either
        assert found.dtype == expected.dtype
        assert np.abs(found.astype(int) - expected.astype(int)).max() <= 1
    else:
        assert_close(found, expected)
    if name != "tokens":  # where the library gives tensors in any case
        assert type(found) is type(expected)
    if "int8" not in options.get("precision", ""):
        assert_close(ours.encode(TEXTS[0], **options), theirs.encode(TEXTS[0], **options))


def test_encode_takes_what_people_give_it(both: Both) -> None:
    theirs, ours = both("SentenceTransformer")
    expected = theirs.encode(TEXTS)
    for texts in (tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object)):
        assert_close(ours.encode(texts), expected)
        assert_close(theirs.encode(texts), expected)
    assert_close(ours.encode(text for text in TEXTS), expected)
    assert_close(ours.encode(sentences=TEXTS), expected)
    assert_close(ours.encode([LONG, ""]), theirs.encode([LONG, ""]))
    assert_close(ours.encode([]), theirs.encode([]))
    assert ours.encode([], convert_to_tensor=True).shape[0] == 0
    assert_close(ours.encode(TEXTS, "query", None, 2), theirs.encode(TEXTS, "query", None, 2))


def test_queries_and_documents(both: Both) -> None:
    saved = {"prompts": PROMPTS, "default_prompt_name": "passage"}
    theirs, ours = both("SentenceTransformer", saved)
    assert ours.prompts == theirs.prompts
    assert ours.default_prompt_name == theirs.default_prompt_name == "passage"
    for method in ("encode", "encode_query", "encode_document"):
        for options in ({}, {"prompt": ""}, {"prompt_name": "query"}, {"prompt": "dog "}):
            expected = getattr(theirs, method)(TEXTS, **options)
            assert_close(getattr(ours, method)(TEXTS, **options), expected)
    given = {"prompts": {"query": "dog ", "passage": None}, "default_prompt_name": "query"}
    theirs, ours = both("SentenceTransformer", saved, **given)
    assert ours.prompts == theirs.prompts
    assert_close(ours.encode(TEXTS), theirs.encode(TEXTS))
    with pytest.raises(ValueError, match="prompt name 'no' is unknown"):
        ours.encode(TEXTS, prompt_name="no")
    with pytest.raises(ValueError, match="prompt name 'no' is unknown"):
        SentenceTransformer(ours.bundle, default_prompt_name="no")


def test_prompts_left_out_of_the_pooling(tmp_path: Path) -> None:
    save_dense(tmp_path, prompts=PROMPTS)
    config = tmp_path / "made" / "1_Pooling" / "config.json"
    config.write_text(
        config.read_text().replace('"include_prompt": true', '"include_prompt": false')
    )
    theirs = library.SentenceTransformer(str(tmp_path / "made"), device="cpu")
    ours = SentenceTransformer(tmp_path / "made", profile="fp32", cache_folder=tmp_path / "cache")
    calls: list[dict[str, Any]] = [{}, {"prompt_name": "query"}, {"prompt": "of the dog "}]
    for options in calls:
        assert_close(ours.encode(TEXTS, **options), theirs.encode(TEXTS, **options))


@pytest.mark.parametrize("name", ["cosine", "dot", "euclidean", "manhattan"])
def test_similarity(name: str, both: Both) -> None:
    theirs, ours = both("SentenceTransformer", similarity_fn_name=name)
    assert ours.similarity_fn_name == theirs.similarity_fn_name == name
    vectors = theirs.encode(TEXTS)
    for pair in ((vectors, vectors[:2]), (vectors[0], vectors), (vectors[0], vectors[1])):
        assert_close(ours.similarity(*pair), theirs.similarity(*pair).numpy())
    expected = theirs.similarity_pairwise(vectors, vectors[::-1].copy())
    assert_close(ours.similarity_pairwise(vectors, vectors[::-1]), expected.numpy())
    tensor = torch.from_numpy(vectors)
    assert isinstance(ours.similarity(tensor, tensor), torch.Tensor)
    ours.similarity_fn_name = library.SimilarityFunction.MANHATTAN
    assert ours.similarity_fn_name == "manhattan"
    with pytest.raises(ValueError, match="similarity_fn_name = 'maxsim' is not supported"):
        ours.similarity_fn_name = "maxsim"


def test_lengths_and_sizes(both: Both) -> None:
    theirs, ours = both("SentenceTransformer")
    assert ours.max_seq_length == ours.get_max_seq_length() == theirs.max_seq_length == 96
    assert ours.get_embedding_dimension() == ours.get_sentence_embedding_dimension() == 64
    theirs.max_seq_length = ours.max_seq_length = 12
    assert_close(ours.encode([LONG, *TEXTS]), theirs.encode([LONG, *TEXTS]))
    for wrong in (0, 97, 2, True, "a"):
        with pytest.raises(ValueError, match="max_seq_length"):
            ours.max_seq_length = wrong
    with theirs.truncate_embeddings(10), ours.truncate_embeddings(10):
        assert ours.get_embedding_dimension() == theirs.get_embedding_dimension() == 10
        assert_close(ours.encode(TEXTS), theirs.encode(TEXTS))
    theirs, ours = both("SentenceTransformer", truncate_dim=7)
    assert_close(ours.encode(TEXTS), theirs.encode(TEXTS))
    assert_close(ours.encode(TEXTS, truncate_dim=9), theirs.encode(TEXTS, truncate_dim=9))
    with pytest.raises(ValueError, match="truncate_dim = 65"):
        ours.encode(TEXTS, truncate_dim=65)


def test_tokenize(both: Both) -> None:
    theirs, ours = both("SentenceTransformer")
    for texts in (TEXTS, PAIRS, [LONG]):
        expected, found = theirs.tokenize(texts), ours.tokenize(texts)
        assert set(found) <= set(expected)
        for name in ("input_ids", "token_type_ids", "attention_mask"):
            assert_close(found[name], expected[name])
    assert_close(
        ours.preprocess(TEXTS, prompt="dog ")["input_ids"],
        theirs.preprocess(TEXTS, prompt="dog ")["input_ids"],
    )


def test_the_model_stays_where_it_is(both: Both) -> None:
    _, ours = both("SentenceTransformer")
    assert ours.to("cpu") is ours.eval() is ours.cpu() is ours
    assert str(ours.device) == "cpu" and ours.get_backend() == "onnx"
    assert "SentenceTransformer" in repr(ours) and ours.get_model_kwargs() == []
    with pytest.raises(ValueError, match="device = 'cuda' is not supported"):
        ours.to("cuda")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "device": ({"device": "cuda"}, "device = 'cuda'"),
    "devices": ({"device": ["cpu", "cpu"]}, "device = "),
    "pool": ({"pool": {"input": None}}, "pool"),
    "chunk": ({"chunk_size": 3}, "chunk_size = 3"),
    "unknown": ({"later": 1}, "argument 'later' is not supported"),
    "processing": ({"processing_kwargs": {"text": {}}}, "processing_kwargs"),
    "precision": ({"precision": "int4"}, "precision = 'int4'"),
    "output": ({"output_value": None}, "output_value = None"),
    "batch": ({"batch_size": 0}, "batch_size"),
    "prompt": ({"prompt": 3}, "prompt"),
    "cut": ({"truncate_dim": 0}, "truncate_dim"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arguments_of_encode_that_are_refused(name: str, both: Both) -> None:
    options, words = REFUSED[name]
    _, ours = both("SentenceTransformer")
    with pytest.raises(ValueError, match=words) as caught:
        ours.encode_query(TEXTS, **options)
    assert isinstance(caught.value, SatchelError)


def test_inputs_that_are_refused(both: Both) -> None:
    _, ours = both("SentenceTransformer")
    for wrong in ([("a", "b")], [b"a"], 3, [None], {"text": "a"}, np.zeros(3)):
        with pytest.raises(ValueError, match="expected a text"):
            ours.encode(wrong)
    with pytest.raises(ValueError, match="inputs are missing"):
        ours.encode()
    with pytest.raises(ValueError, match="from several embeddings"):
        ours.encode(TEXTS[0], precision="int8")


OPENING: dict[str, tuple[dict[str, Any], str]] = {
    "device": ({"device": "cuda"}, "device = 'cuda' is not supported"),
    "code": ({"trust_remote_code": True}, "trust_remote_code = True is not supported"),
    "modules": ({"modules": [1]}, "modules"),
    "token": ({"token": "x"}, "HF_TOKEN"),
    "backend": ({"backend": "openvino"}, "backend = 'openvino'"),
    "model": ({"model_kwargs": {"dtype": "float16"}}, "model_kwargs"),
    "processor": ({"processor_kwargs": {"a": 1}}, "processor_kwargs"),
    "config": ({"config_kwargs": {"a": 1}}, "config_kwargs"),
    "card": ({"model_card_data": object()}, "model_card_data"),
    "similarity": ({"similarity_fn_name": "maxsim"}, "similarity_fn_name = 'maxsim'"),
    "cut": ({"truncate_dim": 65}, "truncate_dim = 65"),
}


@pytest.mark.parametrize("name", OPENING)
def test_arguments_of_opening_that_are_refused(name: str, both: Both) -> None:
    options, words = OPENING[name]
    _, ours = both("SentenceTransformer")
    with pytest.raises(UsageError, match=words):
        SentenceTransformer(ours.bundle, **options)
    with pytest.raises(TypeError, match="later"):
        SentenceTransformer(ours.bundle, later=1)  # type: ignore[call-arg]
    for nothing in (None, ""):
        with pytest.raises(UsageError, match="model_name_or_path is missing"):
            SentenceTransformer(nothing)


@pytest.mark.parametrize("kind", [SentenceTransformer, CrossEncoder, SparseEncoder])
def test_a_signature_names_every_argument(kind: Any) -> None:
    theirs = inspect.signature(getattr(library, kind.__name__)).parameters
    ours = inspect.signature(kind).parameters
    assert set(ours) - set(theirs) == {"profile", "threads", "kernels"}
    assert set(theirs) - set(ours) <= {"use_auth_token"}  # of older releases
    for name in ours.keys() & theirs.keys() - {"backend"}:
        assert ours[name].default == theirs[name].default, name
    with pytest.raises(TypeError, match=f"{kind.__name__}.* 'later'"):
        kind("nowhere", later=1)


def test_a_bundle_of_another_class_is_refused(both: Both) -> None:
    bundles = {
        kind: both(kind)[1].bundle
        for kind in ("SentenceTransformer", "CrossEncoder", "SparseEncoder")
    }
    for kind in (SentenceTransformer, CrossEncoder, SparseEncoder):
        assert kind(bundles[kind.__name__], threads=1).bundle == bundles[kind.__name__]
        for other in bundles:
            if other != kind.__name__:
                with pytest.raises(UsageError, match=r"was made for|open it as"):
                    kind(bundles[other])


@pytest.mark.parametrize(
    "saved",
    [
        {},
        {"labels": 3},
        {"activation_fn": nn.Identity()},
        {"prompts": {"find": "it is: "}, "default_prompt_name": "find"},
    ],
    ids=["one", "three", "logits", "prompts"],
)
def test_predict(saved: dict[str, Any], both: Both) -> None:
    theirs, ours = both("CrossEncoder", saved)
    assert ours.num_labels == theirs.num_labels and ours.max_length == 96
    calls: list[dict[str, Any]] = [
        {},
        {"apply_softmax": True},
        {"activation_fn": nn.Sigmoid()},
        {"activation_fn": nn.Softmax(dim=-1)},
        {"prompt": "dog ", "batch_size": 1},
        {"convert_to_tensor": True},
        {"convert_to_numpy": False},
    ]
    for options in calls:
        for inputs in (PAIRS, [list(pair) for pair in PAIRS], PAIRS[0], list(PAIRS[0])):
            found, expected = ours.predict(inputs, **options), theirs.predict(inputs, **options)
            assert_close(found, expected)
            assert type(found) is type(expected)
    assert_close(ours.predict(np.array(PAIRS)), theirs.predict(np.array(PAIRS)))
    assert_close(ours.predict([]), theirs.predict([]))
    assert_close(ours.predict(sentences=PAIRS), theirs.predict(sentences=PAIRS))
    assert_close(
        ours.predict(PAIRS, activation_fn="identity"),
        theirs.predict(PAIRS, activation_fn=nn.Identity()),
    )
    doubled = ours.predict(PAIRS, activation_fn=lambda logits: 2 * logits)
    assert_close(doubled, 2 * ours.predict(PAIRS, activation_fn="identity"))


def test_rank(both: Both) -> None:
    theirs, ours = both("CrossEncoder", {"prompts": {"find": "it is: "}})
    documents = [*TEXTS, TEXTS[0]]
    for options in ({}, {"top_k": 2}, {"return_documents": True}, {"prompt_name": "find"}):
        expected, found = (one.rank("the fox", documents, **options) for one in (theirs, ours))
        assert [{**one, "score": 0} for one in found] == [{**one, "score": 0} for one in expected]
        scores = [one["score"] for one in found]
        assert scores == pytest.approx([one["score"] for one in expected], abs=1e-5)
    assert ours.rank("the fox", []) == []
    with pytest.raises(ValueError, match="documents are one text"):
        ours.rank("the fox", "a dog")
    with pytest.raises(ValueError, match="rank needs a model with one label"):
        both("CrossEncoder", {"labels": 3})[1].rank("the fox", documents)


def test_cross_encoders_are_opened_as_theirs(both: Both, tmp_path: Path) -> None:
    theirs, ours = both("CrossEncoder", num_labels=1, max_length=8, activation_fn=nn.Tanh())
    assert_close(ours.predict([(LONG, LONG), *PAIRS]), theirs.predict([(LONG, LONG), *PAIRS]))
    with pytest.raises(ValueError, match="num_labels = 2"):
        CrossEncoder(ours.bundle, num_labels=2)
    with pytest.raises(ValueError, match="activation_fn = 'relu'"):
        CrossEncoder(ours.bundle, activation_fn="relu")
    with pytest.raises(ValueError, match="activation_fn: expected a function"):
        ours.predict(PAIRS, activation_fn=3)
    for wrong in ([("a", "b", "c")], [(1, 2)]):
        with pytest.raises(ValueError, match="expected a text or a pair"):
            ours.predict(wrong)


def test_sparse_vectors(both: Both) -> None:
    theirs, ours = both("SparseEncoder", {"prompts": PROMPTS})
    expected = theirs.encode(TEXTS).to_dense().numpy()
    assert_close(ours.encode(TEXTS), expected)
    assert_close(ours.encode(TEXTS[0]), expected[0])
    for method in ("encode", "encode_query", "encode_document"):
        for options in ({}, {"max_active_dims": 5}, {"prompt": "dog "}):
            dense = getattr(theirs, method)(TEXTS, convert_to_sparse_tensor=False, **options)
            assert_close(getattr(ours, method)(TEXTS, **options), dense.numpy())
    for wanted in ({"convert_to_sparse_tensor": True}, {"convert_to_tensor": True}):
        found = ours.encode(TEXTS, **wanted)
        assert found.is_sparse
        assert_close(found.to_dense(), theirs.encode(TEXTS, **wanted).to_dense())
    several = ours.encode(TEXTS, convert_to_tensor=False)
    assert isinstance(several, list) and isinstance(several[0], np.ndarray)
    assert ours.similarity_fn_name == theirs.similarity_fn_name == "dot"
    assert_close(ours.similarity(expected, expected), theirs.similarity(expected, expected).numpy())
    assert ours.get_embedding_dimension() == theirs.get_embedding_dimension()


def test_what_sparse_vectors_say(both: Both) -> None:
    theirs, ours = both("SparseEncoder")
    tensor, array = theirs.encode(TEXTS), ours.encode(TEXTS)
    for top_k in (None, 3):
        for one, other in ((array, tensor), (array[0], tensor[0])):
            found, expected = ours.decode(one, top_k), theirs.decode(other, top_k)
            if one.ndim == 1:
                found, expected = [found], [expected]
            for some, more in zip(found, expected, strict=True):
                assert [weight for _, weight in some] == pytest.approx(
                    [weight for _, weight in more], abs=5e-5
                )
                assert {word for word, _ in some} == {word for word, _ in more}
    stated = theirs.sparsity(tensor)
    assert ours.sparsity(array) == pytest.approx(stated)
    assert_close(
        ours.intersection(array[0], array),
        theirs.intersection(tensor[0], tensor).to_dense().numpy(),
    )
    with pytest.raises(ValueError, match="expected one vector"):
        ours.intersection(array, array)


def test_plain_folders_as_each_class_opens_them(tmp_path: Path) -> None:
    """Without modules.json: the mean of the states, logits as they are, words of a masked model."""
    cases: dict[str, tuple[str, dict[str, Any]]] = {
        "SentenceTransformer": ("embed", {}),
        "CrossEncoder": ("classify", {"num_labels": 3}),
        "SparseEncoder": ("fill-mask", {}),
    }
    for kind, (task, options) in cases.items():
        folder = tmp_path / kind
        save_encoder(folder, "bert", task, num_hidden_layers=1, **options)
        theirs = getattr(library, kind)(str(folder), device="cpu")
        made = {
            "SentenceTransformer": SentenceTransformer,
            "CrossEncoder": CrossEncoder,
            "SparseEncoder": SparseEncoder,
        }
        ours = made[kind](folder, profile="fp32", cache_folder=tmp_path / "cache")
        if isinstance(ours, CrossEncoder):
            assert_close(ours.predict(PAIRS), theirs.predict(PAIRS))
        else:
            expected = theirs.encode(TEXTS)
            expected = expected.to_dense().numpy() if kind == "SparseEncoder" else expected
            assert_close(ours.encode(TEXTS), expected)
            assert_close(
                ours.encode_query([LONG]),
                np.asarray(
                    theirs.encode_query([LONG]).to_dense()
                    if kind == "SparseEncoder"
                    else theirs.encode_query([LONG])
                ),
            )
