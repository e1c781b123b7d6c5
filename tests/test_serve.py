"""The server, over real HTTP: what it answers is what Python answers, and what it refuses it names."""

from __future__ import annotations

import base64
import concurrent.futures
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import openai
import pytest

import satchel
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.encoder_model import EncoderModel
from tests.chat_bundles import checkpoint, packed  # noqa: F401
from tests.tiny_encoders import save_encoder
from tests.tiny_seq2seq import save_seq2seq

CHAT, COMPLETE, EMBED = "chat/completions", "completions", "embeddings"
HELLO = [{"role": "user", "content": "Hello there"}]
SCHEMA = {
    "type": "object",
    "properties": {"a": {"type": "boolean"}},
    "required": ["a"],
    "additionalProperties": False,
}


@dataclass
class Served:
    process: subprocess.Popen[str]
    address: str
    talker: DecoderModel
    embedder: EncoderModel

    @property
    def http(self) -> httpx.Client:
        return httpx.Client(base_url=self.address, timeout=60)

    @property
    def openai(self) -> Any:  # whose arguments are typed more narrowly than what it takes
        return openai.OpenAI(base_url=f"{self.address}/v1", api_key="-", max_retries=0)

    def running(self) -> int:
        """Texts that are being written or wait."""
        lines = self.http.get("/metrics").text.splitlines()
        return sum(
            int(line.split()[-1])
            for line in lines
            if line.startswith(("satchel_texts_running{", "satchel_texts_waiting{"))
        )


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def start(*arguments: str) -> tuple[subprocess.Popen[str], str]:
    port = free_port()
    command = [
        sys.executable,
        "-m",
        "satchel",
        "serve",
        *arguments,
        "--port",
        str(port),
        "--threads",
        "1",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    address = f"http://127.0.0.1:{port}"
    for _ in range(300):
        try:
            httpx.get(f"{address}/health").raise_for_status()
            return process, address
        except httpx.TransportError:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


@pytest.fixture(scope="module")
def folders(
    packed: Callable[[str], Path],  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Path]:
    place = tmp_path_factory.mktemp("served")
    save_encoder(place / "checkpoint", "bert", "embed")
    satchel.pack(place / "checkpoint", place / "embedder", profile="fp32", force=True)
    return packed("int8"), place / "embedder"


@pytest.fixture(scope="module")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("translating")
    save_seq2seq(place / "checkpoint", "t5", num_layers=1, num_decoder_layers=1)
    satchel.pack(place / "checkpoint", place / "translator", profile="fp32", force=True)
    return place / "translator"


@pytest.fixture(scope="module")
def served(folders: tuple[Path, Path], translator: Path) -> Iterator[Served]:
    bundles = map(str, (*folders, translator))
    process, address = start(*bundles, "--slots", "4", "--queue", "16")
    talker, embedder = (satchel.load(folder, threads=1) for folder in folders)
    assert isinstance(talker, DecoderModel) and isinstance(embedder, EncoderModel)
    yield Served(process, address, talker, embedder)
    process.kill()


def test_answers_are_those_of_python(served: Served) -> None:
    asked: dict[str, Any] = {"model": "int8", "messages": HELLO, "max_tokens": 12}
    expected = served.talker.generate(served.talker.encode_chat(HELLO), max_new_tokens=12)
    answer = served.openai.chat.completions.create(**asked, logprobs=True, top_logprobs=2)
    choice = answer.choices[0]
    assert choice.message.content == expected.text
    assert choice.finish_reason == {"eos": "stop"}.get(
        expected.finish_reason, expected.finish_reason
    )
    assert answer.usage is not None and answer.usage.completion_tokens == len(expected.tokens)
    assert choice.logprobs is not None and choice.logprobs.content is not None
    assert [one.logprob for one in choice.logprobs.content] == expected.logprobs
    assert all(one.logprob == one.top_logprobs[0].logprob for one in choice.logprobs.content)

    events = list(
        served.openai.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        )
    )
    said = "".join(c.delta.content or "" for e in events for c in e.choices)
    assert said == expected.text and events[-1].usage == answer.usage.model_copy(
        update={"prompt_tokens_details": events[-1].usage.prompt_tokens_details}
    )


