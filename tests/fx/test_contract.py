"""All built-in effects: registration, and the conformance kit with default and with other settings."""

import djgraph_fx
import pluggy
import pytest
import torch
from djgraph_fx import (
    Allpass,
    Balance,
    Brake,
    Chorus,
    Compressor,
    Convolve,
    Crossover2,
    Crossover3,
    Crossover4,
    Crush,
    Deck,
    DeEsser,
    Delay,
    DelayBeats,
    DelaySamples,
    Downmix,
    DubEcho,
    Ducker,
    Echo,
    Eq3,
    Expander,
    Fdn,
    Filter,
    FilterKnob,
    Flanger,
    Gain,
    Gate,
    Highpass,
    Isolator,
    Isolator4,
    Ladder,
    Leveler,
    Limiter,
    Looper,
    Lowpass,
    Meter,
    Mono,
    MsJoin,
    MsSplit,
    Multitap,
    Noise,
    Oscillator,
    Pan,
    Peq,
    Phaser,
    Polarity,
    Pump,
    QuadPan,
    Reverb,
    Reverse,
    RingMod,
    Roll,
    Sampler,
    Saturate,
    Shimmer,
    SlipRoll,
    Spinback,
    Spiral,
    Stutter,
    SurroundPan,
    Tilt,
    Trans,
    Transient,
    Tremolo,
    Trim,
    Vibrato,
    Width,
)
from djgraph_fx.eq3 import Eq3Twin
from djgraph_fx.filters import HighpassTwin, LowpassTwin
from effort import spread

from djgraph.audio import SoundFile
from djgraph.effects.checks import parametrize_with_checks
from djgraph.effects.contract import FAMILIES
from djgraph.plugins import hookspecs

EFFECTS = [
    *(Gain, Eq3, Lowpass, Highpass, Reverb, Delay),
    *(Filter, FilterKnob, Compressor),
    *(Trim, Polarity, Balance, Pan, Width, Mono),
    *(Tremolo, Trans, Saturate),
    *(Peq, Tilt, Allpass, Ladder),
    *(Crossover2, Crossover3, Crossover4, Isolator, Isolator4),
    *(Crush, Deck, Sampler, Oscillator, Looper, Noise),
    *(Limiter, Gate, Expander, Ducker, DeEsser, Transient, Leveler),
    Pump,
    *(Vibrato, Chorus, Flanger, Phaser, RingMod, DelaySamples, DelayBeats),
    *(Echo, Multitap),
    *(Roll, SlipRoll, Stutter),
    Fdn,
    *(Reverse, Brake, Spinback),
    Convolve,
    *(Meter, MsSplit, MsJoin),
    *(DubEcho, Spiral),
    Shimmer,
    *(QuadPan, SurroundPan, Downmix),
]
SPLITTERS = (Crossover2, Crossover3, Crossover4)
"""They have outputs in place of a neutral value."""
WIDTHS = (QuadPan, SurroundPan, Downmix)
"""They give other channels than they get, so that nothing leaves the signal as it is."""

COSTLY = (
    "check_drift",
    "check_finite_gradients",
    "check_gradients",
    "check_finite_output",
    "check_streaming",
    "check_identity_at_neutral",
    "check_gradients_at_range_ends",
    "check_magnitude",
    "check_long_stream",
    "check_stability",
    "check_sample_rates",
)
CHEAPER = (
    "check_streaming_gradients",
    "check_batch_independence",
    "check_device",
    "check_host_synchronisation",
    "check_copies",
    "check_determinism",
    "check_dtype",
    "check_late_in_time",
    "check_global_random_state",
    "check_inputs_unchanged",
    "check_latency_and_tail",
    "check_state",
    "check_operations",
    "check_channels",
)


def test_the_public_hook_hands_over_all():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(djgraph_fx)
    (given,) = manager.hook.djgraph_effects()
    assert list(given) == EFFECTS


@pytest.mark.parametrize("effect", [effect for effect in EFFECTS if effect not in (*SPLITTERS, *WIDTHS)])
def test_defaults_are_neutral(effect):
    assert all(control.default == control.neutral for control in effect.controls)


@pytest.mark.parametrize("effect", EFFECTS)
def test_everything_is_described(effect):
    assert effect.description
    assert effect.family in FAMILIES[:-1]
    assert all(control.description for control in effect.controls)
    assert all(field.description for field in effect.Settings.model_fields.values())


SOUND = SoundFile("made.wav", 22050, torch.linspace(1, -0.5, 1400).view(2, 700))

