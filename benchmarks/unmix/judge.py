"""One case: fit, compare with the known controls and with the baselines."""

from __future__ import annotations

import math
import time
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

import djgraph
from benchmarks.unmix.baselines import frame_gains, linear_crossfade
from benchmarks.unmix.cases import RATE, Case, Tracks, mix
from benchmarks.unmix.coverage import coverage
from benchmarks.unmix.degrade import degrade
from djgraph.fitting import FitResult
from djgraph.metrics import si_sdr

OCTAVES = math.log2(1000)
"""Octaves that a filter's control travels, 20 Hz to 20 kHz."""
KINDS = {"gain": ("gain",), "eq": ("eq_low", "eq_mid", "eq_high"), "cutoff": ("lpf", "hpf")}


def judge(
    mixer: djgraph.Mixer, case: Case, stems: Tracks, codec: str | None
) -> tuple[dict[str, Any], FitResult]:
    """Figures of one case, as plain data; ``codec`` for a degraded target."""
    clean = mix(mixer, stems, case.params)
    target, rate, kbits = (clean, RATE, None) if codec is None else degrade(clean, RATE, codec)
    began = time.perf_counter()
    result = djgraph.fit(mixer, stems, target, target_rate=rate, truth=case.params)
    seconds = time.perf_counter() - began
    report = result.report
    row: dict[str, Any] = {
        "case": case.name,
        "tracks": case.tracks,
        "codec": codec,
        "kbits": kbits,
        "fit_seconds": round(seconds, 1),
        "si_sdr_db": report["si_sdr_db"],
        "si_sdr_to_clean_db": float(si_sdr(result.mix, clean)),
        "delay_ms": report["delay_ms"],
        "level_db": report["level_db"],
        **errors(mixer.layout, report, case.params),
        "heard": report["heard_error"]["mean"],
        "coverage": coverage(result, case.params),
    }
    fade, shares = linear_crossfade(stems, clean)
    mixed, gains = frame_gains(stems, clean)
    by_stem = shares.repeat_interleave(len(gains) // 2, 0)
    row["baselines"] = {
        "linear_crossfade": {
            "si_sdr_db": float(si_sdr(fade, clean)),
            "gain": gain_error(result, case.params, by_stem),
        },
        "frame_gains": {
            "si_sdr_db": float(si_sdr(mixed, clean)),
            "gain": gain_error(result, case.params, gains),
        },
    }
    return row, result


def errors(layout: djgraph.ParameterLayout, report: dict[str, Any], truth: Tensor) -> dict[str, Any]:
    """Mean errors of gains, EQ gains and cutoffs (in octaves) where they are audible.

    A strip in which at most one control moves is judged by its controls; one in which several move, by the gain of
    each part of its spectrum (``gain``), since they trade against each other. ``…_all`` takes every control as it is.
    """
    moves = (truth - truth[:1]).abs().amax(0) + (truth[0] - layout.default).abs() > 0.01
    found: dict[str, list[float]] = {key: [] for kind in KINDS for key in (kind, f"{kind}_all")}
    for name, heard in report["heard_error"]["inputs"].items():
        columns = {i: n.rpartition(".")[2] for i, n in enumerate(layout.names) if n.startswith(name + ".")}
        plain = sum(bool(moves[i]) for i in columns) <= 1
        if not plain and heard is not None:
            found["gain"].append(heard)
        for index, last in columns.items():
            error = report["control_error"][layout.names[index]]
            if error is None:
                continue
            for kind, names in KINDS.items():
                if last in names:
                    value = error * OCTAVES if kind == "cutoff" else error
                    found[f"{kind}_all"].append(value)
                    if plain:
                        found[kind].append(value)
    return {key: mean(values) if values else None for key, values in found.items()}


def gain_error(result: FitResult, truth: Tensor, gains: Tensor) -> float:
    """Mean absolute error of a baseline's stem gains ``[stems, frames]`` where the fit says that gains are audible."""
    columns = result.layout.select("*.*.gain")
    audible = result.audible[:, columns].numpy()
    place = np.linspace(0, 1, len(audible))
    total = []
    for row, column in enumerate(columns):
        known = np.interp(place, np.linspace(0, 1, len(truth)), truth[:, column].numpy())
        made = np.interp(place, np.linspace(0, 1, gains.shape[1]), gains[row].numpy())
        total.append(np.abs(known - made)[audible[:, row]])
    return float(np.concatenate(total).mean())


def threads() -> int:
    """Threads that the fit runs on."""
    return torch.get_num_threads()
