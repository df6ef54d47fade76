"""The differentiable mixer: a compiled graph as a ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from djgraph.compiler.pipeline import Optimize, Stage, selected, stages, stream_stages
from djgraph.compiler.plan import Plan
from djgraph.controls.bank import ControlBank
from djgraph.dsp.curve import Timeline
from djgraph.errors import CompileError, InputError, did_you_mean
from djgraph.graph.ir import EffectNode, Graph, Point
from djgraph.host.build import as_module_dict, build_effects, leave_inference_mode
from djgraph.inspection.report import explain_data, explain_text, make_workload
from djgraph.layout import ParameterLayout
from djgraph.region.stacks import Stacks
from djgraph.runtime.executor import Executor, Options, Run
from djgraph.runtime.heap import keep_freed_memory
from djgraph.runtime.identity import graph_identity
from djgraph.runtime.inputs import Inputs, input_names, make_clock, prepare_audio, prepare_params
from djgraph.runtime.outputs import check_finite, reads_values
from djgraph.streams.lags import lags

if TYPE_CHECKING:
    from djgraph.inspection.profile import Profile

OutOfRange = Literal["clamp", "error"]


class Mixer(nn.Module):
    """Runs a graph on audio and parameters, differentiably.

    Made by :func:`djgraph.compile`. ``mixer.layout`` says what ``params`` holds; ``mixer.graph`` is the graph.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        outputs: Iterable[str] | None = None,
        optimize: Optimize = True,
        out_of_range: OutOfRange = "clamp",
        frames_per_tile: int | None = None,
        inductor: bool = False,
        simd: bool = True,
    ) -> None:
        super().__init__()
        keep_freed_memory()
        if out_of_range not in ("clamp", "error"):
            raise CompileError(f"out_of_range is 'clamp' or 'error', not {out_of_range!r}")
        if frames_per_tile is not None and frames_per_tile < 1:
            raise CompileError(f"frames_per_tile must be at least 1, not {frames_per_tile}")
        self.graph = graph
        self.layout = ParameterLayout(graph.columns)
        self.outputs = _choose(graph, outputs)
        self.out_of_range = out_of_range
        self.frames_per_tile = frames_per_tile
        self.inductor = inductor
        self.simd = simd
        self._optimize = selected(optimize)
        self.effects = as_module_dict(build_effects(graph))
        self._executors = self._bind()

    def forward(
        self,
        inputs: Inputs,
        params: Tensor,
        *,
        return_intermediates: bool = False,
        tempo: float | Tensor | None = None,
    ) -> Any:
        """Mixes.

        inputs: by input name a mapping of stem to audio, or audio where the input has no stems. Audio is
        ``[batch, channels, samples]``, floating point with full scale ±1; mono is up-mixed. ``[batch, samples]``
        is taken for mono, except as many clips as the input has channels: ``[2, samples]`` may as well be one
        stereo clip, so it is an error that asks which.
        params: ``[batch, frames, controls]`` or ``[frames, controls]`` in plain units, laid out as ``layout`` says;
        frame i of F sits at sample i·(N−1)/(F−1). Values out of range are clamped, with a gradient that points
        back into the range.
        tempo: BPM, a number, ``[batch]`` or ``[batch, frames]``, for graphs with effects that follow a clock.
        Returns ``[batch, channels, samples]``; for several outputs a mapping by name. With
        ``return_intermediates`` also the signal at the end of every strip and bus, by name. All of them lie in
        memory of their own: what is written to one changes neither the stems nor another.
        Raises InputError where something does not fit, with what was expected and what came; for NaN or infinity
        in audio with the first place; EffectError where an effect fails, with its node and its plugin.
        """
        if torch.jit.is_tracing():
            raise CompileError(
                "torch.jit.trace cannot follow a mixer; use torch.export.export or torch.compile"
            )
        audio, batch, samples = prepare_audio(self.graph, inputs)
        like = next(iter(audio.values()))
        # Under autocast a plugin's matrix product would lose most of its precision.
        with torch.autocast(like.device.type, enabled=False):
            return self._mix(audio, batch, samples, params, return_intermediates, tempo)

    def _mix(
        self,
        audio: dict[str, Tensor],
        batch: int,
        samples: int,
        params: Tensor,
        return_intermediates: bool,
        tempo: float | Tensor | None,
    ) -> Any:
        like = next(iter(audio.values()))
        given = like.dtype
        if given in (torch.float16, torch.bfloat16):
            # Transforms need single precision; the result goes back to what came.
            audio = {name: tensor.float() for name, tensor in audio.items()}
            like = next(iter(audio.values()))
        check = reads_values()
        params = prepare_params(self.layout, params, like, batch, self.out_of_range, check)
        batch = max(batch, params.shape[0])
        executor = self._executor(return_intermediates)
        run = Run(
            audio=audio,
            rows=self._bank().rows(params.expand(batch, -1, -1)),
            timeline=Timeline(samples, params.shape[1]),
            clock=self._clock(tempo, batch, samples, like),
            frames_per_tile=self.frames_per_tile,
            values=Stacks(),
        )
        made = executor(run)
        if check:
            check_finite(
                {name: made["output " + name] for name in self.outputs}, audio, input_names(self.graph)
            )
        made = {name: tensor.to(given) for name, tensor in made.items()}
        main = {name: made["output " + name] for name in self.outputs}
        result = main if len(main) > 1 else next(iter(main.values()))
        if not return_intermediates:
            return result
        return result, {name: made["tap " + name] for name in self.graph.taps}

    def stages(self, *, taps: bool = False, stream: bool = False) -> list[Stage]:
        """The plan after lowering and after each pass; the last one runs, or, with ``stream``, is run by a stream."""
        points = {"output " + name: point for name, point in self.outputs.items()}
        if taps:
            points |= {"tap " + name: point for name, point in self.graph.taps.items()}
        kernels = self._kernel_names()
        if not stream:
            return stages(self.graph, points, kernels, self._optimize)
        known = lags(self.graph, self._modules_by_node())
        return stream_stages(self.graph, points, kernels, known, self._optimize)

    @property
    def options(self) -> Options:
        """How the plan is run."""
        return Options(self.inductor, self.simd)

    @property
    def plan(self) -> Plan:
        """The plan that runs."""
        return self._executor(taps=False).plan

    def explain(
        self,
        stage: str | None = None,
        *,
        diff: bool = False,
        stream: bool = False,
        costs: bool = True,
        seconds: float = 10.0,
        batch: int = 1,
        frames: int = 64,
        dtype: torch.dtype = torch.float32,
    ) -> str:
        """A stage as text: ``graph``, ``layout``, ``lower``, a pass; without a name the plan that runs.

        A plan comes with what its operations are estimated to cost for a clip of ``seconds``, ``batch`` clips,
        ``frames`` control frames and a dtype, unless ``costs`` is False. diff: instead, what each pass (or the
        one named) changed. docs/explain.md says what the figures mean.
        stream: the plan of a stream, without costs, which are those of whole clips: by how many samples each value
        lags the inputs, what is delayed so that paths meet, and the latency of the outputs.
        Raises CompileError for an unknown stage, InputError for an impossible workload.
        """
        workload = make_workload(self, seconds, batch, frames, dtype) if costs else None
        return explain_text(self, stage, diff, workload, stream)

    def explain_dict(
        self,
        stage: str | None = None,
        *,
        stream: bool = False,
        seconds: float = 10.0,
        batch: int = 1,
        frames: int = 64,
        dtype: torch.dtype = torch.float32,
    ) -> dict[str, Any]:
        """The same as data: every stage, or the one named, with its text, costs, and diff to the one before.

        With ``stream``, latencies of values (None before they are known) take the place of costs.
        """
        return explain_data(self, stage, make_workload(self, seconds, batch, frames, dtype), stream)

    def profile(
        self,
        seconds: float = 10.0,
        *,
        batch: int = 1,
        frames: int = 64,
        dtype: torch.dtype = torch.float32,
        backward: bool = True,
        repeats: int = 3,
        device: torch.device | str | None = None,
    ) -> Profile:
        """Runs the plan on noise and measures each operation: time and memory, forward and backward.

        ``print`` it for a table; ``chrome_trace()`` and ``to_dict()`` give it as data. device: that of the
        effects' weights, or the CPU, unless given. Raises InputError for an impossible workload.
        """
        from djgraph.inspection.profile import profile

        load = make_workload(self, seconds, batch, frames, dtype)
        return profile(self, load, backward=backward, repeats=repeats, device=device)

    def extra_repr(self) -> str:
        return f"{self.graph.name!r}, controls={len(self.layout)}, outputs={list(self.outputs)}"

    def _modules_by_node(self) -> dict[str, Any]:
        return {
            node.id: self.effects[node.id.replace(".", "/")]
            for node in self.graph.nodes
            if isinstance(node, EffectNode)
        }

    def _kernel_names(self) -> Mapping[str, str]:
        first: dict[int, str] = {}
        return {node: first.setdefault(id(module), node) for node, module in self._modules_by_node().items()}

    def _bank(self) -> ControlBank:
        return self._executor(taps=False).bank

    def _executor(self, taps: bool) -> Executor:
        return self._executors[taps]

    @torch.inference_mode(False)
    def _bind(self) -> dict[bool, Executor]:
        """The plans without and with taps, bound to this very object's modules."""
        modules, bank, identity = self._modules_by_node(), ControlBank(self.graph), graph_identity(self.graph)
        return {
            taps: Executor(self.stages(taps=taps)[-1].plan, modules, bank, self.options, identity)
            for taps in (False, True)
        }

    def _clock(self, tempo: float | Tensor | None, batch: int, samples: int, like: Tensor) -> Any:
        if tempo is None and any(isinstance(n, EffectNode) and n.effect.uses_clock for n in self.graph.nodes):
            raise InputError(
                f"graph {self.graph.name} has effects that follow a clock: give its tempo in BPM, "
                "tempo= in Python, --tempo on the command line"
            )
        return make_clock(tempo, batch, samples, self.graph.sample_rate, like)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_executors": {}}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        leave_inference_mode(self)
        self._executors = self._bind()


