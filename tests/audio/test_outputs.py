"""Files written in blocks are those that are written at once, and all of several or none."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import soundfile
import torch
from effort import examples, few
from hypothesis import given, settings
from hypothesis import strategies as st
from interrupts import interruptible
from torch import Tensor

from djgraph.audio import (
    Levels,
    formats,
    lufs,
    open_outputs,
    peak_dbfs,
    peak_gain,
    read,
    write,
)
from djgraph.audio.encoding import Sink
from djgraph.errors import AudioFileError, DJGraphError, InputError

RATE = 44100


def noise(channels: int = 2, samples: int = 150_000, level: float = 0.2) -> Tensor:
    return level * torch.randn(channels, samples, generator=torch.Generator().manual_seed(channels))


def in_blocks(
    paths: Mapping[str, Path],
    signals: Mapping[str, Tensor],
    sizes: list[int],
    rate: int = RATE,
    **options: Any,
) -> Mapping[str, Levels]:
    channels = {name: len(signal) for name, signal in signals.items()}
    at, number, longest = 0, 0, max(signal.shape[1] for signal in signals.values())
    with open_outputs(paths, rate, channels, **options) as outputs:
        while at < longest:
            size = sizes[number % len(sizes)]
            blocks = {name: signal[:, at : at + size].clone() for name, signal in signals.items()}
            outputs.write(blocks)
            for block in blocks.values():
                block.fill_(9)  # whatever becomes of it
            at, number = at + size, number + 1
    return outputs.levels


def undated(path: Path) -> bytes:
    """The file without the second of its peak chunk's date, which WAV and AIFF of floats have."""
    data = path.read_bytes()
    at = data.find(b"PEAK", 0, 200)
    return data if at < 0 else data[: at + 12] + data[at + 16 :]


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".mp3", ".ogg"])
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sizes", few([[70_001, 1, 40_000], [512], [10**6]], 1), ids=str)
def test_a_file_is_the_one_that_write_makes(
    tmp_path: Path, suffix: str, channels: int, sizes: list[int]
) -> None:
    audio = noise(channels, level=0.5)
    whole, blocks = tmp_path / f"whole{suffix}", tmp_path / f"blocks{suffix}"
    clipped = write(whole, audio, RATE)
    levels = in_blocks({"mix": blocks}, {"mix": audio}, sizes)["mix"]
    if suffix == ".ogg":  # whose streams have random serial numbers
        assert torch.equal(read(whole)[0], read(blocks)[0])
        assert whole.stat().st_size == blocks.stat().st_size
    else:
        assert undated(whole) == undated(blocks)
    assert clipped > 0
    assert (levels.clipped, levels.samples, levels.channels, levels.gain) == (clipped, 150_000, channels, 1.0)
    assert levels.peak_dbfs == peak_dbfs(audio)
    assert levels.lufs == pytest.approx(lufs(audio, RATE), abs=1e-6)
    assert levels.true_peak_dbtp is None
    assert sorted(os.listdir(tmp_path)) == [blocks.name, whole.name]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "float"])
def test_subtypes(tmp_path: Path, subtype: str) -> None:
    audio = noise(level=0.5)
    clipped = write(tmp_path / "whole.wav", audio, RATE, subtype=subtype)
    levels = in_blocks({"mix": tmp_path / "blocks.wav"}, {"mix": audio.double()}, [1000], subtype=subtype)
    assert undated(tmp_path / "whole.wav") == undated(tmp_path / "blocks.wav")
    assert levels["mix"].clipped == clipped


