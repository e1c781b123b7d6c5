"""The comparison of servers and the soak: what clients count, conclusions, and from end to end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

import satchel
from tests.benchmark_commands import compared, on_linux, refused, run
from tests.chat_bundles import checkpoint, packed  # noqa: F401
from tests.tiny_encoders import save_encoder

pytest_plugins = "tests.benchmark_commands"
pytestmark = on_linux
Answer = Callable[[dict[str, Any]], Iterator[dict[str, Any]]]
END = {"choices": [{"index": 0, "text": "", "finish_reason": "length"}]}


def say(text: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "text": text, "finish_reason": None}]}


def used(tokens: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"completion_tokens": tokens}}


@contextmanager
def answering(answer: Answer) -> Iterator[str]:
    """The address of a server that answers a body with events, which may wait for one another."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(body.get("status", 200))
            self.end_headers()
            for event in answer(body):
                self.wfile.write(b"data: " + json.dumps(event).encode() + b"\n\n")
            self.wfile.write(b"data: [DONE]\n\n")

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_answer_begins_with_its_first_text(bench: Any) -> None:
    clients = bench("server_clients")
    chat = {"choices": [{"delta": {"role": "assistant", "content": ""}, "finish_reason": None}]}
    assert [clients.says(one["choices"][0]) for one in (say(""), chat, say("a"), END)] == [
        False, False, True, True,
    ]  # fmt: skip
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        asked.append(body)
        yield from (say(""), say("a"), say("b"), END, used(body["max_tokens"]))

    with answering(answer) as address:
        asking = clients.Asking(address, {"model": "m", "ignore_eos": True})
        assert 0 < asking.first([[7], [8], [9]]) < asking.together([[1, 2]], 3) + 60
        asking.per_token("Why?", 5, {"type": "array"})
    assert [body.get("prompt") for body in asked] == [[7], [8], [9], [1, 2], None]
    assert [body["max_tokens"] for body in asked] == [1, 1, 1, 3, 5]
    assert all(body["ignore_eos"] and body["model"] == "m" for body in asked)
    assert asked[-1]["response_format"]["json_schema"]["schema"] == {"type": "array"}