def test_sampled_choices_have_seeds_of_their_own(served: Served) -> None:
    ids = served.talker.encode_chat(HELLO)
    answer = served.openai.chat.completions.create(
        model="int8", messages=HELLO, max_tokens=9, n=3, seed=4, temperature=1.3, top_p=0.9
    )
    for place, choice in enumerate(answer.choices):
        alone = served.talker.generate(
            ids, max_new_tokens=9, temperature=1.3, top_p=0.9, seed=4 + place
        )
        assert choice.index == place and choice.message.content == alone.text


def test_completions_take_texts_and_ids(served: Served) -> None:
    prompts = ["One day", "Another"]
    answer = served.openai.completions.create(
        model="int8", prompt=prompts, max_tokens=7, logprobs=1
    )
    for choice, prompt in zip(answer.choices, prompts, strict=True):
        expected = served.talker.generate(prompt, max_new_tokens=7)
        assert choice.text == expected.text and choice.logprobs is not None
        assert choice.logprobs.token_logprobs == expected.logprobs
    ids = served.talker.encode(prompts[0])
    by_ids = served.openai.completions.create(model="int8", prompt=ids, max_tokens=7)
    assert by_ids.choices[0].text == answer.choices[0].text
    stream = served.openai.completions.create(model="int8", prompt=ids, max_tokens=7, stream=True)
    assert "".join(event.choices[0].text for event in stream) == answer.choices[0].text


def test_forms_hold(served: Served) -> None:
    asked: dict[str, Any] = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    answer = served.openai.chat.completions.create(
        model="int8", messages=HELLO, max_tokens=64, response_format=asked
    )
    assert isinstance(json.loads(answer.choices[0].message.content or "")["a"], bool)
    regex = served.openai.completions.create(
        model="int8", prompt="x", extra_body={"grammar": {"regex": "[ab]{4}"}}
    )
    assert set(regex.choices[0].text) <= {"a", "b"} and len(regex.choices[0].text) == 4


def test_vectors_are_those_of_python(served: Served) -> None:
    texts = ["a text", "another one", ""]
    expected = served.embedder.embed(texts)
    packed_ = served.openai.embeddings.create(model="embedder", input=texts)  # asks for base64
    assert np.array_equal(np.array([row.embedding for row in packed_.data], np.float32), expected)
    prepare = served.embedder.preparation
    assert prepare is not None
    read = [prepare.tokenizer.encode(text).ids for text in texts]
    assert packed_.usage.prompt_tokens == sum(map(len, read))
    joined = served.openai.embeddings.create(
        model="embedder", input=LONG, extra_body={"window": 4}, encoding_format="float"
    )
    (vector,) = served.embedder.embed([LONG], window=4)
    assert np.array_equal(np.array(joined.data[0].embedding, np.float32), vector)
    assert joined.usage.prompt_tokens > len(prepare.tokenizer.encode(LONG).ids)
    plain = served.http.post("/v1/embeddings", json={"model": "embedder", "input": texts}).json()
    assert np.array_equal(
        np.array([row["embedding"] for row in plain["data"]], np.float32), expected
    )
    raw = served.http.post(
        "/v1/embeddings", json={"model": "embedder", "input": "a text", "encoding_format": "base64"}
    )
    assert np.array_equal(
        np.frombuffer(base64.b64decode(raw.json()["data"][0]["embedding"]), "<f4"), expected[0]
    )


