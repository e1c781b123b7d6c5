"""Endpoints that answer at once: embeddings, rerank, translate, sounds."""

from __future__ import annotations

import base64
import tempfile
from pathlib import Path
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from satchel.runtime.errors import LimitError, shown
from satchel.serve.failure import Failure, json
from satchel.serve.shelf import Entry
from satchel.serve.wire import EmbeddingRequest, RerankRequest, TranslateRequest


async def embed(request: Request, entry: Entry, body: EmbeddingRequest) -> Response:
    """A vector for each text."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    if not texts:
        raise Failure(400, "input is empty", "value", "input")
    if not all(isinstance(text, str) for text in texts):
        raise Failure(400, "input: give texts; ids of tokens are not taken", "unsupported", "input")
    texts = [str(text) for text in texts]

    def work(model: Any) -> Any:
        model.require("embed")
        rows = _rows(model, texts, body)
        vectors = model.vectors_of(rows, body.prompt, body.dimensions)
        return vectors.astype("<f4"), sum(len(ids) for parts in rows for ids in parts)

    async with entry.use() as loaded:
        vectors, tokens = await loaded.run(lambda: work(loaded.model))
    packed = body.encoding_format == "base64"
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": base64.b64encode(row.tobytes()).decode() if packed else row.tolist(),
        }
        for index, row in enumerate(vectors)
    ]
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    return json({"object": "list", "model": entry.name, "data": data, "usage": usage})


def _rows(model: Any, texts: list[str], body: EmbeddingRequest) -> list[list[list[int]]]:
    """The ids of each text, in pieces. Raises Failure for one that would be cut."""
    prepare, rows = model.preparation.refusing(), []
    for index, text in enumerate(texts):
        try:
            rows.append(prepare.rows(text, body.prompt, body.window))
        except LimitError as error:
            message = (
                f"input[{index}]: {error}: shorten it, or give window, by how many tokens pieces of it "
                "are to overlap"
            )
            raise Failure(400, message, "context_length_exceeded", "input") from None
    return rows


async def rerank(request: Request, entry: Entry, body: RerankRequest) -> Response:
    """The documents, the most fitting first."""

    def work(model: Any) -> Any:
        model.require("rank")
        return model.rank(body.query, body.documents)

    async with entry.use() as loaded:
        ranked = await loaded.run(lambda: work(loaded.model))
    results = []
    for one in ranked[: body.top_n]:
        result = {"index": one.index, "relevance_score": float(one.score)}
        if body.return_documents:
            result["document"] = {"text": body.documents[one.index]}
        results.append(result)
    return json({"model": entry.name, "object": "list", "results": results})


async def translate(request: Request, entry: Entry, body: TranslateRequest) -> Response:
    """The texts in another language."""
    texts = [body.input] if isinstance(body.input, str) else body.input
    options: dict[str, Any] = {"source_lang": body.source_lang, "target_lang": body.target_lang}
    if body.num_beams is not None:
        options["num_beams"] = body.num_beams
    if body.max_tokens is not None:
        options["max_new_tokens"] = body.max_tokens

    def work(model: Any) -> Any:
        model.require("translate")
        return model.translate(texts, **options)

    async with entry.use() as loaded:
        written = await loaded.run(lambda: work(loaded.model))
    data = [{"index": index, "text": text} for index, text in enumerate(written)]
    return json({"object": "list", "model": entry.name, "data": data})


def _subtitles(segments: Any, shape: str) -> str:
    """Segments as SubRip, or as WebVTT."""

    def clock(seconds: float) -> str:
        whole, milliseconds = divmod(round(1000 * seconds), 1000)
        hours, rest = divmod(whole, 3600)
        comma = "," if shape == "srt" else "."
        return f"{hours:02}:{rest // 60:02}:{rest % 60:02}{comma}{milliseconds:03}"

    cues = [
        f"{number}\n{clock(one.start)} --> {clock(one.end)}\n{one.text.strip()}\n"
        for number, one in enumerate(segments, 1)
    ]
    return "\n".join(cues) if shape == "srt" else "\n".join(["WEBVTT\n", *cues])


TAKEN = {
    "file",
    "model",
    "language",
    "response_format",
    "temperature",
    "timestamp_granularities[]",
    "stream",
}


async def transcribe(request: Request, entry: Entry, form: dict[str, Any], task: str) -> Response:
    """What is said in a sound, as JSON, text, SRT or WebVTT."""
    for name in form:
        if name not in TAKEN:
            raise Failure(400, f"{shown(name)} is not supported", "unsupported", name[:200])
    sound, shape = form.get("file"), form.get("response_format") or "json"
    if not isinstance(sound, UploadFile):
        raise Failure(400, "file is missing: a sound, sent as multipart/form-data", "value", "file")
    if shape not in ("json", "text", "srt", "vtt", "verbose_json"):
        raise Failure(400, f"response_format {shown(shape)} is unknown", "value", "response_format")
    if str(form.get("stream", "false")).lower() == "true":
        raise Failure(400, "a transcript is not streamed", "unsupported", "stream")
    if (times := form.get("timestamp_granularities[]", "segment")) != "segment":
        message = f"timestamp_granularities {shown(times)}: the times are those of segments"
        raise Failure(400, message, "unsupported", "timestamp_granularities[]")
    temperature = _temperature(form.get("temperature") or "0")
    data = await sound.read()

    def work(model: Any) -> Any:
        model.require("transcribe")
        options: dict[str, Any] = {}
        if form.get("language"):
            options["language"] = form["language"]
        if task == "translate":
            options["task"] = task
        if temperature:
            options["temperature"] = temperature
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / ("sound" + Path(sound.filename or "sound.wav").suffix[:8])
            path.write_bytes(data)
            return model.transcribe(path, **options)

    async with entry.use() as loaded:
        transcript = await loaded.run(lambda: work(loaded.model))
    return _shaped(transcript, shape, task)


def _temperature(text: object) -> float:
    try:
        return float(str(text))
    except ValueError:
        message = f"temperature {shown(text)}: expected a number"
        raise Failure(400, message, "value", "temperature") from None


def _shaped(transcript: Any, shape: str, task: str) -> Response:
    if shape == "text":
        return PlainTextResponse(f"{transcript.text}\n")
    if shape in ("srt", "vtt"):
        return PlainTextResponse(_subtitles(transcript.segments, shape))
    if shape == "json":
        return json({"text": transcript.text})
    segments = [
        {
            "id": number,
            "start": one.start,
            "end": one.end,
            "text": one.text,
            "tokens": list(one.tokens),
        }
        for number, one in enumerate(transcript.segments)
    ]
    about = {"task": task, "language": transcript.language, "duration": transcript.duration}
    return json(about | {"text": transcript.text, "segments": segments})