def test_clients_ask_at_once_and_the_short_prompt_while_all_others_are_written(bench: Any) -> None:
    clients = bench("server_clients")
    all_there, short_came = threading.Barrier(8), threading.Event()

    def at_once(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        all_there.wait(30)
        yield from (say("a"), used(4))

    def beside(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if body["max_tokens"] == 1:
            yield from (say("a"), END, used(1))
            return
        yield say("a")
        assert short_came.wait(30)
        yield used(4)

    class Told(clients.Asking):  # type: ignore[misc, name-defined]
        async def _first(self, *asked: Any) -> float:
            seconds: float = await super()._first(*asked)
            short_came.set()
            return seconds

    prompts = [[number] for number in range(8)]
    with answering(at_once) as address:
        assert clients.Asking(address, {}).together(prompts, 4) > 0
    with answering(beside) as address:
        assert Told(address, {}).first_beside([[9]], prompts[1:], 4) > 0


FAULTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]], str]] = {
    "too few tokens": ({}, [say("a"), used(3)], "an answer of 3 tokens; expected 4"),
    "no text": ({}, [say(""), used(4)], "an answer of 4 tokens"),
    "an error in the stream": ({}, [say("a"), {"error": {"message": "broke"}}], "broke"),
    "refused": ({"status": 400}, [{"message": "no such field"}], "no such field"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_answer_that_is_none_is_seen(bench: Any, fault: str) -> None:
    clients, error = bench("server_clients"), bench("interleave").WorkerError
    common, events, reason = FAULTS[fault]
    with answering(lambda _: iter(events)) as address, pytest.raises(error, match=reason):
        clients.Asking(address, common).together([[1]], 4)


def test_others_that_end_early_are_seen(bench: Any) -> None:
    clients, error = bench("server_clients"), bench("interleave").WorkerError
    with (
        answering(lambda body: iter([say("a"), used(body["max_tokens"])])) as address,
        pytest.raises(error, match="ended before"),
    ):
        clients.Asking(address, {}).first_beside([[9]], [[1], [2]], 4)
    with pytest.raises(error, match="ConnectError"):
        clients.Asking("http://127.0.0.1:9", {}).together([[1]], 4)


def test_targets_are_judged_by_the_median_of_pairs(bench: Any) -> None:
    report, peers, entrant = (
        bench("server_report"),
        bench("server_peers"),
        bench("interleave").Entrant,
    )
    ours, stock, peer, broken = (
        peers.ServerEntrant(name)
        for name in ("satchel", "satchel, stock kernels", "llama.cpp Q8_0", "llama.cpp Q4_K_M")
    )
    broken.failure = "no compiler"
    for figure, mine, theirs in (
        (report.TOGETHER, (1, 1, 1), (1.4, 1.6, 9)),
        (report.ALONE, (1, 1, 1), (1, 1, 1)),
        (report.BESIDE, (2, 2.1, 3), (5, 5, 5)),
    ):
        for a, b in zip(mine, theirs, strict=True):
            ours.add(figure.name, a)
            peer.add(figure.name, b)
    http, python = entrant("over HTTP"), entrant("from Python")
    http.add("corpus of 20 texts", 2.0)
    python.add("corpus of 20 texts", 1.0)
    servers = [ours, stock, peer, broken]
    page = report.tables(servers, [http, python], 20, 2).splitlines()
    speed = "8 clients: 64 tokens after 128 each: speed by that of llama.cpp"
    short = "first token of a short prompt, beside 7"
    assert f"| {speed} Q8_0 | at least 1.5 | 1.6 (1.4 to 9) | met |" in page
    assert f"| {speed} Q4_K_M | at least 1.5 | - | not measured |" in page
    assert f"| {short}: by that alone | at most 2 | 2.1 (2 to 3) | MISSED |" in page
    assert (
        f"| {short}: by first token of a short prompt, alone | 2.1 (2 to 3) | - | 5 | - |  |  |  |"
        in page
    )
    assert (
        "| corpus of 20 texts: speed over HTTP by that of Python | at least 0.9 | 0.5 | MISSED |"
        in page
    )
    assert "  Failed: no compiler" in page
    result = report.result(servers, [http, python], 20, {"threads": 2})
    assert [one["met"] for one in result["targets"].values()] == [True, False, False, False, False]
    json.dumps(result)


def test_llama_cpp_is_that_of_the_other_comparisons(bench: Any) -> None:
    peers = bench("server_peers")
    name, version = peers._package().split("==")
    assert name == peers.PACKAGE and version
    assert peers.SOURCES.name == "llama-cpp.txt" and "cmake==" in peers.TOOLS.read_text("utf-8")


def test_visits_leave_halfway_and_are_the_same_each_time(bench: Any) -> None:
    clients = bench("soak_clients")
    known = [clients.Known({"max_tokens": number % 8 + 1}, "", "") for number in range(20)]
    made = list(clients.visits(known, 400, 3))
    assert made == list(clients.visits(known, 400, 3)) != list(clients.visits(known, 400, 4))
    leaving = [one for one in made if one.events is not None or one.seconds is not None]
    assert 150 < len(leaving) < 250 and 150 < sum(one.stream for one in made) < 250
    assert all(one.stream == (one.events is not None) for one in leaving)
    assert {one.events for one in made if one.stream} == {None, *range(9)}


def test_a_wrong_answer_and_one_that_failed_are_counted(bench: Any) -> None:
    clients, client = bench("soak_clients"), bench("server_clients")

    def answer(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
        yield from (say("a"), say("b"), END)

    def visit(text: str, **how: Any) -> Any:
        body = {"max_tokens": 2, "status": how.pop("status", 200)}
        return clients.Visit(clients.Known(body, text, "length"), stream=True, **how)

    plans = [visit("ab"), visit("ax"), visit("ab", events=1), visit("ab", status=500)]
    with answering(answer) as address:
        outcome = client.run(lambda one: clients.soak(one, address, plans, 2, lambda: 5))
    assert outcome.counts == {"finished": 1, "wrong": 1, "left": 1, "failed": 1}
    assert outcome.resident == [5] * 4 and "expected ('ax', 'length')" in outcome.first_failure


def test_memory_is_compared_after_warming_up(bench: Any) -> None:
    soak = bench("soak")
    resident = [100, 200, *[300] * 7, 303]
    assert soak.drift(resident) == (300, 303)
    outcome = bench("soak_clients").Outcome(resident=resident)
    rows = [target.row()[2:] for target in soak._targets(outcome, 0, "")]
    assert rows == [["1", "met"], *[["0", "met"]] * 4]
    outcome.resident[-1], outcome.counts["wrong"] = 310, 1
    rows = [target.row()[2:] for target in soak._targets(outcome, 2, "a\nb\nc")]
    assert rows == [
        ["3.33", "MISSED"],
        ["1", "MISSED"],
        ["0", "met"],
        ["2", "MISSED"],
        ["3", "MISSED"],
    ]


@pytest.fixture(scope="module")
def writer(packed: Callable[[str], Path]) -> Path:  # noqa: F811
    return packed("int8")


@pytest.fixture(scope="module")
def embedder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("embedder")
    save_encoder(place / "checkpoint", "bert")
    satchel.pack(place / "checkpoint", place / "embedder", profile="fp32", force=True)
    return place / "embedder"


def test_servers_without_peers(writer: Path, embedder: Path, tmp_path: Path) -> None:
    gguf = tmp_path / "weights.gguf"
    gguf.write_text("others")
    printed, result = compared(
        "servers.py", tmp_path, writer, embedder, "--gguf", gguf, "--kinds", "--quick", "--threads", 1
    )  # fmt: skip
    assert "It was not made from weights.gguf: its weights differ." in printed
    [entrant] = result["entrants"]
    assert {len(samples) for samples in entrant["samples"].values()} == {1}
    assert len(result["figures"]["satchel"]) == 5 and len(result["targets"]) == 3
    assert "from Python" in result["embedding"]["ratios"]


def test_what_cannot_be_compared_is_refused(writer: Path, embedder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused("servers.py", home, "expected one to generate", embedder, writer, "--gguf", __file__)
    refused("servers.py", home, "is no file", writer, embedder, "--gguf", tmp_path / "x")


def test_a_small_soak_finds_nothing_but_memory_that_grows_at_the_start(writer: Path) -> None:
    done = run("soak.py", writer, "--requests", 60, "--threads", 1)
    assert "Traceback" not in done.stderr, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("| ")][3:]
    assert len(rows) == 4 and all(row.endswith("| at most 0 | 0 | met |") for row in rows), rows


def test_a_bundle_that_writes_nothing_is_refused_by_the_soak(embedder: Path) -> None:
    done = run("soak.py", embedder)
    assert done.returncode != 0 and len(done.stderr.splitlines()) == 1, done.stderr
