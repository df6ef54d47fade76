"""The effects in JavaScript, for pages that ``djgraph export --to web`` makes: what each processor is told."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from djgraph.dsp.bands import FITS
from djgraph.plugins import Exporter, hookimpl
from djgraph.speakers import loudness_weights, speakers
from djgraph_fx.crush import CYCLE
from djgraph_fx.filters import FADE
from djgraph_fx.noise import FACTORS, GOLDEN, SHIFTS
from djgraph_fx.room import DAMPING_DEPTH
from djgraph_fx.switches import FADE as EDGE

FOLDER = Path(str(files("djgraph_fx"))) / "web"


@hookimpl
def djgraph_exporters() -> Iterator[Exporter]:
    yield Exporter("gain", FOLDER / "gain.js")
    yield Exporter("eq3", FOLDER / "eq3.js", _banded)
    for name in ("lowpass", "highpass"):
        yield Exporter(name, FOLDER / "sweep.js", _swept)
    for name in ("reverb", "convolve"):
        yield Exporter(name, FOLDER / "convolution.js", _responding)
    yield Exporter("delay", FOLDER / "delay.js", _delaying, early=True)
    for name in ("trim", "polarity", "trans", "pump"):
        yield Exporter(name, FOLDER / "amplitude.js", _by_law)
    for name in ("balance", "pan", "width", "mono"):
        yield Exporter(name, FOLDER / "sides.js", _by_law)
    for name in ("ms_split", "ms_join"):
        yield Exporter(name, FOLDER / "midside.js", _joining)
    for name in ("filter", "filter_knob", "allpass", "ladder", "peq"):
        yield Exporter(name, FOLDER / "sections.js", _named)
    yield Exporter("tilt", FOLDER / "tilt.js")
    for name in ("crossover2", "crossover3", "crossover4"):
        yield Exporter(name, FOLDER / "bands.js", _crossing)
    for name in ("isolator", "isolator4"):
        yield Exporter(name, FOLDER / "bands.js", _isolating)
    yield Exporter("compressor", FOLDER / "compressor.js", _compressing)
    yield Exporter("limiter", FOLDER / "limiter.js", _limiting)
    for name in ("gate", "expander", "ducker", "transient", "leveler"):
        yield Exporter(name, FOLDER / "dynamics.js", _following)
    yield Exporter("deesser", FOLDER / "deesser.js")
    for name in ("tremolo", "ringmod"):
        yield Exporter(name, FOLDER / "tremolo.js", _swinging)
    for name in ("echo", "dub_echo"):
        yield Exporter(name, FOLDER / "echo.js", _echoing, early=True)
    for name in ("delay_samples", "delay_beats", "multitap", "vibrato", "chorus"):
        yield Exporter(name, FOLDER / "taps.js", _tapping, early=name.startswith("delay_"))
    yield Exporter("flanger", FOLDER / "flanger.js", _flanging)
    yield Exporter("phaser", FOLDER / "phaser.js")
    yield Exporter("saturate", FOLDER / "saturate.js", _bending)
    yield Exporter("meter", FOLDER / "meter.js", _metering)
    for name in ("brake", "spinback"):
        yield Exporter(name, FOLDER / "platter.js", _turning)
    for name in ("roll", "slip_roll", "stutter"):
        yield Exporter(name, FOLDER / "roll.js", _rolling)
    yield Exporter("reverse", FOLDER / "reverse.js", _reversing)
    for name in ("fdn", "shimmer"):
        yield Exporter(name, FOLDER / "fdn.js", _networked)
    yield Exporter("spiral", FOLDER / "spiral.js", _climbing)
    yield Exporter("looper", FOLDER / "looper.js", _looping)
    for name in ("quad_pan", "surround_pan"):
        yield Exporter(name, FOLDER / "place.js", _by_law)
    yield Exporter("downmix", FOLDER / "downmix.js", _mixing_down)
    yield Exporter("noise", FOLDER / "noise.js", _noisy)
    yield Exporter("oscillator", FOLDER / "oscillator.js")
    yield Exporter("deck", FOLDER / "deck.js", fault=_locked)
    yield Exporter("sampler", FOLDER / "sampler.js", _sampling)
    yield Exporter("crush", FOLDER / "crush.js", lambda effect, channels: {"cycle": CYCLE})


def _banded(effect: Any, channels: int) -> dict[str, Any]:
    """eq3's twin."""
    settings = effect.settings
    order = int(settings.order)
    return {"order": order, "fit": FITS[order], "low": settings.low, "high": settings.high}