TALK: dict[str, Any] = {"model": "int8", "messages": HELLO}
BAD_SCHEMA = {"type": "json_schema", "json_schema": {"schema": {"type": "x"}}}
TWO = {"response_format": {"type": "json_object"}, "grammar": {"regex": "a"}}
PICTURE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
TOOLS = [{"type": "function", "function": {"name": "f"}}]
LONG = "word " * 600
REFUSED: dict[str, tuple[str, Any, int, str]] = {
    "no such model": (CHAT, {"model": "x", "messages": HELLO}, 404, "model_not_found"),
    "another task": (CHAT, {"model": "embedder", "messages": HELLO}, 400, "wrong_task"),
    "embed with a talker": (EMBED, {"model": "int8", "input": "x"}, 400, "wrong_task"),
    "unknown field": (CHAT, {"model": "int8", "messages": HELLO, "colour": 1}, 400, "invalid_body"),
    "a wrong type": (CHAT, {"model": "int8", "messages": "x"}, 400, "invalid_body"),
    "no JSON": (CHAT, "{", 400, "invalid_body"),
    "deep JSON": (CHAT, '{"model":"int8","messages":' + "[" * 9999, 400, "invalid_body"),
    "an empty conversation": (CHAT, {"model": "int8", "messages": []}, 400, "invalid_body"),
    "an order the template refuses": (
        CHAT, {"model": "int8", "messages": [{"role": "robot", "content": "x"}]}, 400, "invalid_body",
    ),
    "too long": (COMPLETE, {"model": "int8", "prompt": "word " * 2000}, 400, "context_length_exceeded"),
    "an empty prompt": (COMPLETE, {"model": "int8", "prompt": ""}, 400, "empty_prompt"),
    "mixed prompts": (COMPLETE, {"model": "int8", "prompt": ["a", 5]}, 400, "value"),
    "an id that is none": (COMPLETE, {"model": "int8", "prompt": [99999]}, 400, "token_id"),
    "too many texts": (COMPLETE, {"model": "int8", "prompt": "a", "n": 5}, 400, "limit"),
    "a bad schema": (CHAT, TALK | {"response_format": BAD_SCHEMA}, 400, "grammar"),
    "two forms": (CHAT, TALK | TWO, 400, "value"),
    "an image": (CHAT, TALK | {"messages": PICTURE}, 400, "unsupported"),
    "tools": (CHAT, TALK | {"tools": TOOLS}, 400, "unsupported"),
    "a suffix": (COMPLETE, {"model": "int8", "prompt": "a", "suffix": "b"}, 400, "unsupported"),
    "a long text to embed": (EMBED, {"model": "embedder", "input": LONG}, 400, "context_length_exceeded"),
    "an unknown prompt": (EMBED, {"model": "embedder", "input": "a", "prompt": "nope"}, 400, "usage"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_answered_is_refused_in_openais_shape(served: Served, name: str) -> None:
    path, body, status, code = REFUSED[name]
    content = body if isinstance(body, str) else json.dumps(body)
    for more in ({}, {"stream": True}) if isinstance(body, dict) and "input" not in body else ({},):
        sent = json.dumps(body | more) if more else content
        answer = served.http.post(f"/v1/{path}", content=sent)
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, code), error
        assert (
            set(error) == {"message", "type", "param", "code"} and 0 < len(error["message"]) <= 600
        )


def test_a_bundle_that_translates_is_asked_elsewhere(served: Served) -> None:
    asked = {"model": "translator", "prompt": "a"}
    error = served.http.post("/v1/completions", json=asked).json()["error"]
    assert error["code"] == "wrong_task" and error["message"].endswith("ask /v1/translate")
    answer = served.http.post("/v1/translate", json={"model": "translator", "input": "a"})
    assert answer.status_code == 200 and isinstance(answer.json()["data"][0]["text"], str)


def test_addresses_methods_and_hosts(served: Served) -> None:
    assert served.http.get("/v1/nothing").json()["error"]["code"] == "not_found"
    assert served.http.get("/v1/embeddings").status_code == 405
    assert served.http.get("/v1/models", headers={"Host": "elsewhere.example"}).status_code == 421
    known = {model.id for model in served.openai.models.list()}
    assert known == {"int8", "embedder", "translator"}
    assert served.http.get("/v1/models/int8").json()["task"] == "generate"
    page = served.http.get("/")
    assert (
        "<select" in page.text and "default-src 'none'" in page.headers["Content-Security-Policy"]
    )
    document = served.http.get("/openapi.json").json()
    assert set(document["paths"]) >= {
        "/v1/chat/completions",
        "/v1/embeddings",
        "/v1/audio/transcriptions",
    }


def test_many_at_once_get_what_each_gets_alone(served: Served) -> None:
    prompts = [f"{number} " + "word " * (number % 7) for number in range(12)]

    def ask(prompt: str) -> str:
        stream = served.openai.completions.create(
            model="int8", prompt=prompt, max_tokens=20, stream=True
        )
        return "".join(event.choices[0].text for event in stream)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask, prompts))
    assert together == [
        served.talker.generate(prompt, max_new_tokens=20).text for prompt in prompts
    ]
    assert served.running() == 0


