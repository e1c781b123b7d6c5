"""The library in the installed ONNX Runtime: what is claimed, runs at once, cancelling, options."""

from __future__ import annotations

import ctypes
import platform
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import Fail

FLOAT = TensorProto.FLOAT
CPUINFO = Path("/proc/cpuinfo")
REFUSED = (Fail, RuntimeError)  # ONNX Runtime up to 1.31 gives the latter where a session is set up


@pytest.fixture(scope="session")
def devices(library: Path) -> list[Any]:
    """What the provider offers, once it is registered."""
    ort.register_execution_provider_library("satchel", str(library))
    return [device for device in ort.get_ep_devices() if device.ep_name == "satchel"]


@pytest.fixture
def session(devices: list[Any]) -> Callable[..., ort.InferenceSession]:
    """Makes a session of a model, with options of the provider; `settings` are ONNX Runtime's."""

    def make(
        model: bytes, settings: dict[str, Any] | None = None, **options: str
    ) -> ort.InferenceSession:
        session_options = ort.SessionOptions()
        session_options.log_severity_level = 3
        session_options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        for name, value in (settings or {}).items():
            setattr(session_options, name, value)
        session_options.add_provider_for_devices(devices, {"selftest": "1", **options})
        # Without this a provider that refuses its options is replaced by the default one, with a message.
        return ort.InferenceSession(model, session_options, enable_fallback=0)

    return make


def model(
    nodes: list[onnx.NodeProto], dtype: int = FLOAT, constants: list[onnx.TensorProto] | None = None
) -> bytes:
    """A model from `x` to `y`, of any shape."""
    values = [helper.make_tensor_value_info(name, dtype, None) for name in "xy"]
    graph = helper.make_graph(nodes, "test", values[:1], values[1:], constants or [])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    return bytes(made.SerializeToString())


def chain(*types: str) -> list[onnx.NodeProto]:
    """Nodes one after the other, from x to y."""
    names = ["x", *(f"v{i}" for i in range(len(types) - 1)), "y"]
    return [helper.make_node(kind, [names[i]], [names[i + 1]]) for i, kind in enumerate(types)]


def loop(often: int, nodes: list[onnx.NodeProto]) -> bytes:
    """Does nodes from `a` to `b` so often, each time to what they gave before; c is the constant 2."""
    body = helper.make_graph(
        [*nodes, helper.make_node("Identity", ["go"], ["go_on"])],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("a", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("b", FLOAT, None),
        ],
    )
    constants = [
        helper.make_tensor("often", TensorProto.INT64, [], [often]),
        helper.make_tensor("true", TensorProto.BOOL, [], [True]),
        helper.make_tensor("c", FLOAT, [], [2.0]),
    ]
    return model(
        [helper.make_node("Loop", ["often", "true", "x"], ["y"], body=body)], constants=constants
    )


def endless() -> bytes:
    """Negates x until somebody ends it."""
    return loop(2**62, [helper.make_node("Neg", ["a"], ["b"])])


def claimed(made: ort.InferenceSession) -> list[list[str]]:
    """The operators of every group of nodes that the provider has."""
    parts = made.get_provider_graph_assignment_info()
    return [
        [node.op_type for node in part.get_nodes()] for part in parts if part.ep_name == "satchel"
    ]


def numbers(count: int) -> np.ndarray:
    return np.linspace(-3, 5, count, dtype=np.float32)


class Flag:
    """A byte that cancels the runs that are told of it."""

    def __init__(self) -> None:
        self.byte = ctypes.c_uint8(0)

    def options(self) -> ort.RunOptions:
        options = ort.RunOptions()
        options.add_run_config_entry("satchel.cancel", str(ctypes.addressof(self.byte)))
        return options


class InThread:
    """A run in a thread of its own."""

    def __init__(self, made: ort.InferenceSession, options: ort.RunOptions | None = None) -> None:
        self.options = options or ort.RunOptions()
        self.error: Exception | None = None
        self.thread = threading.Thread(target=self.run, args=[made])
        self.thread.start()

    def run(self, made: ort.InferenceSession) -> None:
        try:
            made.run(None, {"x": numbers(8)}, self.options)
        except Exception as error:
            self.error = error

    def ends(self, seconds: float = 30) -> bool:
        """Whether it ends by itself; ended it is in any case."""
        self.thread.join(seconds)
        alive = self.thread.is_alive()
        self.options.terminate = True
        self.thread.join()
        return not alive


def test_it_offers_the_processor(devices: list[Any]) -> None:
    (device,) = devices
    assert device.ep_vendor == "satchel"
    assert device.device.type == ort.OrtHardwareDeviceType.CPU


