"""The differentiable mixer: a compiled graph as a ``torch.nn.Module``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import torch
from torch import Tensor, nn

from djgraph.arguments import several, shown, whole
from djgraph.compiler.causal import Lowering, lowered
from djgraph.compiler.pipeline import Optimize, Stage, selected
from djgraph.compiler.plan import Plan
from djgraph.effects import Effect
from djgraph.errors import CompileError, did_you_mean
from djgraph.graph.ir import EffectNode, Graph, Point
from djgraph.host.build import as_module_dict, build_effects, check_loops, leave_inference_mode
from djgraph.inspection.flow import flow_text
from djgraph.inspection.report import explain_data, explain_text, make_workload
from djgraph.layout import ParameterLayout
from djgraph.runtime.compiled import Compiled, Options
from djgraph.runtime.executor import Executor
from djgraph.runtime.heap import keep_freed_memory
from djgraph.runtime.inputs import Inputs
from djgraph.runtime.mixing import mix

if TYPE_CHECKING:
    from djgraph.inspection.profile import Profile
    from djgraph.streams.plan import StreamPlan
    from djgraph.streams.stream import Stream

_BOUND = ("compiled", "_executors", "_stream_plans")
"""What belongs to one object's modules."""
OutOfRange = Literal["clamp", "error"]


