"""Conformance checks for every effect: shapes, purity, copies, devices."""

from __future__ import annotations

import copy
import pickle
import random
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from djgraph.effects.checks.bench import (
    Bench,
    CheckFailed,
    CheckInconclusive,
    CheckSkipped,
    expect,
    expect_close,
    gradients,
)
from djgraph.effects.checks.cases import Case
from djgraph.effects.contract import Clock, Effect, SpectralEffect, TimeEffect

TINY = 1e-9
"""Tolerance for double precision, where two ways of computing one thing may only round differently."""


def check_output_shape(bench: Bench) -> None:
    """Every output is ``[batch, channels, samples]``; a mask broadcasts to ``[batch, frames, bins]``."""
    for channels in bench.channel_options:
        for batch, samples in ((1, bench.samples), (3, bench.samples), (2, 777)):
            _check_shapes(bench, batch, channels, samples)


def check_short_signals(bench: Bench) -> None:
    """Clips of one, two and three samples work (one STFT frame)."""
    for channels in bench.channel_options:
        for samples in (1, 2, 3):
            _check_shapes(bench, 2, channels, samples)


def _check_shapes(bench: Bench, batch: int, channels: int, samples: int) -> None:
    case = bench.case(batch=batch, channels=channels, samples=samples)
    effect = bench.build()
    size = f"for batch {batch}, {channels} channels, {samples} samples"
    if isinstance(effect, SpectralEffect):
        mask = effect.mask(case.controls)
        frames, bins = bench.environment.transform.frames(samples), bench.environment.transform.bins
        want: tuple[int, ...] = (batch, frames, bins)
        try:
            fits = torch.broadcast_shapes(mask.shape, want) == want
        except RuntimeError:
            fits = False
        expect(fits, f"mask {tuple(mask.shape)} does not broadcast to {want} {size}")
        return
    bench.run(effect, case)  # which holds what it returns to its shape


def check_dtype(bench: Bench) -> None:
    """The output has the dtype of the input, and single precision agrees with double.

    State has it too, or is float64: sums that go on for ever would drift in less, and whole numbers are exact in it.
    """
    results = {}
    for dtype in (torch.float32, torch.float64):
        effect = bench.build(dtype)
        case = bench.case(dtype=dtype)
        if isinstance(effect, SpectralEffect) and not effect.controls:
            continue  # nothing tells it which dtype to give
        results[dtype] = bench.run(effect, case)
        for name, tensor in results[dtype].items():
            expect(tensor.dtype == dtype, f"{name} is {tensor.dtype} for {dtype} input")
        for name, tensor in bench.state(effect, case).items():
            expect(
                tensor.dtype in (dtype, torch.float64),
                f"state {name} is {tensor.dtype}, not {dtype} (or float64, for sums that go on for ever and for whole "
                "numbers: it has all of them up to 2^53)",
            )
    if len(results) == 2:
        for name, tensor in results[torch.float32].items():
            expect_close(tensor, results[torch.float64][name], 1e-3, f"{name} in float32 against float64")


def check_identity_at_neutral(bench: Bench) -> None:
    """With every control at its neutral value, the first output is the first input (a mask is 1).

    An effect with ``at_neutral = "allpass"`` keeps the level of every frequency.
    """
    cls = bench.effect_class
    without = [control.id for control in bench.controls if control.neutral is None]
    if not bench.controls or without:
        raise CheckSkipped(f"no neutral value: {', '.join(without)}" if without else "it has no controls")
    if not cls.inputs:
        raise CheckSkipped("it has no input")
    neutral = {control.id: float(control.neutral or 0) for control in bench.controls}
    if issubclass(cls, TimeEffect) and cls.at_neutral == "allpass":
        _check_allpass(bench, neutral)
        return
    for dtype, tolerance in ((torch.float64, TINY), (torch.float32, 1e-6)):
        for samples in (1, bench.samples, bench.long):
            case = bench.case(values=neutral, dtype=dtype, samples=samples)
            _expect_identity(bench, case, tolerance, f"at neutral values, in {dtype}, output against input")


def check_identity_of(bench: Bench, channels: int, what: str) -> None:
    """The same of one short signal, of so many channels; nothing where that cannot be seen so."""
    cls = bench.effect_class
    neutral = {control.id: control.neutral for control in bench.controls}
    values = {name: value for name, value in neutral.items() if value is not None}
    if (
        not neutral
        or len(values) < len(neutral)
        or not cls.inputs
        or getattr(cls, "at_neutral", "") == "allpass"
    ):
        return
    case = bench.case(values=values, channels=channels)
    _expect_identity(bench, case, TINY, f"at neutral values, {what}, output against input")


def _expect_identity(bench: Bench, case: Case, tolerance: float, what: str) -> None:
    cls = bench.effect_class
    outputs = bench.run_without_latency(bench.build(case.like.dtype), case)
    if bench.spectral:
        got, want = outputs["mask"], torch.ones_like(outputs["mask"])
    else:
        got, want = outputs[cls.outputs[0].name], case.audio[cls.inputs[0].name]
    expect_close(got, want, tolerance, what)