LOCKED = dict.fromkeys(
    ("check_gradients", "check_gradients_at_range_ends"), "key lock: the gradient is a declared surrogate"
)

CHECKS = parametrize_with_checks(
    [
        *(effect for effect in EFFECTS if effect not in (Reverb, Convolve)),
        (Reverb, Reverb.Settings(decay_time=0.1)),
        (Convolve, Convolve.Settings(file=SOUND, pre_delay=3)),
        (Tremolo, Tremolo.Settings(sync="beats", spread=0.5)),
        (Deck, Deck.Settings(sync="bar")),
        (Deck, Deck.Settings(key_lock=True), LOCKED),
        (Deck, Deck.Settings(key_lock=True, sync="beat"), LOCKED),
        (Sampler, Sampler.Settings(mode="gate")),
        *((Oscillator, Oscillator.Settings(wave=wave)) for wave in ("triangle", "saw", "square")),
        (Looper, Looper.Settings(beats=0.25)),
        *(LowpassTwin, HighpassTwin, Eq3Twin),
        (Flanger, Flanger.Settings(sync="beats", spread=0.5)),
        (Phaser, Phaser.Settings(feedback=-0.9, stages=3)),
        (DelaySamples, DelaySamples.Settings(samples=700)),
        (Multitap, Multitap.Settings(sync="beats", times=(0.25, 0.75), levels=(0.5, -0.5), longest=1)),
    ],
    expected_failures={
        Crush: {"check_gradients": "rounding: the gradient of the input is a stand-in"},
    },
)


SHARES = dict.fromkeys(COSTLY, 18) | dict.fromkeys(CHEAPER, 12)


@spread(CHECKS, SHARES)
def test_contract(check):
    check()


@spread(parametrize_with_checks([(Echo, Echo.Settings(sync="beats", mode="ping_pong", fade=5))]), SHARES)
def test_contract_of_an_echo_in_beats(check):
    check()


@pytest.mark.slow
@parametrize_with_checks(
    [
        (Eq3, Eq3.Settings(low=150, high=9000, order=12)),
        (Lowpass, Lowpass.Settings(order=12)),
        (Highpass, Highpass.Settings(order=1)),
        *((twin, twin.Settings(order=2)) for twin in (LowpassTwin, HighpassTwin, Eq3Twin)),
        (Reverb, Reverb.Settings(decay_time=0.03, damping=0, pre_delay=0, seed=3)),
        (Delay, Delay.Settings(time=1, max_feedback=0)),
        (DelayBeats, DelayBeats.Settings(beats=0.05)),
        *((Filter, Filter.Settings(kind=kind)) for kind in ("highpass", "bandpass", "notch")),
        (FilterKnob, FilterKnob.Settings(lowest=300, highest=3000)),
        (Compressor, Compressor.Settings(detector="rms")),
        (Compressor, Compressor.Settings(linked=False)),
        (Limiter, Limiter.Settings(true_peak=True)),
        (Limiter, Limiter.Settings(lookahead=0, linked=False)),
        (Tremolo, Tremolo.Settings(shape="triangle", spread=1)),
        (Trans, Trans.Settings(edge=50)),
        (Echo, Echo.Settings(change="tape")),
        (Vibrato, Vibrato.Settings(sync="beats", shape="triangle", spread=0.5)),
        (Chorus, Chorus.Settings(sync="beats", voices=1)),
        (Phaser, Phaser.Settings(sync="beats", stages=12, spread=0.5)),
        (Saturate, Saturate.Settings(kind="cubic")),
        (Saturate, Saturate.Settings(kind="hard")),
        (Saturate, Saturate.Settings(kind="fold")),
        (Saturate, Saturate.Settings(oversampling=4)),
        (Peq, Peq.Settings(low="bell", high="bell", slope=24)),
        (Allpass, Allpass.Settings(order=1, stages=4)),
        (Ladder, Ladder.Settings(kind="highpass", level=True)),
        (Crossover3, Crossover3.Settings(order=2)),
        (Crossover4, Crossover4.Settings(order=2)),
        (Isolator, Isolator.Settings(profile="mixxx", order=2)),
        (Noise, Noise.Settings(kind="white", mono=True)),
        (Fdn, Fdn.Settings(size=5, lines=16)),
        (Shimmer, Shimmer.Settings(size=5, window=40, interval=-12)),
        Convolve,
        (Convolve, Convolve.Settings(file=SOUND, level="file")),
    ]
)
def test_contract_with_other_settings(check):
    check()
