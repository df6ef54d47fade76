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

from djgraph.effects.checks import any_effect, domain, gradients, late
from djgraph.effects.checks.bench import Bench, CheckFailed, CheckSkipped
from djgraph.effects.contract import Effect, Environment, SpectralEffect
from djgraph.errors import EffectError, did_you_mean

__all__ = [
    "CheckFailed",
    "CheckReport",
    "CheckSkipped",
    "check_effect",
    "effect_checks",
    "parametrize_with_checks",
]

Check = Callable[[Bench], None]

EVERY: tuple[Check, ...] = (
    any_effect.check_declaration,
    any_effect.check_settings,
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
    gradients.check_finite_output,
    gradients.check_finite_gradients,
    gradients.check_gradients,
    gradients.check_gradients_at_range_ends,
    domain.check_latency_and_tail,
)
TIME: tuple[Check, ...] = (
    domain.check_state,
    domain.check_streaming,
    domain.check_streaming_gradients,
    late.check_late_in_time,
    late.check_drift,
    domain.check_memoryless,
    domain.check_magnitude,
)
SPECTRAL: tuple[Check, ...] = (
    domain.check_mask_range,
    domain.check_mask_frames,
    domain.check_causal_twin,
)

Subject = type[Effect] | tuple[type[Effect], BaseModel | Mapping[str, Any]]


@dataclass(frozen=True)
class CheckReport:
    """Which checks an effect passed, and which did not apply to it, with the reason."""

    effect: str
    passed: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.effect}: {len(self.passed)} checks passed, {len(self.skipped)} do not apply"]
        lines += [f"  {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join(lines)


def effect_checks(
    effect_class: type[Effect],
    settings: BaseModel | Mapping[str, Any] | None = None,
    environment: Environment | None = None,
) -> Iterator[tuple[str, Callable[[], None]]]:
    """The checks that apply to an effect's domain: ``(name, function without arguments)``.

    A function raises CheckFailed where the effect breaks its promise (or whatever the effect itself raises),
    and CheckSkipped where the promise does not concern it.

    settings: the defaults where left out. environment: 44.1 kHz and the default transform where left out.
    """
    bench = Bench(effect_class, settings, environment)
    for check in EVERY + (SPECTRAL if issubclass(effect_class, SpectralEffect) else TIME):
        yield check.__name__, partial(check, bench)


def check_effect(
    effect_class: type[Effect],
    settings: BaseModel | Mapping[str, Any] | None = None,
    environment: Environment | None = None,
) -> CheckReport:
    """Run every check; raises CheckFailed that lists all that failed."""
    passed, skipped, failed = [], {}, {}
    for name, check in effect_checks(effect_class, settings, environment):
        try:
            check()
        except CheckSkipped as reason:
            skipped[name] = str(reason)
        except Exception as raised:  # an effect that is wrong may raise anything
            failed[name] = raised
        else:
            passed.append(name)
    title = f"{effect_class.__module__}.{effect_class.__qualname__}"
    if failed:
        lines = [
            f"{title} breaks the effect contract, {len(failed)} of {len(failed) + len(passed)} checks failed:"
        ]
        for name, error in failed.items():
            kind = "" if isinstance(error, CheckFailed) else f"{type(error).__name__}: "
            lines.append(f"  {name}: {kind}{error}")
        raise CheckFailed("\n".join(lines)) from next(iter(failed.values()))
    return CheckReport(title, tuple(passed), skipped)


def parametrize_with_checks(
    effects: Sequence[Subject],
    expected_failures: Mapping[type[Effect], Mapping[str, str]] | None = None,
    environment: Environment | None = None,
) -> Any:
    """A pytest decorator: one test for each effect and check, for a test function of one argument ``check``.

    effects: classes, or pairs of a class and settings for it.
    expected_failures: for a class, check names with the reason why the effect may break that promise. Such a
    test is reported as an expected failure, and fails once the check passes.
    Checks that do not apply are reported as skipped, with the reason. Raises EffectError where
    ``expected_failures`` names an effect or a check that is not there.
    """
    import pytest

    excuses = {cls: dict(reasons) for cls, reasons in (expected_failures or {}).items()}
    parameters = []
    seen: dict[type[Effect], set[str]] = {}
    for subject in effects:
        effect_class, settings = subject if isinstance(subject, tuple) else (subject, None)
        again = sum(1 for other in effects[: effects.index(subject)] if _class_of(other) is effect_class)
        label = f"{effect_class.type}{again + 1 if again else ''}"
        for name, check in effect_checks(effect_class, settings, environment):
            seen.setdefault(effect_class, set()).add(name)
            reason = excuses.get(effect_class, {}).get(name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            parameters.append(pytest.param(_skipping(check), id=f"{label}-{name}", marks=marks))
    for effect_class, reasons in excuses.items():
        if effect_class not in seen:
            raise EffectError(
                f"expected_failures names {effect_class.__qualname__}, which is not among the effects"
            )
        for name in reasons:
            if name not in seen[effect_class]:
                raise EffectError(
                    f"expected_failures: no check {name!r}{did_you_mean(name, sorted(seen[effect_class]))}"
                )
    return pytest.mark.parametrize("check", parameters)


def _class_of(subject: Subject) -> type[Effect]:
    return subject[0] if isinstance(subject, tuple) else subject


def _skipping(check: Callable[[], None]) -> Callable[[], None]:
    import pytest

    @wraps(check.func if isinstance(check, partial) else check)
    def run() -> None:
        try:
            check()
        except CheckSkipped as reason:
            pytest.skip(str(reason))

    return run
