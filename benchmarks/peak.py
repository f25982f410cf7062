"""The peak of the processor in matrix products: the best that any runtime reaches, by precision, and the theoretical value."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from processor_clock import Clock, clock_while, cpu_flags, physical_cores
from timing import PAUSE, by_turns

Shape = tuple[int, int, int]
"""m, k and n of a product (m k) by (k n)."""

_PAIRS = 2  # a chain is k -> n -> k, so often: the results of products stay in memory that is used again
# Instructions that multiply and add, the fastest first: flags, float32 lanes, and how many units a core may have.
_INSTRUCTIONS = (
    ("AVX-512", {"avx512f"}, 16, (1, 2)),
    ("AVX2", {"avx2", "fma"}, 8, (1, 2)),
    ("NEON", {"asimd"}, 4, (1, 2, 4)),
)
_TOLERANCE = 1.03  # of the measured clock


@dataclass(frozen=True)
class TheoreticalPeak:
    """Cores x FLOP a cycle x clock, for float32."""

    cores: int
    instructions: str
    lanes: int
    units: int
    """Vectors that a core multiplies and adds in a cycle: what the measured rate proves, see ``theoretical_peak``."""
    clock: Clock

    @property
    def flop_per_cycle(self) -> int:
        return 2 * self.lanes * self.units

    @property
    def gflops(self) -> float:
        return self.cores * self.flop_per_cycle * self.clock.ghz

    def sentence(self) -> str:
        """The value and what it assumes."""
        units = (
            "one unit, as nothing measured exceeds it"
            if self.units == 1
            else f"{self.units} units, as fewer are exceeded"
        )
        return (
            f"in theory {self.gflops:.0f} ({self.cores} cores x {self.flop_per_cycle} FLOP a cycle x "
            f"{self.clock.ghz:.2f} GHz, {self.clock.how}; {self.instructions}, {units})"
        )


@dataclass(frozen=True)
class Peak:
    """GFLOP/s by precision and runtime, and the theoretical value, None where it is unknown."""

    gflops: dict[str, dict[str, float]]
    theory: TheoreticalPeak | None

    def best(self, precision: str) -> float | None:
        """The best of the runtimes; None for a precision that was not measured."""
        return max(self.gflops.get(precision, {}).values(), default=None)

    def share(self, gflops: float, precision: str) -> float | None:
        """A rate as a share of its own precision's peak; None if that was not measured."""
        best = self.best(precision)
        return gflops / best if best else None

    def sentences(self) -> str:
        """One sentence for each precision."""
        found = []
        for precision, rates in self.gflops.items():
            each = ", ".join(f"{runtime} {rate:.0f}" for runtime, rate in rates.items())
            theory = f"; {self.theory.sentence()}" if self.theory and precision == "fp32" else ""
            found.append(
                f"{precision} products of these shapes: {self.best(precision):.0f} GFLOP/s at best ({each}){theory}."
            )
        return " ".join(found)

    def to_dict(self) -> dict[str, Any]:
        theory = asdict(self.theory) | {"gflops": self.theory.gflops} if self.theory else None
        return {"gflops": self.gflops, "theory": theory}


def measure_peak(shapes: Sequence[Shape], *, precisions: Iterable[str] = ("fp32", "int8"), rounds: int = 9) -> Peak:
    """The best rate over the shapes, in every runtime that is installed, with torch's number of threads."""
    threads = torch.get_num_threads()
    found: dict[str, dict[str, float]] = {precision: {} for precision in precisions}
    fastest: tuple[float, Callable[[], object]] | None = None
    for m, k, n in dict.fromkeys((m, min(k, n), max(k, n)) for m, k, n in shapes):
        work = 2e-9 * m * k * n * 2 * _PAIRS
        for precision, rates in found.items():
            ways = _ways(m, k, n, precision, threads)
            times = by_turns(ways, rounds, pause=PAUSE)
            for runtime, call in ways.items():
                rate = work / times.median(runtime)
                rates[runtime] = max(rate, rates.get(runtime, 0.0))
                if precision == "fp32" and (fastest is None or rate > fastest[0]):
                    fastest = rate, call
    theory = None
    if fastest:
        clock = clock_while(fastest[1])
        theory = theoretical_peak(fastest[0], cpu_flags(), min(threads, physical_cores()), clock)
    return Peak(found, theory)


