"""torchaudio's filters and effects as effects of djgraph: ``torchaudio_lowpass_biquad``, ``torchaudio_overdrive``, ….

Streams equal whole clips, and gradients are exact, also where torchaudio's own functions have none. What of torchaudio
cannot keep djgraph's contract is not here; the README lists it, with the reason.
"""

from __future__ import annotations

from djgraph.effects import Effect
from djgraph.plugins import hookimpl
from djgraph_torchaudio.biquads import BIQUADS
from djgraph_torchaudio.emphasis import Deemphasis, LFilter, Preemphasis
from djgraph_torchaudio.shaping import SHAPERS

EFFECTS: tuple[type[Effect], ...] = (*BIQUADS, Preemphasis, Deemphasis, LFilter, *SHAPERS)
"""All effects, in the order of the README."""

__all__ = ["EFFECTS", "djgraph_effects"]


@hookimpl
def djgraph_effects() -> list[type[Effect]]:
    """The effects; graph files call them by their ``type``."""
    return list(EFFECTS)
