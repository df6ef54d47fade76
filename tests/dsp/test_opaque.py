"""Functions that torch.compile leaves alone work inside what it compiles."""

import numpy as np
import torch

from djgraph.dsp.opaque import opaque


@opaque
def through_numpy(audio, factor):
    """What a tracer could not follow: it asks for the numbers."""
    return torch.from_numpy(np.asarray(audio.tolist()) * factor)


def test_runs_inside_a_compiled_program():
    def program(audio):
        return through_numpy(audio * 2, factor=3.0) + 1

    compiled = torch.compile(program, backend="eager")
    audio = torch.arange(4.0)
    for _ in range(2):
        assert compiled(audio).tolist() == [1.0, 7.0, 13.0, 19.0]


def test_is_the_function_itself_otherwise():
    assert through_numpy(torch.ones(2), 5).tolist() == [5.0, 5.0]
    assert through_numpy.__name__ == "through_numpy"
