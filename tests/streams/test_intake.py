"""What a caller hands to a stream beside audio: what is refused, and how."""

from __future__ import annotations

import pytest
import torch
from runtime.mixes import make_inputs

from djgraph.errors import InputError
from djgraph.mixer import Mixer

from .playing import play


def test_iterators_of_nothing_and_of_nonsense(mixer: Mixer) -> None:
    inputs = make_inputs(mixer.graph, 1, 600, torch.float32, 0)
    with pytest.raises(InputError, match="iterator of frames is empty"):
        mixer.stream(frames=[], fps=50)(inputs)
    stream = mixer.stream(frames=[mixer.layout.default, torch.zeros(3)], fps=1000)
    with pytest.raises(InputError, match=r"single frames, \[54\] or \[batch, 54\]"):
        stream(inputs)
    # Behind what was wrong nothing more comes: the last good frame holds.
    (made,) = play(stream, inputs, [600])
    torch.testing.assert_close(made, mixer(inputs, mixer.layout.default[None]), atol=2e-6, rtol=0)


def test_arguments_of_no_kind(mixer: Mixer) -> None:
    frame = mixer.layout.default
    for options, message in (
        ({"batch": "2"}, "batch is '2'"),
        ({"batch": True}, "batch is True"),
        ({"score": 5}, "a score is"),
        ({"score": (frame[None],)}, "a score is"),
        ({"score": (frame[None], None)}, "positions are missing"),
        ({"frames": 3, "fps": 2}, "iterator of frames"),
        ({"frames": [frame], "fps": "a"}, "fps is 'a'"),
        ({"device": "nowhere"}, "no device 'nowhere'"),
        ({"dtype": "float32"}, "float32"),
    ):
        with pytest.raises(InputError, match=message):
            mixer.stream(**options)  # type: ignore[arg-type]
