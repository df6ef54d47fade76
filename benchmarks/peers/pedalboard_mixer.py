"""Like work for Pedalboard: per stem gain, three EQ bands, low-pass and high-pass; per track reverb and delay.

Pedalboard runs one board on one core and releases the interpreter lock meanwhile, so a pool of threads runs the
eight strips, then the two tracks. Its filters are biquads and first-order filters, its reverb is Freeverb: less
arithmetic than STFTs and a convolution with 1.5 s of noise.
"""

from __future__ import annotations

import math
from multiprocessing.pool import ThreadPool
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.peers import load
from benchmarks.plain import STEMS, TRACKS
from benchmarks.work import SAMPLE_RATE, Inputs

Audio = NDArray[np.float32]


class PedalboardMixer:
    """Mixes with the first frame of params throughout, or in as many blocks as there are frames, a frame for each.

    Raises Unavailable where Pedalboard is not installed.
    """

    def __init__(self, inputs: Inputs, params: Tensor, threads: int, *, automated: bool) -> None:
        self._pb = load("pedalboard")
        self._stems = [inputs[track][stem][0].numpy() for track in TRACKS for stem in STEMS]
        frames = params[0].double().numpy()
        self._frames = frames if automated else frames[:1]
        self._strips = [self._strip() for _ in self._stems]
        self._buses = [
            self._pb.Pedalboard([self._pb.Reverb(), self._pb.Delay(delay_seconds=0.375)]) for _ in TRACKS
        ]
        self._pool = ThreadPool(threads)

    def __call__(self) -> Audio:
        """The mix, ``[2, samples]``."""
        strips = self._pool.map(self._run_strip, range(len(self._stems)), chunksize=1)
        tracks = [np.sum(strips[:4], axis=0), np.sum(strips[4:], axis=0)]
        mixed = self._pool.starmap(self._run_bus, enumerate(tracks), chunksize=1)
        total: Audio = mixed[0] + mixed[1]
        return total

    def close(self) -> None:
        self._pool.terminate()

    def _strip(self) -> Any:
        pb = self._pb
        bands = (pb.LowShelfFilter(300), pb.PeakFilter(1100), pb.HighShelfFilter(4000))
        return pb.Pedalboard([pb.Gain(), *bands, pb.LowpassFilter(), pb.HighpassFilter()])

    def _run_strip(self, index: int) -> Audio:
        board = self._strips[index]
        first = 27 * (index // 4) + 6 * (index % 4)

        def automate(frame: NDArray[np.float64]) -> None:
            levels = frame[first : first + 4]
            for plugin, level in zip(list(board)[:4], levels):
                plugin.gain_db = 20 * math.log10(max(level, 1e-3))
            board[4].cutoff_frequency_hz = 20 * 1000 ** frame[first + 4]
            board[5].cutoff_frequency_hz = 20 * 1000 ** frame[first + 5]

        return self._run(board, self._stems[index], automate)

    def _run_bus(self, index: int, audio: Audio) -> Audio:
        board = self._buses[index]
        first = 27 * index + 24

        def automate(frame: NDArray[np.float64]) -> None:
            reverb, delay = board
            reverb.wet_level, reverb.dry_level = frame[first], 1 - frame[first]
            delay.mix, delay.feedback = frame[first + 1], 0.7 * frame[first + 2]

        return self._run(board, audio, automate)

    def _run(self, board: Any, audio: Audio, automate: Any) -> Audio:
        board.reset()
        if len(self._frames) == 1:
            automate(self._frames[0])
            whole: Audio = board(audio, SAMPLE_RATE, reset=False)
            return whole
        out = np.empty_like(audio)
        edges = np.linspace(0, audio.shape[-1], len(self._frames) + 1).astype(int)
        for frame, start, stop in zip(self._frames, edges, edges[1:]):
            automate(frame)
            out[:, start:stop] = board(audio[:, start:stop], SAMPLE_RATE, reset=False)
        return out
