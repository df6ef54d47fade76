"""Short blocks run on the calling thread alone, and nobody else notices."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
import torch
from runtime.documents import registry_with

from djgraph.effects import AmplitudeEffect
from djgraph.graph import load
from djgraph.mixer import Mixer
from djgraph.streams import threads
from djgraph.streams.threads import FEW, calling_thread_only


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    if threads._library() is None:
        pytest.skip("PyTorch was built with another library for its threads")
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_other_threads_keep_theirs() -> None:
    seen: list[int] = []
    torch.zeros(1).sum()
    with calling_thread_only():
        assert torch.get_num_threads() == 1
        other = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
        other.start()
        other.join()
    assert seen == [2]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_an_error_leaves_the_number_as_it_was() -> None:
    with pytest.raises(ZeroDivisionError), calling_thread_only():
        raise ZeroDivisionError
    assert torch.get_num_threads() == 2


def test_without_such_a_library_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_library", lambda: None)
    before = torch.get_num_threads()
    with calling_thread_only():
        assert torch.get_num_threads() == before


class Watching(AmplitudeEffect):
    """Writes down how many threads there are."""

    type = "watching"
    seen: ClassVar[list[int]] = []

    def amplitude(self, controls: Any) -> torch.Tensor:
        self.seen.append(torch.get_num_threads())
        return torch.ones(1, 1, 1)


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("samples", "number"), [(FEW // 2, 1), (FEW // 2 + 1, 2)])
def test_which_blocks(samples: int, number: int) -> None:
    document = {
        "djgraph": 1,
        "name": "g",
        "sample_rate": 8000,
        "inputs": [{"name": "a"}],
        "mixer": [{"strip": "s", "input": "a", "chain": ["watching"], "to": "mix"}, {"bus": "mix"}],
        "outputs": ["mix"],
    }
    stream = Mixer(load(document, registry=registry_with(Watching))).stream()
    Watching.seen.clear()
    with torch.no_grad():
        stream({"a": torch.zeros(1, 2, samples)}, torch.zeros(0))
    assert set(Watching.seen) == {number}
    assert torch.get_num_threads() == 2