class Mixer(nn.Module):
    """Runs a graph on audio and parameters, differentiably.

    Made by :func:`djgraph.compile`. ``mixer.layout`` says what ``params`` holds; ``mixer.graph`` is the graph, and
    ``mixer.lowering`` how it was lowered.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        outputs: Iterable[str] | None = None,
        optimize: Optimize = True,
        out_of_range: OutOfRange = "clamp",
        frames_per_tile: int | None = None,
        simd: bool = True,
        lowering: Lowering = "studio",
    ) -> None:
        super().__init__()
        keep_freed_memory()
        if out_of_range not in ("clamp", "error"):
            raise CompileError(f"out_of_range is 'clamp' or 'error', not {out_of_range!r}")
        if not isinstance(graph, Graph):
            raise CompileError(
                f"graph: expected a Graph, got {shown(graph)}; djgraph.compile takes names and files"
            )
        if frames_per_tile is not None:
            whole(frames_per_tile, "frames_per_tile", 1, error=CompileError)
        self.graph = graph
        self.layout = ParameterLayout(graph.columns)
        self.outputs = _choose(graph, outputs)
        self.out_of_range = out_of_range
        self._options = Options(simd, frames_per_tile)
        self._passes = selected(optimize)
        self.lowering = lowering
        self._lowered = lowered(graph, lowering)
        modules = build_effects(self._lowered)
        check_loops(self._lowered, modules)
        self.effects = as_module_dict(modules)
        self._bind()

    def forward(
        self,
        inputs: Inputs,
        params: Tensor,
        *,
        return_intermediates: bool = False,
        tempo: float | Tensor | None = None,
        positions: Tensor | Sequence[int] | None = None,
        samples: int | None = None,
    ) -> Any:
        """Mixes.

        inputs: by input name a mapping of stem to audio, or audio where the input has no stems. Audio is
        ``[batch, channels, samples]``, floating point with full scale ±1; mono is up-mixed. ``[batch, samples]``
        is taken for mono, except as many clips as the input has channels: ``[2, samples]`` may as well be one
        stereo clip, so it is an error that asks which.
        params: ``[batch, frames, controls]`` or ``[frames, controls]`` in plain units, laid out as ``layout`` says;
        frame i of F sits at sample i·(N−1)/(F−1). Values out of range are clamped, with a gradient that points
        back into the range.
        tempo: BPM, a number, ``[batch]`` or ``[batch, frames]``, for graphs with effects that follow a clock. Frames of
        tempo are spread over the clip as those of params are, or with ``positions`` have the same positions.
        positions: where the frames of params lie, in samples from the clip's start: whole numbers that ascend, one for
        each frame, up to ±2⁴⁰; before the clip and behind its end, too. Before the first frame its value holds, behind
        the last one that one's.
        samples: how long the mix is, where every input is played by a source effect. Such an input takes material of
        any length: audio as above, or what is read where it is needed (:class:`djgraph.decks.FileMaterial`).
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
        results = mix(
            self._executors[return_intermediates],
            inputs,
            params,
            self.out_of_range,
            tempo,
            positions,
            samples,
        )
        main = {name: results["output " + name] for name in self.outputs}
        result = main if len(main) > 1 else next(iter(main.values()))
        if not return_intermediates:
            return result
        return result, {name: results["tap " + name] for name in self.graph.taps}

    def stream(
        self,
        *,
        batch: int = 1,
        score: tuple[Tensor, Any] | None = None,
        frames: Iterable[Any] | None = None,
        fps: float | None = None,
        tempo: float | Tensor | tuple[Tensor, Any] | None = None,
        start: int = 0,
        state: Mapping[str, Tensor] | None = None,
        material: Mapping[str, Any] | None = None,
        unheard: Literal["exact", "rest"] = "exact",
        taps: bool = False,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> Stream:
        """A mixer that is fed block by block; see :class:`djgraph.streams.stream.Stream`.

        Without more, controls are live: a frame comes with each block and is reached at its last sample.
        score: all frames beforehand, ``(params, positions)``: ``[batch, frames, controls]`` or ``[frames, controls]``,
        and the sample that each frame lies on, ascending integers. frames: an iterator of frames ``[controls]`` or
        ``[batch, controls]``, fetched when their time comes; frame i lies at i·sample_rate/fps, or without fps the
        iterator gives pairs of a frame and the sample that it lies on, ascending.
        tempo: BPM for graphs with effects that follow a clock, a number or ``[batch]``, or ``(tempos, positions)``
        with ``[frames]`` or ``[batch, frames]``; live tempos come with each block.
        start: the clip's sample at which the stream begins; positions and beats count from the clip's start. Effects
        know nothing of what came before.
        state: what ``Stream.state`` gave, of a stream of such a mixer in any process: the stream goes on bit for bit.
        material: what plays the inputs that have a source, by input: tensors as :meth:`forward` takes them, or what is
        read where it is needed, as from disk (:class:`djgraph.decks.FileMaterial`).
        unheard: what becomes of effects that nobody hears behind and before closed switches, where no gradients are
        taken: with ``exact`` the stream equals the mixer on the whole clip, and all that this needs is computed; with
        ``rest`` they begin anew from silence when they are heard again.
        taps: the signal at the end of every strip and bus comes, too, as with ``return_intermediates``.
        dtype: float32 or float64. Raises InputError where something does not fit.
        """
        from djgraph.streams.stream import Stream

        return Stream(
            self._stream_plan(taps),
            batch=batch,
            score=score,
            frames=frames,
            fps=fps,
            tempo=tempo,
            start=start,
            state=state,
            material=material,
            unheard=unheard,
            out_of_range=self.out_of_range,
            dtype=dtype,
            device=device,
        )

    def _stream_plan(self, taps: bool) -> StreamPlan:
        """What all streams share; made for the first of them."""
        from djgraph.streams.plan import StreamPlan

        if taps not in self._stream_plans:
            self._stream_plans[taps] = StreamPlan(self.compiled, taps)
        return self._stream_plans[taps]

    def stages(self, *, taps: bool = False, stream: bool = False) -> list[Stage]:
        """The plan after lowering and after each pass; the last one runs, or, with ``stream``, is run by a stream."""
        return self.compiled.stages(taps, stream)

    @property
    def options(self) -> Options:
        """How the plan is run."""
        return self.compiled.options

    @property
    def plan(self) -> Plan:
        """The plan that runs."""
        return self._executors[False].plan

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
        verbose: bool = True,
        unfold: bool = False,
    ) -> str:
        """A stage as text: ``graph``, ``flow``, ``layout``, ``lower``, a pass; without a name the plan that runs.

        ``flow`` is the signal flow in the words of who mixes: what each strip and bus hears, its chain, where it goes;
        three and more strips that are equal share a paragraph, unless ``unfold``.

        A plan comes with what its operations are estimated to cost for a clip of ``seconds``, ``batch`` clips,
        ``frames`` control frames and a dtype, unless ``costs`` is False. diff: instead, what each pass (or the
        one named) changed. docs/explain.md says what the figures mean.
        stream: the plan of a stream, without costs, which are those of whole clips: by how many samples each value
        lags the inputs, what is delayed so that paths meet, the latency of the outputs, and what is left out behind and
        before gains that switches close.
        verbose: a plan as :func:`djgraph.compiler.parse.parse_plan` reads it; else equal nodes of an operation share a
        line, without what they read and what is freed.
        Raises CompileError for an unknown stage, InputError for an impossible workload.
        """
        workload = make_workload(self.compiled, seconds, batch, frames, dtype) if costs else None
        if stage == "flow" and not diff:
            return flow_text(self.graph, unfold)  # as the document has it: a lowering has nodes of its own
        text = explain_text(self.compiled, stage, diff, workload, stream, verbose)
        if stream and not diff and stage is None:
            left_out = str(self._stream_plan(False).gates or "")
            text += f"\n\n{left_out}" if left_out else ""
        return text

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
        load = make_workload(self.compiled, seconds, batch, frames, dtype)
        return explain_data(self.compiled, stage, load, stream)

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

        load = make_workload(self.compiled, seconds, batch, frames, dtype)
        return profile(self.compiled, load, backward=backward, repeats=repeats, device=device)

    def extra_repr(self) -> str:
        return f"{self.graph.name!r}, controls={len(self.layout)}, outputs={list(self.outputs)}" + (
            f", lowering={self.lowering!r}" if self.lowering != "studio" else ""
        )

    @torch.inference_mode(False)
    def _bind(self) -> None:
        """Compiles for this very object's modules: the plans without and with taps."""
        modules = {
            node.id: cast(Effect, self.effects[node.id.replace(".", "/")])
            for node in (*self._lowered.sources.values(), *self._lowered.nodes)
            if isinstance(node, EffectNode)
        }
        self.compiled = Compiled(
            self._lowered, self.layout, self.outputs, self._passes, modules, self._options
        )
        self._stream_plans: dict[bool, StreamPlan] = {}
        self._executors = {taps: Executor(self.compiled.plan(taps), self.compiled) for taps in (False, True)}

    def __getstate__(self) -> dict[str, Any]:
        # Both hold this object's modules, and are made again for the copy's.
        return {name: value for name, value in self.__dict__.items() if name not in _BOUND}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        leave_inference_mode(self)
        self._bind()