def _check_allpass(bench: Bench, neutral: dict[str, float]) -> None:
    """Every frequency of an impulse keeps its magnitude; the response has to die away within half a second."""
    port, source = bench.effect_class.outputs[0].name, bench.effect_class.inputs[0].name
    for dtype, tolerance in ((torch.float64, 1e-6), (torch.float32, 1e-4)):
        case = bench.case(values=neutral, dtype=dtype, samples=bench.long, audio="impulse")
        response = bench.run_without_latency(bench.build(dtype), case)[port]
        got, want = (torch.fft.rfft(tensor.double()).abs() for tensor in (response, case.audio[source]))
        expect_close(
            got, want, tolerance, f"at neutral values, in {dtype}, magnitudes of output against input"
        )


def check_material_at_neutral(bench: Bench) -> None:
    """With every control at its neutral value a source plays its material from the beginning on, or nothing."""
    without = [control.id for control in bench.controls if control.neutral is None]
    if without:
        raise CheckSkipped(f"no neutral value: {', '.join(without)}")
    if bench.build().uses_clock:
        raise CheckSkipped("it follows the clock")
    neutral = {control.id: float(control.neutral or 0) for control in bench.controls}
    for samples in (1, bench.samples):
        case = bench.case(values=neutral, samples=samples)
        (got,) = bench.run(bench.build(), case).values()
        if bool(got.any()):
            expect_close(
                got, case.audio["material"][..., :samples], TINY, "at neutral values, output against material"
            )


def check_batch_independence(bench: Bench) -> None:
    """Item i of output and gradients is the same alone as in a batch, and depends on item i only."""
    effect = bench.build()
    case = bench.case(batch=3, samples=bench.samples).leaves()
    outputs = bench.run(effect, case)
    for index in range(case.batch):
        one = case.item(index)
        alone = bench.run(effect, one)
        for name, tensor in outputs.items():
            part = tensor[index : index + 1]
            expect_close(part, alone[name], TINY, f"{name} of item {index} in a batch of 3 against alone")
        in_batch = gradients(bench.loss({k: v[index : index + 1] for k, v in outputs.items()}), case)
        by_itself = gradients(bench.loss(alone), case)
        for name, gradient in in_batch.items():
            expect_close(
                gradient, by_itself[name], TINY, f"gradient of {name} from item {index} in a batch of 3"
            )
            others = torch.cat([gradient[:index], gradient[index + 1 :]])
            expect(not bool(others.any()), f"output item {index} has a gradient to other items of {name}")


def check_inputs_unchanged(bench: Bench) -> None:
    """Audio, controls and the state handed in are as they were."""
    effect = bench.build()
    case = bench.case()
    state = bench.state(effect, case)
    tensors = {**case.tensors(), **{f"state {name}": tensor for name, tensor in state.items()}}
    if case.clock:
        tensors |= {"clock.tempo": case.clock.tempo, "clock.beats": case.clock.beats}
    before = {name: tensor.clone() for name, tensor in tensors.items()}
    keys = set(state)
    if bench.spectral:
        bench.run(effect, case)
    else:
        bench.process(effect, case, 0, case.samples, state)
    expect(set(state) == keys, "the state handed in has other keys afterwards; return a new one")
    for name, tensor in tensors.items():
        expect(torch.equal(tensor, before[name]), f"{name} was changed in place")


def check_determinism(bench: Bench) -> None:
    """Two runs, and two instances, give the same numbers whatever the global seed; a seed is a setting."""
    case = bench.case()
    results = []
    with torch.random.fork_rng(devices=[]):
        for seed in (1, 2):
            torch.manual_seed(seed)
            effect = bench.new().double()
            if list(effect.parameters()):
                raise CheckSkipped("it has weights, which start at random")
            results += [bench.run(effect, case), bench.run(effect, case)]
    for other in results[1:]:
        for name, tensor in results[0].items():
            expect(torch.equal(tensor, other[name]), f"{name} differs from run to run")


def check_global_random_state(bench: Bench) -> None:
    """Neither making nor running the effect draws from a global random generator."""
    with torch.random.fork_rng(devices=[]):
        torch_state, numpy_state, python_state = (
            torch.random.get_rng_state(),
            _numpy_state(),
            random.getstate(),
        )
        effect = bench.new().double()
        if list(effect.parameters()):
            torch_state = torch.random.get_rng_state()  # weights start at random, as in any module
        case = bench.case().leaves()
        gradients(bench.loss(bench.run(effect, case)), case)
        drawn = not torch.equal(torch.random.get_rng_state(), torch_state)
        expect(not drawn, "uses torch's global random generator")
        expect(_numpy_state() == numpy_state, "uses NumPy's global random generator")
        expect(random.getstate() == python_state, "uses Python's global random generator")