def test_a_client_that_leaves_frees_its_slot(served: Served) -> None:
    endless = {"257": -100, "300": -100}
    body = {"model": "int8", "prompt": "a", "max_tokens": 1000, "n": 4, "logit_bias": endless}
    for _ in range(6):  # more than there are slots
        with served.http.stream("POST", "/v1/completions", json=body | {"stream": True}) as answer:
            next(answer.iter_lines())
        with pytest.raises(httpx.ReadTimeout):
            httpx.post(f"{served.address}/v1/completions", json=body, timeout=0.05)
    for _ in range(50):
        if not served.running():
            break
        time.sleep(0.1)
    assert served.running() == 0


def test_a_client_that_leaves_before_its_request_is_whole_is_no_failure(
    folders: tuple[Path, Path],
) -> None:
    process, address = start(str(folders[1]))
    head = f"POST /v1/embeddings HTTP/1.1\r\nHost: {address[7:]}\r\nContent-Length: 99\r\n\r\n{{"
    with socket.create_connection(address[7:].split(":")) as one:  # type: ignore[arg-type]
        one.sendall(head.encode())
    while 'status="refused"} 1' not in httpx.get(f"{address}/metrics").text:
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    assert "Traceback" not in process.communicate()[0]


def test_keys_are_asked_for(folders: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("first\nsecond\n")
    process, address = start(str(folders[1]), "--api-key-file", str(tmp_path / "keys"))
    try:
        for key, status in ((None, 401), ("third", 401), ("first", 200), ("second", 200)):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            assert httpx.get(f"{address}/v1/models", headers=headers).status_code == status
        assert httpx.get(f"{address}/health").status_code == 200
    finally:
        process.kill()


def test_it_finishes_what_is_running_when_told_to_end(folders: tuple[Path, Path]) -> None:
    process, address = start(str(folders[0]), "--keep", "1s")
    body = {
        "model": "int8",
        "prompt": "a",
        "max_tokens": 300,
        "logit_bias": {"257": -100, "300": -100},
    }
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(httpx.post, f"{address}/v1/completions", json=body, timeout=60)
        time.sleep(1.0)
        process.send_signal(signal.SIGTERM)
        assert answer.result().json()["usage"]["completion_tokens"] == 300
    assert process.wait(30) == 128 + signal.SIGTERM


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere"], "does not exist"),
        (["BUNDLE", "BUNDLE"], "two bundles are called"),
        (["BUNDLE", "--keep", "soon"], "expected a time such as"),
        (["BUNDLE", "--slots", "0"], "--slots 0"),
        (["BUNDLE", "--host", "0.0.0.0"], "give --api-key-file"),
        (["BUNDLE", "--api-key-file", "nowhere"], "cannot be read"),
    ],
)
def test_wrong_options_are_one_line(
    folders: tuple[Path, Path], arguments: list[str], words: str
) -> None:
    given = [str(folders[1]) if each == "BUNDLE" else each for each in arguments]
    done = subprocess.run(
        [sys.executable, "-m", "satchel", "serve", *given], capture_output=True, text=True
    )
    assert done.returncode != 0 and done.stderr.count("\n") == 1 and words in done.stderr
