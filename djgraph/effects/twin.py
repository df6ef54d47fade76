"""Causal twins: time effects that take the place of spectral ones under the causal lowering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, cast

from pydantic import BaseModel, create_model

from djgraph.effects.contract import AtNeutral, Environment, SpectralEffect, TimeEffect
from djgraph.effects.control import Control, ControlModel, collect_controls
from djgraph.errors import EffectError

SMOOTHING = 5.0
"""Width in ms of the box that rounds a twin's controls, as it does those of other time effects."""

_OWN = ("rate", "smoothing", "neutral", "label", "description", "aliases", "gradient")
"""What a twin may declare of a control for itself."""


class CausalTwin(TimeEffect):
    """Base of causal twins: ``class LowpassTwin(CausalTwin, of=Lowpass)`` declares one.

    A twin has the magnitude response of its spectral effect, ``of``, for all settings that have a twin and all values
    of the controls; phases are its own. It is a time effect, so it needs no look-ahead of half a window. It is not
    registered and has no name in graph files: ``djgraph.compile(graph, lowering="causal")`` puts it in the place of
    its spectral effect, and so layouts, automation files and checkpoints are the same. A subclass has ``process`` and
    whatever else a time effect has.

    Settings, ports and controls are those of ``of``. Controls that it reads per frame are read per sample here, with
    5 ms of smoothing unless they have a grid: a time effect with controls per frame would have to wait for whole hops.
    At neutral a twin is an all-pass; one whose output is its input there says ``at_neutral = "identity"``. A twin may
    also declare ``Controls`` of its own, with other rates and smoothing.

    Raises EffectError for an ``of`` that is no spectral effect, or has a twin already, and for controls or ports of its
    own that differ from those of ``of``.
    """

    type: ClassVar[str]
    at_neutral: ClassVar[AtNeutral] = "allpass"

    def __init_subclass__(cls, *, of: Any = None, **kwargs: Any) -> None:
        name = f"{cls.__module__}.{cls.__qualname__}"
        if of is None:  # a base that several twins share
            super().__init_subclass__(**kwargs)
            return
        if not (isinstance(of, type) and issubclass(of, SpectralEffect) and isinstance(of.type, str)):
            raise EffectError(f"{name}: of={of!r} is no spectral effect with a type; twins are of those")
        if of.causal_twin is not None:
            raise EffectError(
                f"{name}: {of.__qualname__} has a causal twin already, {of.causal_twin.__qualname__}"
            )
        own = vars(cls)
        cls.type = own.get("type", f"{of.type}_causal")
        cls.description = own.get("description", f"Causal twin of {of.type}")
        cls.Settings = of.Settings
        for ports in ("inputs", "outputs"):
            if getattr(cls, ports) != getattr(of, ports) and ports in own:
                raise EffectError(f"{name}: {ports} {getattr(cls, ports)} are not those of {of.__qualname__}")
            setattr(cls, ports, getattr(of, ports))
        if "Controls" in own:
            _check_controls(name, of.__qualname__, collect_controls(name, cls.Controls), of.controls)
        else:
            cls.Controls = _read_per_sample(of.controls)
        super().__init_subclass__(**kwargs)
        of.causal_twin = cls

    @classmethod
    def fault(cls, settings: BaseModel, environment: Environment) -> str | None:
        """Why there is no twin for these settings of its spectral effect, and what is near; None where there is."""
        return None


def twin_of(effect: type[SpectralEffect]) -> type[CausalTwin] | None:
    """The causal twin that was declared for a spectral effect."""
    return cast("type[CausalTwin] | None", effect.causal_twin)


def _read_per_sample(controls: Sequence[Control]) -> type[ControlModel]:
    """A model of the same controls, read at every sample instead of every frame."""
    fields: dict[str, Any] = {}
    for control in controls:
        read = control
        if control.rate == "frame":
            read = read.replace(rate="sample", smoothing=0.0 if control.held else SMOOTHING)
        fields[control.id] = (Annotated[float, read], control.default)
    return create_model("TwinControls", __base__=ControlModel, **fields)


def _check_controls(name: str, of: str, own: Sequence[Control], controls: Sequence[Control]) -> None:
    """Raises EffectError where a twin's own controls differ from those of its effect, ``of``, in what users see."""
    ids, theirs = [control.id for control in own], [control.id for control in controls]
    if ids != theirs:
        raise EffectError(
            f"{name}: controls {', '.join(ids) or 'none'} are not those of {of}:"
            f" {', '.join(theirs) or 'none'}"
        )
    for mine, declared in zip(own, controls):
        same = {key: getattr(declared, key) for key in _OWN}
        if mine.replace(**same) != declared:
            raise EffectError(
                f"{name}: control {mine.id} differs from that of {of} in more than {', '.join(_OWN)}"
            )