def test_a_second_registration_of_the_name_is_an_error(devices: list[Any], library: Path) -> None:
    with pytest.raises(Exception, match="already registered"):
        ort.register_execution_provider_library("satchel", str(library))


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7, 3), (5000,), (2, 3, 4, 5)])
@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_one_node(
    session: Callable[..., ort.InferenceSession], shape: tuple[int, ...], threads: str
) -> None:
    made = session(model(chain("Abs", "Neg")), threads=threads)
    assert claimed(made) == [["Neg"]]
    x = numbers(int(np.prod(shape))).reshape(shape)
    (y,) = made.run(None, {"x": x})
    np.testing.assert_array_equal(y, -np.abs(x), strict=True)


@pytest.mark.parametrize("inputs", [["a", "c"], ["c", "a"]])
def test_two_nodes_and_a_constant(
    session: Callable[..., ort.InferenceSession], inputs: list[str]
) -> None:
    nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Mul", inputs, ["m"])]
    nodes += [helper.make_node("Neg", ["m"], ["n"]), helper.make_node("Neg", ["n"], ["y"])]
    made = session(model(nodes, constants=[helper.make_tensor("c", FLOAT, [], [2.5])]))
    assert sorted(sorted(group) for group in claimed(made)) == [["Mul", "Neg"], ["Neg"]]
    (y,) = made.run(None, {"x": numbers(3000)})
    np.testing.assert_array_equal(y, np.abs(numbers(3000)) * np.float32(2.5), strict=True)


def test_nodes_within_a_loop(session: Callable[..., ort.InferenceSession]) -> None:
    nodes = [helper.make_node("Mul", ["a", "c"], ["m"]), helper.make_node("Neg", ["m"], ["b"])]
    made = session(loop(3, nodes))
    assert [sorted(group) for group in claimed(made)] == [["Mul", "Neg"]]
    np.testing.assert_array_equal(made.run(None, {"x": numbers(9)})[0], numbers(9) * -8)


def test_a_product_that_others_read_is_left(session: Callable[..., ort.InferenceSession]) -> None:
    nodes = [helper.make_node("Mul", ["x", "c"], ["m"]), helper.make_node("Neg", ["m"], ["n"])]
    nodes.append(helper.make_node("Sub", ["n", "m"], ["y"]))
    made = session(model(nodes, constants=[helper.make_tensor("c", FLOAT, [], [2.0])]))
    assert claimed(made) == [["Neg"]]
    np.testing.assert_array_equal(made.run(None, {"x": numbers(9)})[0], numbers(9) * -4)


def test_other_types_are_left(session: Callable[..., ort.InferenceSession]) -> None:
    made = session(model(chain("Neg"), TensorProto.INT32))
    assert claimed(made) == []
    assert made.run(None, {"x": np.arange(3, dtype=np.int32)})[0].tolist() == [0, -1, -2]


