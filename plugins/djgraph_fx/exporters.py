"""The effects in JavaScript, for pages that ``djgraph export --to web`` makes: what each processor is told."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from djgraph.dsp.bands import FITS
from djgraph.plugins import Exporter, hookimpl
from djgraph_fx.filters import FADE

FOLDER = Path(str(files("djgraph_fx"))) / "web"


@hookimpl
def djgraph_exporters() -> Iterator[Exporter]:
    yield Exporter("gain", FOLDER / "gain.js")
    yield Exporter("eq3", FOLDER / "eq3.js", _banded)
    yield Exporter("lowpass", FOLDER / "sweep.js", _swept)
    yield Exporter("highpass", FOLDER / "sweep.js", _swept)
    yield Exporter("reverb", FOLDER / "convolution.js", _responding)
    yield Exporter("delay", FOLDER / "delay.js", _delaying)


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
