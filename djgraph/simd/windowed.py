"""The windowed transform of a vector's frames and its inverse: rows, windows, Fourier transform, overlap-add."""

from __future__ import annotations

from djgraph.simd import fft, rows
from djgraph.simd.jit import part


@part
def analyse(slots, at, room, tiling, frames, tables, audio, s):
    """Windowed frames of source ``s``, transformed, into the slot that begins at ``at``; ``room``: a signal's rows."""
    rows.read(room, tiling, frames, audio, s)
    window = audio.windows[audio.sources[s, rows.WINDOW]]
    rows.to_frames(room.re, window, slots.re, at, tiling, frames.valid)
    rows.to_frames(room.im, window, slots.im, at, tiling, frames.valid)
    fft.forward(slots, at, tiling.size, tiling.lanes, tables)


@part
def synthesise(slots, at, kept, tiling, frames, tables, audio, t):
    """A slot, transformed back, windowed, overlapped and added, to target ``t``; the slot's content is lost.

    ``kept`` are the target's own rows: what later frames add to stays in them.
    """
    fft.backward(slots, at, tiling.size, tiling.lanes, tables)
    window = audio.windows[audio.targets[t, rows.TO_WINDOW]]
    rows.from_frames(slots.re, at, window, kept.re, tiling)
    rows.from_frames(slots.im, at, window, kept.im, tiling)
    done = rows.covered_by(tiling, frames) if frames.ends else frames.valid * tiling.hop
    rows.write(kept, tiling, frames, done, audio, t, audio.targets[t, rows.FOLDED] != 0)
    rows.move_up(kept.re, tiling, frames.valid)
    rows.move_up(kept.im, tiling, frames.valid)
