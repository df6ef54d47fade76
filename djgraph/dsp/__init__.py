"""Signal processing as functions of tensors; the kernels that are public, for authors of effects, are named here."""

from djgraph.dsp.allpass_chain import allpass_chain
from djgraph.dsp.allpass_loop import allpass_loop
from djgraph.dsp.antialiased import antialiased
from djgraph.dsp.bands import two_bands, two_bands_response
from djgraph.dsp.biquads import biquads
from djgraph.dsp.chain import LinkKernel, scale_link
from djgraph.dsp.compressor import compress
from djgraph.dsp.delay_loop import delay_loop
from djgraph.dsp.delays import delay_history, read_delay, read_tap
from djgraph.dsp.derivatives import Operation
from djgraph.dsp.fdn import fdn
from djgraph.dsp.first_order import first_order
from djgraph.dsp.follower import follow
from djgraph.dsp.frames import Curve, Frames, steady
from djgraph.dsp.gating import gate
from djgraph.dsp.hysteresis import hysteresis
from djgraph.dsp.levels import amplitude, bend, decibels
from djgraph.dsp.limiter import limit, limit_states
from djgraph.dsp.linkwitz_riley import linkwitz_riley
from djgraph.dsp.loudness import k_weighting
from djgraph.dsp.material import material_reach, read_material
from djgraph.dsp.matrix_recursion import matrix_recursion
from djgraph.dsp.operators import as_operator, operator
from djgraph.dsp.oversampling import decimate, oversample
from djgraph.dsp.phase import cycles, phase
from djgraph.dsp.positions import positions, warp_positions
from djgraph.dsp.safe import safe_divide, safe_log10, safe_sqrt
from djgraph.dsp.sliding import sliding_max, sliding_mean
from djgraph.dsp.state_variable import svf, svf_response
from djgraph.dsp.stretch import Cut, stretch
from djgraph.dsp.stretching import Stretcher
from djgraph.dsp.svf_series import Section, svf_series
from djgraph.dsp.sweep import sweep, sweep_link
from djgraph.dsp.swing import allpass_sweep, swing
from djgraph.dsp.three_bands import three_bands, three_bands_link
from djgraph.dsp.true_peak import true_peak
from djgraph.dsp.voices import swinging_voices

__all__ = [
    "Curve",
    "Cut",
    "Frames",
    "LinkKernel",
    "Operation",
    "Section",
    "Stretcher",
    "allpass_chain",
    "allpass_loop",
    "allpass_sweep",
    "amplitude",
    "antialiased",
    "as_operator",
    "bend",
    "biquads",
    "compress",
    "cycles",
    "decibels",
    "decimate",
    "delay_history",
    "delay_loop",
    "fdn",
    "first_order",
    "follow",
    "gate",
    "hysteresis",
    "k_weighting",
    "limit",
    "limit_states",
    "linkwitz_riley",
    "material_reach",
    "matrix_recursion",
    "operator",
    "oversample",
    "phase",
    "positions",
    "read_delay",
    "read_material",
    "read_tap",
    "safe_divide",
    "safe_log10",
    "safe_sqrt",
    "scale_link",
    "sliding_max",
    "sliding_mean",
    "steady",
    "stretch",
    "svf",
    "svf_response",
    "svf_series",
    "sweep",
    "sweep_link",
    "swing",
    "swinging_voices",
    "three_bands",
    "three_bands_link",
    "true_peak",
    "two_bands",
    "two_bands_response",
    "warp_positions",
]
