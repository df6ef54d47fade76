"""Arguments of a wrong type are refused in one sentence that names them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from fake_layouts import column

import djgraph
from djgraph import audio, automation, losses, metrics
from djgraph.errors import DJGraphError, InputError
from djgraph.layout import ParameterLayout

CLIP = torch.randn(1, 2, 9000)
LAYOUT = ParameterLayout([column("a.gain"), column("b.gain")])
GRAPH = djgraph.load("filter_knob")
AT = automation.Moment.parse("1s")
PARAMS = LAYOUT.pack({}, n_frames=3)

CALLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "sizes": (lambda x: losses.MultiResolutionSTFT(sizes=x), "sizes"),
    "sizes of mel": (lambda x: losses.MelSTFT(44100, sizes=x), "sizes"),
    "sizes of a metric": (lambda x: metrics.spectral_distance(CLIP, CLIP, x), "sizes"),
    "floor_db": (lambda x: losses.MultiResolutionSTFT(floor_db=x), "floor_db"),
    "log": (lambda x: losses.MultiResolutionSTFT(log=x), "log"),
    "rate of mel": (lambda x: losses.MelSTFT(x), "sample_rate"),
    "bands": (lambda x: losses.MelSTFT(44100, bands=x), "bands"),
    "rate of a loss": (lambda x: losses.Loudness(x), "sample_rate"),
    "rate of loudness": (lambda x: losses.loudness(CLIP, x), "sample_rate"),
    "rate of a metric": (lambda x: metrics.loudness(CLIP, x), "sample_rate"),
    "weights": (lambda x: losses.Combined(losses.MultiResolutionSTFT(), weights=x), "weights"),
    "sum_weight": (lambda x: losses.SumAndDifference(sum_weight=x), "sum_weight"),
    "loss": (lambda x: losses.SumAndDifference("loss" if x is None else x), "loss"),
    "target": (lambda x: losses.Target(x), "target of type"),
    "layout": (lambda x: losses.total_variation(PARAMS, x), "layout"),
    "layout of a metric": (lambda x: metrics.control_error(PARAMS, PARAMS, x), "layout"),
    "params": (lambda x: losses.neutral_sparsity(x, LAYOUT), "params"),
    "controls": (
        lambda x: losses.total_variation(PARAMS, LAYOUT, [x] if x is None else x),
        "control|nothing",
    ),
    "directions": (lambda x: losses.monotone(PARAMS, LAYOUT, x), "directions"),
    "channels of a meter": (lambda x: audio.Meter(x, 44100), "channels"),
    "rate of a meter": (lambda x: audio.Meter(2, x), "sample_rate"),
    "rate to resample to": (lambda x: audio.resample(CLIP, 44100, x), "to_rate"),
    "audio to resample": (lambda x: audio.resample(x, 44100, 48000), "audio"),
    "audio of a peak": (lambda x: audio.peak_dbfs(x), "audio"),
    "audio to normalize": (lambda x: audio.normalize(x), "audio"),
    "peak": (lambda x: audio.normalize(CLIP, x), "peak"),
    "graph": (lambda x: djgraph.Mixer(x), "graph"),
    "outputs": (lambda x: djgraph.compile(GRAPH, outputs=x), "output"),
    "optimize": (lambda x: djgraph.compile(GRAPH, optimize=x), "optimize|no pass"),
    "frames_per_tile": (lambda x: djgraph.compile(GRAPH, frames_per_tile=x), "frames_per_tile"),
    "value of a point": (lambda x: automation.Point(AT, x), "value"),
    "shape of a point": (lambda x: automation.Point(AT, 0.0, x), "shape"),
    "bend of a point": (lambda x: automation.Point(AT, 0.0, bend=x), "bend"),
    "layout of an automation": (lambda x: automation.from_params(x, PARAMS, 1.0), "layout"),
    "duration": (lambda x: automation.from_params(LAYOUT, PARAMS, x), "duration"),
    "inputs of a fit": (lambda x: djgraph.fit(GRAPH, [x], CLIP), "inputs"),
    "truth of a fit": (lambda x: djgraph.fit(GRAPH, {}, CLIP, truth=x), "truth"),
    "audio of lufs": (lambda x: audio.lufs(x, 44100), "audio"),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", ["8000", object(), {"a": 1}], ids=["text", "object", "mapping"])
def test_a_wrong_type_is_one_sentence(call: str, value: Any) -> None:
    function, names = CALLS[call]
    if call == "directions" and isinstance(value, dict):
        pytest.skip("a mapping is what it takes")
    with pytest.raises(DJGraphError, match=names) as caught:
        function(value)
    assert "\n" not in str(caught.value).split("did you mean")[0].strip() or call == "controls"


def test_one_size_is_no_list_of_sizes() -> None:
    with pytest.raises(
        InputError, match=r"^sizes: expected even numbers of samples from 4, as a list, got 512$"
    ):
        losses.MultiResolutionSTFT(sizes=512)  # type: ignore[arg-type]


def test_a_target_of_a_target() -> None:
    with pytest.raises(InputError, match="got target of type Target"):
        losses.Target(losses.Target(CLIP))  # type: ignore[arg-type]


@pytest.mark.parametrize("rows", [9, 500, 44100])
def test_audio_that_lies_the_other_way_round(rows: int) -> None:
    flat, batch = torch.randn(rows, 2), torch.randn(3, rows, 2)
    for mix, how in ((flat, r"audio\.T\[None\]"), (batch, r"audio\.transpose\(1, 2\)")):
        for measure in (losses.MultiResolutionSTFT(), losses.MelSTFT(44100), metrics.si_sdr, metrics.sdr):
            with pytest.raises(InputError, match=rf"mix .* looks like \[samples, channels\].*{how}"):
                measure(mix, mix)
        with pytest.raises(InputError, match=r"target .* looks like \[samples, channels\]"):
            losses.Target(mix)


def test_short_clips_of_few_channels_are_what_they_are() -> None:
    assert losses.MultiResolutionSTFT()(torch.ones(8, 2), torch.ones(8, 2)) == 0
    assert metrics.sdr(torch.ones(2, 3), torch.ones(2, 3)) > 0