@pytest.mark.parametrize("how", ["together", "each"])
@pytest.mark.parametrize("suffix", few([".flac", ".wav", ".mp3"], 1))
def test_normalized_files_are_those_of_the_scaled_whole(tmp_path: Path, how: Any, suffix: str) -> None:
    """Far beyond full scale, where a second pass over a written file would hear what has clipped."""
    signals = {"mix": noise(2, level=3.0), "cue": noise(1, 90_001, level=0.01)}
    paths = {name: tmp_path / f"{name}{suffix}" for name in signals}
    levels = in_blocks(paths, signals, [4096, 1, 999], normalize=how)
    for name, audio in signals.items():
        gain = peak_gain(list(signals.values()) if how == "together" else [audio])
        write(tmp_path / f"whole{suffix}", audio * gain, RATE)
        assert undated(paths[name]) == undated(tmp_path / f"whole{suffix}")
        assert (levels[name].gain, levels[name].clipped) == (gain, 0)
        assert levels[name].peak_dbfs == peak_dbfs(audio * gain)
        assert levels[name].lufs == pytest.approx(lufs(audio * gain, RATE), abs=1e-6)
    assert levels["mix"].peak_dbfs == pytest.approx(-1, abs=1e-5)


def test_silence_stays_silence_and_its_own_level_is_no_change(tmp_path: Path) -> None:
    levels = in_blocks({"mix": tmp_path / "a.wav"}, {"mix": torch.zeros(2, 100)}, [7], normalize="each")[
        "mix"
    ]
    assert (levels.gain, levels.peak_dbfs, levels.lufs) == (1.0, -float("inf"), None)
    levels = in_blocks({"mix": tmp_path / "b.wav"}, {"mix": noise()}, [999], normalize="each", peak=-12.0)[
        "mix"
    ]
    assert levels.peak_dbfs == pytest.approx(-12, abs=1e-5)


@settings(max_examples=examples(20))
@given(
    samples=st.integers(1, 200_000),
    sizes=st.lists(st.sampled_from([1000, 1 << 16, (1 << 16) + 1, 5001]), min_size=1, max_size=4),
)
def test_any_length_and_any_cut(
    tmp_path_factory: pytest.TempPathFactory, samples: int, sizes: list[int]
) -> None:
    folder, audio = tmp_path_factory.getbasetemp(), noise(2, samples)
    write(folder / "whole.flac", audio, RATE)
    for normalize in (None, "each"):
        in_blocks(
            {"mix": folder / "cut.flac"}, {"mix": audio}, sizes, normalize=normalize, peak=peak_dbfs(audio)
        )
        if normalize is None:
            assert (folder / "cut.flac").read_bytes() == (folder / "whole.flac").read_bytes()
        else:
            torch.testing.assert_close(read(folder / "cut.flac")[0], audio.clamp(-1, 1), atol=1e-6, rtol=0)


def test_progress_and_true_peak_and_finishing_early(tmp_path: Path) -> None:
    told: list[int] = []
    signals = {"a": noise(2, 100_000), "b": noise(1, 50_000)}
    paths = {name: tmp_path / f"{name}.flac" for name in signals}
    with open_outputs(paths, RATE, {"a": 2, "b": 1}, normalize="together", true_peak=True) as outputs:
        outputs.write(signals)
        levels = outputs.finish(told.append)
        assert sum(told) == 150_000
        assert outputs.finish() is levels
        assert not any(path.exists() for path in paths.values())
        with pytest.raises(InputError, match="finished"):
            outputs.write(signals)
    assert all(path.exists() for path in paths.values())
    true_peak = levels["a"].true_peak_dbtp
    assert true_peak is not None
    assert levels["a"].peak_dbfs <= true_peak < levels["a"].peak_dbfs + 6


def test_more_than_eight_channels_have_no_loudness(tmp_path: Path) -> None:
    audio = noise(9, 50_000)
    levels = in_blocks({"mix": tmp_path / "a.wav"}, {"mix": audio}, [999], normalize="each")["mix"]
    assert levels.lufs is None
    assert levels.peak_dbfs == pytest.approx(-1, abs=1e-5)


