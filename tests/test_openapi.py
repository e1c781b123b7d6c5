"""Requests that schemathesis makes of the server's OpenAPI document get the answers that it promises."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

import satchel
from satchel.serve.app import ENDPOINTS, SOUNDS, Access, Server
from satchel.serve.shelf import Serving, Shelf
from tests.conftest import WHOLE
from tests.test_tools import caller  # noqa: F401
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq

ANSWERS = {
    "/v1/embeddings": "embed",
    "/v1/rerank": "rank",
    "/rerank": "rank",
    "/v1/translate": "t5",
}
OTHERS = ("/v1/models", "/v1/models/{name}", "/health", "/metrics")
EXAMPLES = 100 if WHOLE else 6
QUIETLY = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


SAVED: dict[str, Callable[[Path], Any]] = {
    "embed": lambda folder: save_encoder(folder, "bert", "embed"),
    "rank": lambda folder: save_encoder(folder, "bert", "classify", num_labels=1),
    "t5": lambda folder: save_seq2seq(folder, "t5", num_layers=1, num_decoder_layers=1),
}
SERVED = list(SAVED) if WHOLE else ["embed"]  # beside one that talks


@pytest.fixture(scope="module")
def schema(caller: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: F811
    place = tmp_path_factory.mktemp("described")
    for name in SERVED:
        SAVED[name](place / "checkpoints" / name)
        satchel.pack(place / "checkpoints" / name, place / name, profile="fp32", force=True)
    folders = [str(caller[1]), *(str(place / name) for name in SERVED)]
    server = Server(Shelf(folders, Serving(threads=1)), Access(hosts=None))
    return schemathesis.openapi.from_asgi("/openapi.json", server.app())


@pytest.mark.parametrize("path", [*ENDPOINTS, *SOUNDS, *OTHERS])
def test_answers_are_those_that_the_document_promises(schema: Any, path: str) -> None:
    seen: Counter[int] = Counter()
    able = ANSWERS.get(path, "caller")

    def ask(case: Any) -> None:
        named = isinstance(case.body, dict) and case.body.get("model") in ("caller", *SERVED)
        if named and able in ("caller", *SERVED):
            case.body["model"] = able
        answer = case.call()
        seen[answer.status_code] += 1
        # What fits the document may still ask what a bundle cannot do.
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    posted = path in ENDPOINTS or path in SOUNDS
    operation = schema[path]["POST" if posted else "GET"]
    modes = [schemathesis.GenerationMode.POSITIVE]
    modes += [schemathesis.GenerationMode.NEGATIVE] if posted else []
    for mode in modes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a text that is cut
            QUIETLY(given(operation.as_strategy(generation_mode=mode))(ask))()
    assert sum(seen.values()) >= (EXAMPLES if posted else 1)
    assert not posted or seen[400]


def test_whole_numbers_may_have_a_point(schema: Any) -> None:
    operation = schema["/v1/completions"]["POST"]
    body = '{"model": "caller", "prompt": "a", "max_tokens": NUMBER}'
    for number, status in (("3.0", 200), ("3e0", 200), ("3.5", 400), ("1e400", 400)):
        asked = operation.Case(headers={"Content-Type": "application/json"})
        answer = asked.call(data=body.replace("NUMBER", number))
        assert answer.status_code == status, answer.text
        if status == 200:
            assert answer.json()["usage"]["completion_tokens"] <= 3


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"temperature": "warm"}, "temperature 'warm': expected a number"),
        ({"timestamp_granularities[]": "word"}, "the times are those of segments"),
        ({"colour" * 200: "red"}, "is not supported"),
        ({f"field{number}": "x" for number in range(20)}, "Too many fields"),
    ],
)
def test_forms_that_make_no_sense_are_refused(schema: Any, fields: Any, words: str) -> None:
    operation = schema["/v1/audio/transcriptions"]["POST"]
    asked = operation.Case()
    answer = asked.call(data=fields | {"model": "caller"}, files={"file": ("a.wav", b"RIFF")})
    error = answer.json()["error"]
    assert answer.status_code == 400 and words in error["message"] and len(error["message"]) <= 600
