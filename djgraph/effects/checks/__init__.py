"""The conformance kit for effect authors: small, named checks that hold an effect to its contract.

In a plugin's tests::

    from djgraph.effects.checks import parametrize_with_checks

    @parametrize_with_checks([MyEffect])
    def test_contract(check):
        check()

Or in a notebook: ``print(check_effect(MyEffect))``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial, wraps
from typing import Any

from pydantic import BaseModel

from djgraph.effects.checks import (
    any_effect,
    declaration,
    domain,
    ending,
    gradients,
    holding,
    late,
    meets,
    operations,
    rest,
)
from djgraph.effects.checks.bench import Bench, CheckFailed, CheckInconclusive, CheckSkipped, CheckSlow
from djgraph.effects.checks.outcome import Outcome, outcome_of
from djgraph.effects.checks.report import Fault, faults
from djgraph.effects.contract import Effect, Environment, SpectralEffect
from djgraph.effects.source import SourceEffect
from djgraph.errors import EffectError, did_you_mean

__all__ = [
    "CheckFailed",
    "CheckInconclusive",
    "CheckReport",
    "CheckSkipped",
    "CheckSlow",
    "Fault",
    "Outcome",
    "check_effect",
    "effect_checks",
    "faults",
    "outcome_of",
    "parametrize_with_checks",
]

Check = Callable[[Bench], None]

EVERY: tuple[Check, ...] = (
    declaration.check_declaration,
    declaration.check_settings,
    any_effect.check_output_shape,
    any_effect.check_short_signals,
    any_effect.check_dtype,
    any_effect.check_identity_at_neutral,
    any_effect.check_batch_independence,
    any_effect.check_inputs_unchanged,
    any_effect.check_determinism,
    any_effect.check_global_random_state,
    any_effect.check_copies,
    any_effect.check_device,
    any_effect.check_host_synchronisation,
    operations.check_operations,
    gradients.check_finite_output,
    gradients.check_finite_gradients,
    gradients.check_gradients,
    gradients.check_gradients_at_range_ends,
    ending.check_latency_and_tail,
    meets.check_sample_rates,
)
TIME: tuple[Check, ...] = (
    domain.check_state,
    domain.check_streaming,
    domain.check_streaming_gradients,
    ending.check_lag,
    ending.check_stability,
    meets.check_channels,
    holding.check_held_back,
    rest.check_at_rest,
    rest.check_closed_by,
    late.check_late_in_time,
    late.check_long_stream,
    late.check_drift,
    domain.check_memoryless,
    domain.check_link,
    domain.check_magnitude,
)
SPECTRAL: tuple[Check, ...] = (
    domain.check_mask_range,
    domain.check_mask_frames,
    domain.check_causal_twin,
)

SOURCE: tuple[Check, ...] = (
    any_effect.check_material_at_neutral,
    domain.check_state,
    domain.check_streaming,
    domain.check_streaming_gradients,
)

Reasons = Mapping[str, str]
"""Names of checks, and why an effect may break that promise."""
Subject = (
    type[Effect]
    | tuple[type[Effect], BaseModel | Mapping[str, Any]]
    | tuple[type[Effect], BaseModel | Mapping[str, Any], Reasons]
)


@dataclass(frozen=True)
class CheckReport:
    """Which checks an effect passed; which did not apply to it and which could not be done here, with the reasons."""

    effect: str
    passed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    unchecked: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        parts = [f"{len(self.passed)} checks passed", f"{len(self.skipped)} do not apply"]
        if self.unchecked:
            parts.append(f"{len(self.unchecked)} could not be checked")
        lines = [f"{self.effect}: {', '.join(parts)}"]
        lines += [f"  {name}: {reason}" for name, reason in self.skipped.items()]
        lines += [f"  {name}: could not be checked: {reason}" for name, reason in self.unchecked.items()]
        return "\n".join(lines)


def effect_checks(
    effect_class: type[Effect],
    settings: BaseModel | Mapping[str, Any] | None = None,
    environment: Environment | None = None,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks that apply to an effect's domain: ``(name, function without arguments)``.

    A function raises CheckFailed where the effect breaks its promise (or whatever the effect itself raises),
    CheckSlow, which is one, where it keeps it far too slowly, CheckSkipped where the promise does not concern it, and
    CheckInconclusive where nobody can say here. :func:`outcome_of` runs one and says which.

    settings: the defaults where left out. environment: 44.1 kHz and the default transform where left out.
    """
    bench = Bench(effect_class, settings, environment)
    own = TIME
    if issubclass(effect_class, SpectralEffect | SourceEffect):
        own = SPECTRAL if issubclass(effect_class, SpectralEffect) else SOURCE
    for check in EVERY + own:
        yield check.__name__, partial(check, bench)