def test_nothing_is_claimed_unasked(session: Callable[..., ort.InferenceSession]) -> None:
    made = session(model(chain("Neg")), selftest="0")
    assert made.get_providers() == ["satchel", "CPUExecutionProvider"]
    assert claimed(made) == []
    np.testing.assert_array_equal(made.run(None, {"x": numbers(9)})[0], -numbers(9))


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"threads": "0"}, "satchel: threads is a number from 1 to 1024, not '0'"),
        ({"threads": "-1"}, "satchel: threads is a number from 1 to 1024, not '-1'"),
        ({"threads": "2 "}, "satchel: threads is a number from 1 to 1024, not '2 '"),
        (
            {"threads": "99999999999999999999"},
            "satchel: threads is a number from 1 to 1024, not '9999",
        ),
        ({"level": "sse"}, "satchel: level is best or one of scalar, "),
        ({"level": ""}, "satchel: level is best or one of scalar, "),
        ({"selftest": "yes"}, "satchel: selftest is 0 or 1, not 'yes'"),
        ({"thread": "2"}, "satchel: no option 'thread': there are threads, level and selftest"),
    ],
)
def test_bad_options(
    session: Callable[..., ort.InferenceSession], option: dict[str, str], said: str
) -> None:
    with pytest.raises(REFUSED) as caught:
        session(model(chain("Neg")), **option)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value).strip()


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not CPUINFO.exists(), reason="reads Linux's list for x86"
)
@pytest.mark.parametrize("highest", ["scalar", "avx2", "avxvnni", "avx512vnni", "best"])
def test_the_level_is_the_best_that_is_allowed(
    session: Callable[..., ort.InferenceSession], capfd: pytest.CaptureFixture[str], highest: str
) -> None:
    has = set(re.findall(r"^flags\s*: (.*)$", CPUINFO.read_text(), re.M)[0].split())
    needs = {
        "scalar": set(),
        "avx2": {"avx2", "fma", "bmi2"},
        "avxvnni": {"avx2", "avx_vnni"},
        "avx512vnni": {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512cd", "avx512_vnni"},
    }
    names = list(needs)
    allowed = names[: names.index(highest) + 1] if highest in names else names
    best = [name for name in allowed if needs[name] <= has][-1]
    session(model(chain("Neg")), {"log_severity_level": 1}, level=highest, threads="3")
    assert f"satchel: level {best}, 3 threads" in capfd.readouterr().err


def test_two_threads_in_one_session(session: Callable[..., ort.InferenceSession]) -> None:
    made = session(model(chain(*["Neg"] * 5)), threads="2")
    wrong = []

    def work(count: int) -> None:
        x = numbers(count)
        for _ in range(200):
            if not np.array_equal(made.run(None, {"x": x})[0], -x):
                wrong.append(count)

    threads = [threading.Thread(target=work, args=[count]) for count in (4000, 5000, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_run_is_cancelled_by_its_byte(session: Callable[..., ort.InferenceSession]) -> None:
    made = session(endless())
    assert claimed(made) == [["Neg"]]
    flag = Flag()
    run = InThread(made, flag.options())
    flag.byte.value = 1
    assert run.ends()
    assert "satchel: the run was cancelled" in str(run.error)


def test_cancelling_one_run_leaves_the_other(session: Callable[..., ort.InferenceSession]) -> None:
    made = session(endless())
    flags = [Flag(), Flag()]
    runs = [InThread(made, flag.options()) for flag in flags]
    flags[0].byte.value = 1
    assert runs[0].ends()
    assert not runs[1].ends(seconds=0.5)
    assert "terminate" in str(runs[1].error)


def test_many_runs_of_which_some_are_cancelled(
    session: Callable[..., ort.InferenceSession],
) -> None:
    made = session(model(chain(*["Neg"] * 5)))
    ended: dict[bool, list[bool]] = {True: [], False: []}

    def work(cancel: bool) -> None:
        flag = Flag()
        flag.byte.value = cancel
        for _ in range(200):
            try:
                made.run(None, {"x": numbers(2000)}, flag.options())
                ended[cancel].append(False)
            except Fail:
                ended[cancel].append(True)

    threads = [threading.Thread(target=work, args=[cancel]) for cancel in (True, False, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ended == {True: [True] * 200, False: [False] * 400}


def test_a_dynamic_option_cancels_the_runs_of_now(
    session: Callable[..., ort.InferenceSession],
) -> None:
    made = session(endless())
    runs = [InThread(made), InThread(made)]
    while any(run.thread.is_alive() for run in runs):  # until both have come as far as being runs
        made.set_ep_dynamic_options({"satchel.cancel": "1"})
    assert ["satchel: the run was cancelled" in str(run.error) for run in runs] == [True, True]
    assert not InThread(made).ends(seconds=0.5)  # a later one is not
    for name, value in (("satchel.cancel", "0"), ("satchel.threads", "1")):
        with pytest.raises(REFUSED, match="satchel: "):
            made.set_ep_dynamic_options({name: value})
    made.set_ep_dynamic_options({"another": "1"})


@pytest.mark.parametrize("address", ["", "0", "-1", "0x10", "12a", "99999999999999999999"])
def test_bad_addresses(session: Callable[..., ort.InferenceSession], address: str) -> None:
    made = session(model(chain("Neg")))
    options = ort.RunOptions()
    options.add_run_config_entry("satchel.cancel", address)
    with pytest.raises(Fail, match=f"satchel.cancel is the address of a byte .* not '{address}'"):
        made.run(None, {"x": numbers(2)}, options)
    np.testing.assert_array_equal(made.run(None, {"x": numbers(2)})[0], -numbers(2))


def test_parallel_execution(session: Callable[..., ort.InferenceSession]) -> None:
    """Nodes then run on threads that are not the run's own."""
    nodes = []
    for i in range(6):
        nodes += [
            helper.make_node("Neg", ["x"], [f"a{i}"]),
            helper.make_node("Neg", [f"a{i}"], [f"b{i}"]),
        ]
    nodes.append(helper.make_node("Sum", [f"b{i}" for i in range(6)], ["y"]))
    parallel = {"execution_mode": ort.ExecutionMode.ORT_PARALLEL, "inter_op_num_threads": 3}
    made = session(model(nodes), parallel, threads="2")
    for _ in range(50):
        (y,) = made.run(None, {"x": numbers(5000)})
        np.testing.assert_allclose(y, 6 * numbers(5000), rtol=1e-6)
    flag = Flag()
    flag.byte.value = 1
    with pytest.raises(Fail, match="satchel: the run was cancelled"):
        made.run(None, {"x": numbers(5000)}, flag.options())