def test_beyond_4_gib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "MAX_BYTES", 10_000)
    audio = noise(2, 5000)
    in_blocks({"mix": tmp_path / "a.wav"}, {"mix": audio}, [999], samples=5000)
    write(tmp_path / "b.wav", audio, RATE)
    assert undated(tmp_path / "a.wav") == undated(tmp_path / "b.wav")
    assert soundfile.info(tmp_path / "a.wav").format == "RF64"
    with pytest.raises(AudioFileError, match=r"c\.wav grows beyond 4 GiB"):
        in_blocks({"mix": tmp_path / "c.wav"}, {"mix": audio}, [999])
    with pytest.raises(AudioFileError, match="more than AIFF holds"):
        in_blocks({"mix": tmp_path / "c.aiff"}, {"mix": audio}, [999])
    assert sorted(os.listdir(tmp_path)) == ["a.wav", "b.wav"]


# -- all or nothing ----------------------------------------------------------------------------------


def two(folder: Path, suffix: str = ".flac") -> dict[str, Path]:
    """One file that is there already, and one that is not."""
    write(folder / f"old{suffix}", torch.zeros(1, 10), RATE)
    return {"old": folder / f"old{suffix}", "new": folder / f"new{suffix}"}


@pytest.mark.parametrize("suffix", few([".wav", ".flac", ".ogg", ".mp3"], 2))
@pytest.mark.parametrize("normalize", [None, "together"])
@pytest.mark.parametrize("problem", [ValueError("no"), KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_nothing_is_left_of_what_fails_in_the_block(
    tmp_path: Path, suffix: str, normalize: Any, problem: BaseException
) -> None:
    paths = two(tmp_path, suffix)
    before = paths["old"].read_bytes()
    outputs = open_outputs(paths, RATE, {"old": 2, "new": 1}, normalize=normalize)

    def fail() -> None:
        with outputs as opened:
            opened.write({"old": noise(2), "new": noise(1)})
            raise problem

    with pytest.raises(DJGraphError if isinstance(problem, OSError) else type(problem)):
        fail()
    assert os.listdir(tmp_path) == [paths["old"].name]
    assert paths["old"].read_bytes() == before


@pytest.mark.parametrize("normalize", [None, "each"])
@pytest.mark.parametrize("problem", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, normalize: Any, problem: BaseException
) -> None:
    paths = two(tmp_path)
    before, original, calls = paths["old"].read_bytes(), Sink._do, 0

    def failing(self: Sink, method: Any, *args: Any) -> Any:
        nonlocal calls
        if method == self._file.write:
            calls += 1
            if calls > 5:

                def method(*args: object) -> None:
                    raise problem

        return original(self, method, *args)

    monkeypatch.setattr(Sink, "_do", failing)
    with pytest.raises(
        KeyboardInterrupt if isinstance(problem, KeyboardInterrupt) else AudioFileError
    ) as caught:
        in_blocks(paths, {"old": noise(2), "new": noise(1)}, [5000], normalize=normalize)
    assert isinstance(problem, KeyboardInterrupt) or "cannot be written: No space left" in str(caught.value)
    assert os.listdir(tmp_path) == ["old.flac"]
    assert paths["old"].read_bytes() == before


def test_a_full_disk_for_what_is_kept_to_be_scaled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, content: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Full())
    with pytest.raises(AudioFileError, match=r"old\.flac: cannot be written: No space left on device"):
        in_blocks(two(tmp_path), {"old": noise(2), "new": noise(1)}, [5000], normalize="each")
    assert os.listdir(tmp_path) == ["old.flac"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "normalize"), [("mix.flac", "None"), ("mix.mp3", "None"), ("mix.flac", "'each'")]
)
@pytest.mark.parametrize(("kind", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_signal_while_blocks_are_written(
    tmp_path: Path, name: str, normalize: str, kind: int, code: int
) -> None:
    (tmp_path / name).write_bytes(b"old")
    script = f"""
import sys, torch
from djgraph.audio import open_outputs
try:
    with open_outputs({{"mix": {os.fspath(tmp_path / name)!r}}}, 44100, {{"mix": 2}}, normalize={normalize}) as outputs:
        for number in range(10**6):
            outputs.write({{"mix": torch.rand(2, 20_000) - 0.5}})
            if number == 5:
                print("ready", flush=True)
except KeyboardInterrupt:
    sys.exit(130)
"""
    with interruptible():
        child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(kind)
    child.communicate(timeout=60)
    assert child.returncode == code
    assert (tmp_path / name).read_bytes() == b"old"
    left = [entry for entry in os.listdir(tmp_path) if entry != name]
    assert left == ([] if kind == signal.SIGINT else [f".{name}.part"])
    write(tmp_path / name, torch.zeros(1, 10), RATE)  # takes away what the kill has left
    assert os.listdir(tmp_path) == [name]


# -- what is refused ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (torch.zeros(3, 5), r"a block is \[2, samples\], not \[3, 5\]"),
        (torch.zeros(5), r"not \[5\]"),
        (torch.zeros(2, 5, dtype=torch.int16), "tensor of floats, not int16"),
        ([[0.0]], "tensor of floats, not list"),
        (None, "tensor of floats, not NoneType"),
    ],
)
def test_blocks_that_are_none(tmp_path: Path, block: Any, message: str) -> None:
    with (
        pytest.raises(InputError, match=message),
        open_outputs({"mix": tmp_path / "a.wav"}, RATE, {"mix": 2}) as out,
    ):
        out.write({"mix": block})
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("normalize", [None, "each"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e300])
def test_values_that_are_none(tmp_path: Path, normalize: Any, value: float) -> None:
    audio = noise(2).double()
    audio[1, 100_000] = value
    with pytest.raises(AudioFileError, match="NaN or infinity, 1 samples, first at sample 100000"):
        in_blocks({"mix": tmp_path / "a.wav"}, {"mix": audio}, [999], normalize=normalize)
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.flac"
    for paths, channels, options, message in (
        ({}, {}, {}, "no files to write"),
        ({"mix": path}, {}, {}, "channels of the output 'mix' is missing"),
        ({"mix": path}, {"mix": 9}, {}, "FLAC is written with 1 to 8 channels"),
        ({"mix": path}, {"mix": 2}, {"subtype": "FLOAT"}, "no subtype"),
        ({"mix": path}, {"mix": 2}, {"normalize": "all"}, "normalize is 'all'"),
        ({"mix": path}, {"mix": 2}, {"peak": float("nan")}, "peak is nan"),
        ({"mix": path}, {"mix": 2}, {"samples": -1}, "samples is -1"),
        ({"mix": path, "cue": path}, {"mix": 2, "cue": 2}, {}, "two of the files to write have this name"),
        ({"mix": 3}, {"mix": 2}, {}, "named by a str or a path"),
        (
            {"mix": path, "cue": tmp_path / "no" / "b.wav"},
            {"mix": 2, "cue": 2},
            {},
            "the folder .* does not exist",
        ),
        ({"mix": tmp_path / "a.xyz"}, {"mix": 2}, {}, "names no format"),
    ):
        with pytest.raises(DJGraphError, match=message), open_outputs(paths, RATE, channels, **options):  # type: ignore[arg-type]
            pass
    for signals, message in (
        ({"mix": noise()}, "the output 'cue' is missing; a block has all outputs: mix, cue"),
        ({"mix": noise(), "cuee": noise()}, "no file is open for the output 'cuee'; did you mean 'cue'"),
        ({"mix": torch.zeros(2, 0), "cue": torch.zeros(2, 0)}, "there is no audio to write"),
    ):
        paths = {"mix": path, "cue": tmp_path / "b.flac"}
        with (
            pytest.raises(DJGraphError, match=message),
            open_outputs(paths, RATE, {"mix": 2, "cue": 2}) as outputs,
        ):
            outputs.write(signals)  # type: ignore[arg-type]
    with pytest.raises(AudioFileError, match="no audio"), open_outputs({"mix": path}, RATE, {"mix": 1}):
        pass
    assert os.listdir(tmp_path) == []