def _swept(effect: Any, channels: int) -> dict[str, Any]:
    """The twins of lowpass and highpass."""
    settings = effect.settings
    order = int(settings.order)
    return {
        "order": order,
        "fit": FITS[order],
        "low": effect.highs,
        "lowest": settings.lowest,
        "highest": settings.highest,
        "fade": FADE,
    }


def _responding(effect: Any, channels: int) -> dict[str, Any]:
    """What convolves: its response, float32 in base64, one channel behind the other."""
    response = effect.response(channels).float().numpy().astype("<f4")
    return {"channels": channels, "response": base64.b64encode(response.tobytes()).decode("ascii")}


def _delaying(effect: Any, channels: int) -> dict[str, Any]:
    return {"samples": effect.samples, "max_feedback": effect.settings.max_feedback}


def _named(effect: Any, channels: int) -> dict[str, Any]:
    """The settings, with the effect's name."""
    return {**effect.settings.model_dump(), "effect": effect.type, "most": getattr(effect, "MOST", 0)}


def _by_law(effect: Any, channels: int) -> dict[str, Any]:
    return {"law": effect.type, "edge": getattr(effect.settings, "edge", 0)}


def _joining(effect: Any, channels: int) -> dict[str, Any]:
    return {"joins": effect.type == "ms_join"}


def _crossing(effect: Any, channels: int) -> dict[str, Any]:
    return {
        "order": effect.settings.order,
        "ports": [port.name for port in effect.outputs],
        "names": [control.id for control in effect.controls],
        "cutoffs": None,
    }


def _isolating(effect: Any, channels: int) -> dict[str, Any]:
    return {
        "order": effect.settings.order,
        "ports": None,
        "names": [control.id for control in effect.controls],
        "cutoffs": list(effect.cutoffs(effect.settings)),
    }


def _pole(milliseconds: float, rate: int) -> float:
    return math.exp(-1000 / (milliseconds * rate))


def _compressing(effect: Any, channels: int) -> dict[str, Any]:
    settings = effect.settings
    pole = _pole(settings.window, effect.environment.sample_rate)
    return {"detector": settings.detector, "pole": pole, "linked": settings.linked}


def _limiting(effect: Any, channels: int) -> dict[str, Any]:
    import torch

    from djgraph.dsp.true_peak import DELAY, interpolator

    between = effect.settings.true_peak
    taps = interpolator(torch.float64, torch.device("cpu"))[:, 0].tolist() if between else None
    return {
        "ahead": effect.latency() - (DELAY if between else 0),
        "hold": 2 if between else 1,
        "taps": taps,
        "linked": effect.settings.linked,
    }


def _following(effect: Any, channels: int) -> dict[str, Any]:
    told = {**effect.settings.model_dump(), "effect": effect.type}
    if effect.type == "leveler":
        told |= {"pole": _pole(100.0, effect.environment.sample_rate), "weights": _weights(channels)}
    return told


def _weights(channels: int) -> list[float]:
    """How much each channel counts for loudness."""
    return list(loudness_weights(channels) or [1.0] * channels)


def _swinging(effect: Any, channels: int) -> dict[str, Any]:
    """A ring modulator's sine is a tremolo: (1 − mix) + mix·cos(2πφ) = 1 − 2·mix·sin²(πφ)."""
    if effect.type == "ringmod":
        return {"depth": "mix", "most": 2, "rate": "frequency"}
    return {**effect.settings.model_dump(), "depth": "depth", "most": 1, "rate": "rate"}


def _echoing(effect: Any, channels: int) -> dict[str, Any]:
    settings = effect.settings
    drive = getattr(settings, "drive", None)
    return {
        "sync": settings.sync,
        "change": settings.change,
        "fade": settings.fade,
        "crossed": settings.mode == "ping_pong",
        "shortest": effect.shortest,
        "longest": effect.longest,
        "drive": 0 if drive is None else 10 ** (drive / 20),
    }


def _tapping(effect: Any, channels: int) -> dict[str, Any]:
    settings, kind = effect.settings, effect.type
    told = {**settings.model_dump(), "kind": kind}
    rate = effect.environment.sample_rate
    if kind == "delay_samples":
        return {**told, "longest": settings.samples}
    if kind == "delay_beats":
        return {**told, "longest": effect.tail(), "shortest": effect._shortest, "fade": 50.0}
    if kind == "multitap":
        fade = {"fade": settings.fade if settings.sync == "beats" else 0}
        return {**told, **fade, "longest": effect.longest, "times": list(settings.times)}
    return {"voices": 1, **told, "kind": "voices", "longest": effect.LONGEST * rate / 1000}