def _numpy_state() -> tuple[bytes, int]:
    state: Any = np.random.get_state()
    return state[1].tobytes(), state[2]


def check_copies(bench: Bench) -> None:
    """A deep copy, a pickled copy and a new instance with the same state_dict give the same output."""
    effect, case = bench.build(), bench.case()
    want = bench.run(effect, case)
    loaded = bench.build()
    loaded.load_state_dict(effect.state_dict())
    copies: dict[str, Effect] = {
        "deep copy": copy.deepcopy(effect),
        "instance with the same state_dict": loaded,
    }
    try:
        copies["pickled copy"] = pickle.loads(pickle.dumps(effect))
    except Exception as error:
        raise CheckFailed(f"cannot be pickled: {type(error).__name__}: {error}") from error
    for kind, duplicate in copies.items():
        for name, tensor in bench.run(duplicate, case).items():
            expect(torch.equal(tensor, want[name]), f"{name} of a {kind} differs")


def check_device(bench: Bench) -> None:
    """Runs on whatever device its input is on: tried on torch's ``meta`` device, which holds no data.

    Where that cannot be, as behind ``.cpu().numpy()``, on a GPU if there is one.
    """
    effect, case = bench.build(torch.float32), bench.case(dtype=torch.float32)
    want = bench.run(effect, case)  # on the CPU first, so that a constant cached there would show
    if bench.spectral and not case.controls:
        raise CheckSkipped("its mask reads nothing that is on a device")
    try:
        outputs = _run_on(bench, effect, case, "meta")
    except (_TakenToHost, NotImplementedError) as error:
        if not torch.cuda.is_available():
            raise CheckInconclusive(f"{_reason(error)}, and there is no GPU to try it on") from error
        outputs = _run_on(bench, bench.build(torch.float32), case, "cuda")
        for name, tensor in outputs.items():
            expect(tensor.device.type == "cuda", f"{name} is on {tensor.device}, not on its input's device")
            expect_close(tensor.cpu(), want[name], 1e-3, f"{name} on a GPU against the CPU")
        return
    except RuntimeError as error:
        raise CheckFailed(f"does not run where its input is (device meta): {error}") from error
    for name, tensor in outputs.items():
        expect(tensor.device.type == "meta", f"{name} is on {tensor.device}, not on its input's device")


def _run_on(bench: Bench, effect: Effect, case: Case, device: str) -> dict[str, Tensor]:
    moved = case.replace_tensors({name: tensor.to(device) for name, tensor in case.tensors().items()})
    clock = case.clock and Clock(case.clock.tempo.to(device), case.clock.beats.to(device))
    with _NoHost():
        return bench.run(effect.to(device), replace(moved, like=case.like.to(device), clock=clock))


def _reason(error: Exception) -> str:
    if isinstance(error, _TakenToHost):
        return f"it takes its signal to the host ({error})"
    return f"it uses an operation that torch cannot dry-run: {error}"


def check_host_synchronisation(bench: Bench) -> None:
    """Neither forward nor backward reads a tensor's value into Python, which would stall a GPU."""
    effect, case = bench.build(), bench.case().leaves()
    bench.run(effect, case)  # constants are made on the first call, on the CPU
    with _HostReads() as reads:
        gradients(bench.loss(bench.run(effect, case)), case)
    expect(
        not reads.seen,
        f"waits for the device: {', '.join(sorted(reads.seen))} (item(), bool() or indexing by mask)",
    )
    try:
        _run_on(bench, effect, bench.case(), "meta")
    except _TakenToHost as error:
        raise CheckInconclusive(f"{_reason(error)}, where a GPU has to be waited for") from error
    except Exception:  # what else does not run there is for check_device to tell
        return


class _TakenToHost(Exception):
    """A tensor that is not on the CPU is copied to it."""


class _NoHost(TorchFunctionMode):
    """Raises _TakenToHost, with the name of the method, where a tensor without data is copied to the host."""

    METHODS = frozenset({"cpu", "numpy", "tolist", "__array__"})

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if args and isinstance(args[0], Tensor) and args[0].device.type == "meta":
            to_cpu = name == "to" and any(
                isinstance(given, (str, torch.device)) and torch.device(given).type == "cpu"
                for given in (*args[1:], *(kwargs or {}).values())
            )
            if name in self.METHODS or to_cpu:
                raise _TakenToHost(f".{name}()" if not to_cpu else '.to("cpu")')
        return func(*args, **(kwargs or {}))


class _HostReads(TorchDispatchMode):
    """Records operations whose result, or its size, must be known to Python."""

    READS = frozenset(
        {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_consecutive"}
    )

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name in self.READS:
            self.seen.add(name)
        if name in ("index", "index_put", "index_put_", "_index_put_impl_"):
            indices = [index for index in args[1] if index is not None]
            if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
                self.seen.add(f"{name} by a mask")
        return func(*args, **(kwargs or {}))