def check_effect(
    effect_class: type[Effect],
    settings: BaseModel | Mapping[str, Any] | None = None,
    environment: Environment | None = None,
) -> CheckReport:
    """Run every check; raises CheckFailed that lists all that failed."""
    outcomes = [outcome_of(name, check) for name, check in effect_checks(effect_class, settings, environment)]
    passed = tuple(one.check for one in outcomes if one.result == "passed")
    failed = [one for one in outcomes if one.broken]
    title = f"{effect_class.__module__}.{effect_class.__qualname__}"
    if failed:
        told = len(failed) + len(passed)
        lines = [f"{title} breaks the effect contract, {len(failed)} of {told} checks failed:"]
        shared = faults(effect_class, failed)
        for fault in shared:
            lines += [f"  {line}" for line in fault.told(told)] + [f"    {', '.join(fault.checks)}"]
        apart = {check for fault in shared for check in fault.checks}
        for one in failed:
            if one.check not in apart:
                lines.append(f"  {one.check}: {'slow: ' * (one.result == 'slow')}{one.why}")
        raise CheckFailed("\n".join(lines)) from failed[0].error
    skipped, unchecked = (
        {one.check: one.why for one in outcomes if one.result == result}
        for result in ("skipped", "unchecked")
    )
    return CheckReport(title, passed, skipped, unchecked)


def parametrize_with_checks(
    effects: Sequence[Subject],
    expected_failures: Mapping[type[Effect], Reasons] | None = None,
    environment: Environment | None = None,
) -> Any:
    """A pytest decorator: one test for each effect and check, for a test function of one argument ``check``.

    effects: classes, or pairs of a class and settings for it; a third member names checks that the effect may break
    with these settings, ``(Crusher, {"bits": 4}, {"check_gradients": "reason"})``.
    expected_failures: for a class, check names with the reason why the effect may break that promise, whatever its
    settings. Such a test is reported as an expected failure, and fails once the check passes.
    Checks that do not apply, or that could not be done, are reported as skipped, with the reason. Raises EffectError
    where an effect or a check is named that is not there.
    """
    import pytest

    excuses = {cls: dict(reasons) for cls, reasons in (expected_failures or {}).items()}
    parameters = []
    counted: dict[type[Effect], int] = {}
    for subject in effects:
        effect_class, settings, own = _parts(subject)
        again = counted[effect_class] = counted.get(effect_class, 0) + 1
        label = f"{effect_class.type}{again if again > 1 else ''}"
        checks = dict(effect_checks(effect_class, settings, environment))
        reasons = excuses.get(effect_class, {}) | dict(own)
        for name in reasons:
            if name not in checks:
                raise EffectError(f"expected_failures: no check {name!r}{did_you_mean(name, sorted(checks))}")
        for name, check in checks.items():
            marks = [pytest.mark.xfail(reason=reasons[name], strict=True)] if name in reasons else []
            parameters.append(pytest.param(_skipping(check), id=f"{label}-{name}", marks=marks))
    for effect_class in excuses:
        if effect_class not in counted:
            raise EffectError(
                f"expected_failures names {effect_class.__qualname__}, which is not among the effects"
            )
    return pytest.mark.parametrize("check", parameters)


def _parts(subject: Subject) -> tuple[type[Effect], BaseModel | Mapping[str, Any] | None, Reasons]:
    """Class, settings and expected failures."""
    if not isinstance(subject, tuple):
        return subject, None, {}
    return (*subject, {}) if len(subject) == 2 else subject


def _skipping(check: Callable[[], None]) -> Callable[[], None]:
    import pytest

    @wraps(check.func if isinstance(check, partial) else check)
    def run() -> None:
        try:
            check()
        except CheckSkipped as reason:
            pytest.skip(str(reason))
        except CheckInconclusive as reason:
            pytest.skip(f"could not be checked: {reason}")

    return run