def theoretical_peak(measured: float, flags: Iterable[str], cores: int, clock: Clock | None) -> TheoreticalPeak | None:
    """The peak by the processor's flags, None without a known instruction set or clock.

    No flag says how many units a core has: it is the smallest number that the measured GFLOP/s do not exceed.
    """
    name, lanes, possible = _instructions(frozenset(flags))
    if not lanes or clock is None:
        return None
    found = [TheoreticalPeak(cores, name, lanes, units, clock) for units in possible]
    return next((each for each in found if measured <= _TOLERANCE * each.gflops), found[-1])


def _instructions(flags: frozenset[str]) -> tuple[str, int, tuple[int, ...]]:
    for name, needed, lanes, units in _INSTRUCTIONS:
        if needed <= flags:
            return name, lanes, units
    return "", 0, ()


# --- the chains of products in each runtime -----------------------------------------------------------------------------


def _ways(m: int, k: int, n: int, precision: str, threads: int) -> dict[str, Callable[[], object]]:
    """The chain of products in each runtime, all with the same input and weights. precision: "fp32" or "int8"."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(m, k)).astype(np.float32)
    sizes = [(k, n), (n, k)] * _PAIRS
    weights = [(rng.normal(size=size) / np.sqrt(size[0])).astype(np.float32) for size in sizes]
    if precision == "int8":
        ways = {"torch": _torch_int8(m, weights)}
        return ways | ({"openvino": _openvino(x, weights, threads, int8=True)} if find_spec("openvino") else {})
    ways = {"torch": _torch(x, weights)}
    if find_spec("onnxruntime") and find_spec("onnx"):
        ways["onnx"] = _onnx(x, weights, threads)
    if find_spec("openvino"):
        ways["openvino"] = _openvino(x, weights, threads)
    return ways


def _torch(x: np.ndarray, weights: Sequence[np.ndarray]) -> Callable[[], object]:
    first, layers = torch.from_numpy(x), [torch.from_numpy(w.T.copy()) for w in weights]

    def call() -> object:
        out = first
        for layer in layers:
            out = F.linear(out, layer)
        return out

    return call


def _torch_int8(m: int, weights: Sequence[np.ndarray]) -> Callable[[], object]:
    """Products that give int32: they are not a chain, as each input must be int8."""
    pairs = [
        (torch.randint(-99, 99, (m, w.shape[0]), dtype=torch.int8), torch.from_numpy(_int8(w)[0])) for w in weights
    ]
    return lambda: [torch.ops.aten._int_mm(x, w) for x, w in pairs]


def _int8(w: np.ndarray) -> tuple[np.ndarray, np.float32]:
    """A matrix in int8, and the step of its numbers."""
    step = np.float32(np.abs(w).max() / 127)
    return np.round(w / step).astype(np.int8), step


def _onnx(x: np.ndarray, weights: Sequence[np.ndarray], threads: int) -> Callable[[], object]:
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    names = ["x", *(f"y{number}" for number in range(len(weights)))]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(len(weights))]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, size)
        for name, size in ((names[0], x.shape), (names[-1], (len(x), weights[-1].shape[1])))
    ]
    constants = [numpy_helper.from_array(w, f"w{i}") for i, w in enumerate(weights)]
    graph = helper.make_graph(nodes, "products", ends[:1], ends[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: session.run(None, {"x": x})


def _openvino(
    x: np.ndarray, weights: Sequence[np.ndarray], threads: int, *, int8: bool = False
) -> Callable[[], object]:
    """int8: inputs are rounded between the products, as in an int8 export."""
    import openvino
    from openvino import opset13 as ops

    from restr.inference.backends.openvino_import import openvino_core

    first = out = ops.parameter(x.shape, np.float32, name="x")
    for w in weights:
        if int8:
            out = ops.fake_quantize(out, *(np.float32(end) for end in (-4, 4, -4, 4)), levels=255)
            numbers, step = _int8(w)
            out = ops.matmul(out, ops.multiply(ops.convert(ops.constant(numbers), np.float32), step), False, False)
        else:
            out = ops.matmul(out, ops.constant(w), False, False)
    options = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
    }
    model = openvino.Model([out], [first])  # pyright: ignore[reportGeneralTypeIssues]
    compiled = openvino_core().compile_model(model, "CPU", options)
    request = compiled.create_infer_request()
    return lambda: request.infer([x], share_inputs=True, share_outputs=True)
