"""The DJ mixer with the interface that djgraph grew from: two tracks of four stems, 54 controls per frame."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from djgraph.arguments import is_real, is_whole, shown
from djgraph.errors import InputError, did_you_mean
from djgraph.graph import load
from djgraph.layout import ParameterLayout
from djgraph.mixer import compile_graph

WITHOUT_EFFECT = {
    "delay_max_ms": "the delay line is as long as delay_default_ms needs",
    "delay_n_taps": "the delay feeds back exactly, without a number of taps",
    "filter_transition_octaves": "the filters fall by 24 dB per octave",
}
"""Fields of the original configuration that mean nothing here, and why."""


@dataclass(frozen=True)
class MixerConfig:
    """What is fixed when a mixer is built.

    sample_rate: Hz. n_fft, hop_length: of the spectral effects' transform, samples; n_fft is even and
    hop_length at most half of it. reverb_decay_time: until the reverb has fallen by 60 dB, s. reverb_damping:
    0…1, how much sooner high frequencies die. delay_default_ms: the delay's time. delay_max_feedback: the
    delay's feedback where ``delay_feedback`` is 1, from 0 to less than 1. reverb_pre_delay_ms: silence before the
    reverberation. lpf_min_freq, lpf_max_freq, hpf_min_freq, hpf_max_freq: the filters' cutoffs in Hz where their
    controls are 0 and 1.

    What the original mixer had to approximate is exact here, so these fields of its configuration mean nothing; they
    are taken with a warning that says so: delay_max_ms, delay_n_taps, filter_transition_octaves.

    Raises InputError that names every field that is wrong.
    """

    sample_rate: int = 44100
    n_fft: int = 2048
    hop_length: int = 512
    reverb_decay_time: float = 1.5
    reverb_damping: float = 0.5
    delay_default_ms: float = 375.0
    delay_max_feedback: float = 0.7
    reverb_pre_delay_ms: float = 20.0
    lpf_min_freq: float = 20.0
    lpf_max_freq: float = 20000.0
    hpf_min_freq: float = 20.0
    hpf_max_freq: float = 20000.0
    delay_max_ms: float | None = None
    delay_n_taps: int | None = None
    filter_transition_octaves: float | None = None

    def __post_init__(self) -> None:
        wrong = []
        for name in ("sample_rate", "n_fft", "hop_length"):
            value = getattr(self, name)
            if not is_whole(value) or value < 1:
                wrong.append(f"{name} is {shown(value)}; expected a whole number from 1")
        for name, low, high in (
            ("reverb_decay_time", 0.0, math.inf),
            ("reverb_damping", 0.0, 1.0),
            ("delay_default_ms", 0.0, math.inf),
            ("delay_max_feedback", 0.0, 1.0),
            ("reverb_pre_delay_ms", 0.0, 1000.0),
            ("lpf_min_freq", 1.0, 100000.0),
            ("lpf_max_freq", 1.0, 100000.0),
            ("hpf_min_freq", 1.0, 100000.0),
            ("hpf_max_freq", 1.0, 100000.0),
        ):
            value = getattr(self, name)
            if not is_real(value):
                wrong.append(f"{name} is {shown(value)}; expected a number")
            elif not low <= value <= high:
                wrong.append(f"{name} is {value}; expected {low:g} … {high:g}")
            elif (high == math.inf and value == 0) or (name == "delay_max_feedback" and value == 1):
                wrong.append(f"{name} is {value}; expected {'less than 1' if value else 'more than 0'}")
        if not wrong and self.n_fft % 2:
            wrong.append(f"n_fft is {self.n_fft}; expected an even number")
        if not wrong and self.hop_length > self.n_fft // 2:
            wrong.append(
                f"hop_length is {self.hop_length}; expected at most half of n_fft ({self.n_fft // 2})"
            )
        for kind in ("lpf", "hpf"):
            low, high = getattr(self, f"{kind}_min_freq"), getattr(self, f"{kind}_max_freq")
            if not wrong and not low < high:
                wrong.append(
                    f"{kind}_min_freq is {low} and {kind}_max_freq {high}; expected the first to be lower"
                )
        if wrong:
            raise InputError("MixerConfig: " + "; ".join(wrong))
        idle = [f"{name}: {why}" for name, why in WITHOUT_EFFECT.items() if getattr(self, name) is not None]
        if idle:
            warnings.warn("MixerConfig fields without effect: " + "; ".join(idle), stacklevel=3)

    def graph_arguments(self) -> dict[str, Any]:
        """What the graph ``dj_mixer`` takes."""
        fields = dataclasses.asdict(self)
        return {name: value for name, value in fields.items() if name not in WITHOUT_EFFECT}


class DifferentiableDJMixer(nn.Module):
    """The shipped graph ``dj_mixer``, compiled, behind the original interface.

    >>> mixer = DifferentiableDJMixer(MixerConfig(sample_rate=48000))
    >>> mixed, intermediates = mixer(track_a, track_b, params, return_intermediates=True)
    """

    def __init__(self, config: MixerConfig | None = None) -> None:
        super().__init__()
        self.config = MixerConfig() if config is None else config
        self.mixer = compile_graph(load("dj_mixer", **self.config.graph_arguments()))

    @property
    def layout(self) -> ParameterLayout:
        """The layout of ``params``: 54 controls."""
        return self.mixer.layout

    def forward(
        self,
        track_a: Mapping[str, Tensor],
        track_b: Mapping[str, Tensor],
        params: Tensor,
        return_intermediates: bool = False,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The mix ``[batch, 2, samples]`` and the audio of every strip and bus by name.

        track_a, track_b: stem (``drums``, ``bass``, ``vocals``, ``other``) → ``[batch, samples]`` or
        ``[batch, channels, samples]``, mono or stereo. params: ``[frames, 54]`` or ``[batch, frames, 54]`` in
        plain units; values out of range are clamped with a gradient that points back.
        ``[2, samples]`` is a batch of two mono clips where params have a batch of two as well; else it is an error,
        since it may just as well be one stereo clip.
        Always returns a pair; without ``return_intermediates`` its second half is empty.
        Raises InputError for missing or unknown stems, wrong shapes and values that are not finite.
        """
        inputs = {"track_a": track_a, "track_b": track_b}
        if isinstance(params, Tensor) and params.ndim == 3 and params.shape[0] == 2:
            inputs = {name: _batched(track) for name, track in inputs.items()}
        if return_intermediates:
            mixed, taps = self.mixer(inputs, params, return_intermediates=True)
            return mixed, dict(taps)
        return self.mixer(inputs, params), {}


def _batched(track: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Stems ``[batch, samples]`` as ``[batch, 1, samples]``; what is no stem is left for the mixer to refuse."""
    if not isinstance(track, Mapping):
        return track
    return {
        name: audio.unsqueeze(1)
        if isinstance(audio, Tensor) and audio.ndim == 2 and audio.shape[0] == 2
        else audio
        for name, audio in track.items()
    }


def create_mixer(sample_rate: int = 44100, **config: Any) -> DifferentiableDJMixer:
    """A mixer from the fields of :class:`MixerConfig`; InputError for unknown or impossible ones."""
    fields = [field.name for field in dataclasses.fields(MixerConfig)]
    for name in config:
        if name not in fields:
            raise InputError(f"create_mixer has no option {name!r}{did_you_mean(name, fields)}")
    return DifferentiableDJMixer(MixerConfig(sample_rate=sample_rate, **config))