def _flanging(effect: Any, channels: int) -> dict[str, Any]:
    rate = effect.environment.sample_rate
    shortest = max(1, int(effect.SHORTEST * rate / 1000))
    return {**effect.settings.model_dump(), "shortest": shortest, "longest": effect.LONGEST * rate / 1000}


def _bending(effect: Any, channels: int) -> dict[str, Any]:
    """taps: of the filter of oversampling up to its middle, which is the last one."""
    settings = effect.settings
    taps: list[float] = []
    if settings.oversampling > 1:
        from djgraph.dsp.oversampling import lowpass_taps

        whole = lowpass_taps(settings.oversampling)
        taps = whole[: len(whole) // 2 + 1].tolist()
    return {"kind": settings.kind, "factor": settings.oversampling, "taps": taps}


def _locked(effect: Any, channels: int) -> str | None:
    if not effect.settings.key_lock:
        return None
    return "no JavaScript for key lock, which is a phase vocoder; set key_lock: false"


def _sampling(effect: Any, channels: int) -> dict[str, Any]:
    return {"mode": effect.settings.mode, "fade": effect.fade}


def _metering(effect: Any, channels: int) -> dict[str, Any]:
    rate = effect.environment.sample_rate
    return {
        "window": max(1, round(effect.settings.window * rate / 1000)),
        "momentary": round(0.4 * rate),
        "weights": _weights(channels),
    }


def _turning(effect: Any, channels: int) -> dict[str, Any]:
    return {
        "throws": effect.type == "spinback",
        "curve": effect.settings.curve,
        "longest": effect.longest,
        "fade": effect.fade,
    }


def _rolling(effect: Any, channels: int) -> dict[str, Any]:
    return {
        "again": effect.again,
        "gated": effect.type == "stutter",
        "longest": effect.settings.longest,
        "room": effect.room,
        "fade": effect.fade,
        "edge": EDGE,
    }


def _reversing(effect: Any, channels: int) -> dict[str, Any]:
    return {"longest": effect.settings.longest, "line": effect.longest, "fade": effect.fade}


def _networked(effect: Any, channels: int) -> dict[str, Any]:
    rate, constants = effect.environment.sample_rate, effect.constants()
    lines = [channel % effect.settings.lines for channel in range(channels)]
    corner = min(effect.settings.corner, effect.HIGHEST * rate)
    return {
        "delays": list(effect.delays),
        "enter": constants["enter"][:, lines].tolist(),
        "leave": constants["leave"][lines].tolist(),
        "turn": math.tan(math.pi * corner / rate),
        "deepest": DAMPING_DEPTH,
        "rising": _rising(effect) if effect.type == "shimmer" else None,
    }


def _rising(effect: Any) -> dict[str, Any]:
    return {"shortest": effect.shortest, "way": effect.way, "period": effect.period, "lowest": effect.LOWEST}


def _climbing(effect: Any, channels: int) -> dict[str, Any]:
    return {
        "sync": effect.settings.sync,
        "window": effect.window,
        "milliseconds": effect.settings.window,
        "glide": effect.settings.glide,
        "shortest": effect.shortest,
        "longest": effect.longest,
    }


def _looping(effect: Any, channels: int) -> dict[str, Any]:
    return {"beats": effect.settings.beats, "shortest": effect._shortest, "room": effect._room, "fade": 50.0}


def _mixing_down(effect: Any, channels: int) -> dict[str, Any]:
    """For each channel its level's control, its share, and on which sides it is."""
    layout = speakers(channels)
    assert layout is not None  # else the graph is refused
    parts: list[dict[str, Any]] = []
    for label in layout.order:
        alone = label in ("L", "R") or len(layout.order) <= 2
        parts.append(
            {
                "control": None
                if alone
                else "centre"
                if label == "C"
                else "lfe"
                if label == "LFE"
                else "surround",
                "share": math.sqrt(0.5) if label == "Cs" else 1,
                "left": label == "LFE" or not label.startswith("R"),
                "right": label == "LFE" or not label.startswith("L"),
            }
        )
    return {"parts": parts}


def _noisy(effect: Any, channels: int) -> dict[str, Any]:
    """keys: of each channel's noise, in two halves of 32 bits."""
    settings, whole = effect.settings, 2**64 - 1
    keys = []
    for channel in range(1 if settings.mono else channels):
        bits = (channel * GOLDEN + (settings.seed + 1) * GOLDEN**2) & whole
        for shift, factor in zip(SHIFTS, (*FACTORS, 1)):
            bits = ((bits ^ (bits >> shift)) * factor) & whole
        keys.append([bits >> 32, bits & (2**32 - 1)])
    return {"kind": settings.kind, "keys": keys}