def _choose(graph: Graph, outputs: Iterable[str] | None) -> dict[str, Point]:
    if outputs is None:
        return dict(graph.outputs)
    chosen = [outputs] if isinstance(outputs, str) else list(outputs)
    for name in chosen:
        if name not in graph.outputs:
            raise CompileError(
                f"graph {graph.name} has no output {name!r}{did_you_mean(name, graph.outputs)}"
            )
    if not chosen:
        raise CompileError("choose at least one output")
    return {name: graph.outputs[name] for name in chosen}


def compile_graph(
    graph: Graph | str | Mapping[str, Any] | Any,
    *,
    outputs: Iterable[str] | None = None,
    optimize: Optimize = True,
    out_of_range: OutOfRange = "clamp",
    frames_per_tile: int | None = None,
    inductor: bool = False,
    simd: bool = True,
    **args: Any,
) -> Mixer:
    """Compiles a graph into a :class:`Mixer`.

    graph: a :class:`djgraph.Graph`, or whatever :func:`djgraph.load` takes, with its arguments as keywords.
    outputs: names of the outputs to compute (default: all). optimize: True, False, or the names of the passes to
    run. out_of_range: ``clamp`` params into their ranges, or ``error``. frames_per_tile: STFT frames that the
    spectral region handles at a time (default: what fits the cache). inductor: compile the effects' gains with
    TorchInductor, which needs a C++ compiler and takes a while at the first call; only where simd is not at work.
    simd: on a CPU, spectral regions run in code for its vector units that Numba compiles at the first call (some
    seconds, once for each machine); False leaves them to PyTorch's operators, as on a GPU.
    Raises DocumentError or GraphError for a bad graph, CompileError for a bad option.
    """
    if not isinstance(graph, Graph):
        from djgraph.graph import load

        graph = load(graph, **args)
    elif args:
        raise CompileError(f"a graph that is loaded already takes no arguments: {', '.join(args)}")
    return Mixer(
        graph,
        outputs=outputs,
        optimize=optimize,
        out_of_range=out_of_range,
        frames_per_tile=frames_per_tile,
        inductor=inductor,
        simd=simd,
    )