def _choose(graph: Graph, outputs: Iterable[str] | None) -> dict[str, Point]:
    if outputs is None:
        return dict(graph.outputs)
    chosen = [outputs] if isinstance(outputs, str) else several(outputs, "outputs", "names", CompileError)
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
    simd: bool = True,
    lowering: Lowering = "studio",
    **args: Any,
) -> Mixer:
    """Compiles a graph into a :class:`Mixer`.

    graph: a :class:`djgraph.Graph`, or whatever :func:`djgraph.load` takes, with its arguments as keywords.
    outputs: names of the outputs to compute (default: all). optimize: True, False, or the names of the passes to
    run. out_of_range: ``clamp`` params into their ranges, or ``error``. frames_per_tile: STFT frames that the
    spectral region handles at a time (default: what fits the cache).
    simd: on a CPU, spectral regions run in code for its vector units that Numba compiles at the first call (some
    seconds, once for each machine); False leaves them to PyTorch's operators, as on a GPU.
    lowering: ``studio`` makes spectral effects zero-phase masks, which look half a window ahead; ``causal`` takes the
    recursions that are their causal twins: the same gains at all frequencies, other phases, no look-ahead. Layouts,
    params, automation and checkpoints are the same for both.
    Raises DocumentError or GraphError for a bad graph, CompileError for a bad option, and for spectral effects without
    a causal twin, all of them by node.
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
        simd=simd,
        lowering=lowering,
    )
