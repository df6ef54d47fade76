"""The ParameterLayout: names, ranges and units of the columns of ``params``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from djgraph.arguments import several, shown
from djgraph.errors import LayoutError
from djgraph.graph.ir import Column, Graph
from djgraph.layout import compare, export, values
from djgraph.layout.grid import straight_through
from djgraph.layout.names import Names
from djgraph.layout.units import Units, units_of


class ParameterLayout:
    """What each column of ``params`` (``[batch, frames, controls]`` or ``[frames, controls]``) means.

    Immutable and hashable; equal where the columns are equal (the place in a file that a column came from
    does not count). Wherever a name is asked for, an alias (an old name) will do.

    >>> layout = ParameterLayout.from_graph(djgraph.load("dj_mixer"))
    >>> params = layout.pack({"track_a.drums.gain": 0.5}, n_frames=64)      # [64, 54]

    Raises LayoutError where two columns share a name or a declaration is impossible.
    """

    columns: tuple[Column, ...]
    _names: Names
    _units: Units
    _moved_units: dict[tuple[torch.dtype, torch.device], Units]

    def __init__(self, columns: Iterable[Column]) -> None:
        columns = tuple(columns)
        seen: dict[str, int] = {}
        for i, column in enumerate(columns):
            if not column.name:
                raise LayoutError(f"column {i} has no name")
            if column.name in seen:
                raise LayoutError(f"columns {seen[column.name]} and {i} are both called {column.name!r}")
            seen[column.name] = i
            faults = [fault for fault in column.control.faults() if not fault.startswith("id ")]
            if faults:
                raise LayoutError(f"control {column.name!r}: {'; '.join(faults)}")
        self.__dict__["columns"] = columns
        self.__dict__["_names"] = Names(columns)
        self.__dict__["_units"] = units_of([column.control for column in columns])
        self.__dict__["_moved_units"] = {}

    @classmethod
    def from_graph(cls, graph: Graph) -> ParameterLayout:
        """The layout of a graph: its columns in document order."""
        return cls(graph.columns)

    # ── Columns and names ───────────────────────────────────────────────────────────────────────────────────

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return self._names.names

    @property
    def aliases(self) -> tuple[tuple[str, ...], ...]:
        """The full old names of every column."""
        return self._names.aliases

    def __len__(self) -> int:
        return len(self.columns)

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        return self.columns[self.index(name)]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._names.find(name) is not None

    def index(self, name: str) -> int:
        """The column of a control. LayoutError with the nearest name where there is none."""
        return self._names.index(name)

    def instead(self, name: str) -> str | None:
        """Of a control without a column of its own, what moves it, in words; None for other names."""
        return self._names.instead(name)

    def slice(self, prefix: str) -> slice:
        """The columns under a dotted prefix: ``params[..., layout.slice("track_a.drums")]``.

        LayoutError with the nearest prefix where there are none, or where others lie between them.
        """
        return self._names.slice(prefix)

    def select(self, pattern: str | Sequence[str]) -> list[int]:
        """The columns that match a pattern over dotted names, or one of several.

        ``params[..., layout.select("*.*.gain")]``. ``*`` stands for any text between two dots, ``**`` for any number
        of parts (none included). Columns ascend, each once. LayoutError where a pattern matches nothing, for no pattern
        at all, and for what is no text.
        """
        if isinstance(pattern, str):
            return self._names.select(pattern)
        patterns = several(pattern, "pattern", "a pattern of names, or several", LayoutError)
        for one in patterns:
            if not isinstance(one, str):
                raise LayoutError(
                    f"pattern: expected a pattern of names, or several, got {shown(one)} among them"
                )
        if not patterns:
            raise LayoutError("pattern: expected a pattern of names, or several, got none")
        return sorted({column for one in patterns for column in self._names.select(one)})

    def similar_patterns(self, pattern: str) -> list[str]:
        """What may have been meant by a pattern that matches nothing: others, of one word exchanged, that match."""
        return self._names.similar(pattern)

    # ── Ranges ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def default(self) -> Tensor:
        """Default values ``[controls]``, in plain units (as all values are unless a name says ``unit``)."""
        return self._tensor([column.control.default for column in self.columns])

    @property
    def neutral(self) -> Tensor:
        """Neutral values ``[controls]``; the default where a control has no neutral value."""
        return self._tensor(self._neutral)

    @property
    def minimum(self) -> Tensor:
        """Lower ends of the ranges, ``[controls]``."""
        return self._tensor([column.control.min for column in self.columns])

    @property
    def maximum(self) -> Tensor:
        """Upper ends of the ranges, ``[controls]``."""
        return self._tensor([column.control.max for column in self.columns])

    # ── Values by name ──────────────────────────────────────────────────────────────────────────────────────

    def pack(
        self,
        mapping: Mapping[str, values.Value] | None = None,
        n_frames: int | None = None,
        batch: int | None = None,
        dtype: torch.dtype | None = None,
    ) -> Tensor:
        """Params from values by name: ``[frames, controls]``, with a batch ``[batch, frames, controls]``.

        mapping: name → a number (all frames), ``[frames]`` (all batch items) or ``[batch, frames]``;
        sequences, arrays and tensors. Controls that are not named take their default. Gradients flow to
        tensors.
        n_frames, batch: sizes; where left out, taken from the values (1 frame and no batch where none says).
        dtype: where left out, that of the tensors given, or torch's default.
        Raises LayoutError for unknown names, names of the same control and wrong shapes.
        """
        default = torch.tensor([c.control.default for c in self.columns], dtype=torch.float64, device="cpu")
        return values.pack(self._names, default, mapping or {}, n_frames, batch, dtype)

    def unpack(self, params: Tensor) -> dict[str, Tensor]:
        """Params ``[…, controls]`` to name → ``[…]`` (views, in the layout's order)."""
        self._expect(params)
        return dict(zip(self.names, params.unbind(-1)))

    # ── Units ───────────────────────────────────────────────────────────────────────────────────────────────

    def from_unit(self, position: Tensor, snap: bool = False) -> Tensor:
        """Positions 0…1 ``[…, controls]`` along each control's scale to plain values.

        0 gives the minimum and 1 the maximum, exactly. Positions outside are clamped as :meth:`clamp` does.
        snap: give controls with a step or choices the nearest value that they may take; the gradient is that
        of the value before snapping (straight-through).
        """
        self._expect(position)
        wide = _widen(position)
        return self._units_like(wide).from_unit(wide, snap).to(position.dtype)

    def to_unit(self, params: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` to positions 0…1; the inverse of :meth:`from_unit`."""
        self._expect(params)
        wide = _widen(params)
        return self._units_like(wide).to_unit(wide).to(params.dtype)

    def clamp(self, params: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` clamped to the ranges, with a gradient that points back into them.

        See :func:`djgraph.layout.clamp_inward`.
        """
        self._expect(params)
        return self._units_like(params).clamp(params)

    def snap(self, params: Tensor) -> Tensor:
        """Plain values ``[…, controls]`` as a mixer takes them: clamped, and on their grid.

        Controls with a step or choices get the nearest value that they may take, with the gradient of the value before
        (straight-through).
        """
        clamped, units = self.clamp(params), self._units_like(params)
        return straight_through(clamped, units.grid.snap(clamped)) if units.grid else clamped

    def check(self, params: Tensor, out_of_range: bool = False) -> None:
        """InputError where params have a wrong shape or hold NaN or infinity.

        params: ``[frames, controls]`` or ``[batch, frames, controls]``. out_of_range: complain of values out
        of their range, too, and of those that a control with a step or choices may not take. The error names the
        control, the frame and the batch item, which count from 0.
        """
        values.check_shape(params, len(self))
        controls = [column.control for column in self.columns]
        values.check(self._names, self._units_like(params), controls, params, out_of_range)

    # ── Other layouts ───────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits for names, order, ranges, scales, units, steps and choices; not labels."""
        return compare.fingerprint(self)

    def diff(self, other: ParameterLayout) -> str:
        """What changes on the way from this layout to the other, a line each; empty where nothing does.

        A column is removed, added, renamed (by alias), changed (range, scale, unit, …) or moved.
        """
        return compare.diff(self, other)

    def remap(self, params: Tensor, old_layout: ParameterLayout) -> Tensor:
        """Params ``[…, old controls]`` of another layout in this one, ``[…, controls]``, by name and alias.

        Controls that the old layout lacks take their default. Values are carried over as they are, also where
        a range has changed.
        """
        return compare.remap(params, old_layout, self)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ParameterLayout) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    # ── Export ──────────────────────────────────────────────────────────────────────────────────────────────

    def to_json(self, indent: int | None = None) -> str:
        """Everything but the columns' places in files, as JSON; :meth:`from_json` reads it back."""
        return export.to_json(self.columns, indent)

    @classmethod
    def from_json(cls, text: str) -> ParameterLayout:
        """The layout that :meth:`to_json` wrote. LayoutError that says what is wrong with the text."""
        return cls(export.from_json(text))

    def to_rows(self) -> list[dict[str, Any]]:
        """A mapping per column; its keys are ``djgraph.layout.export.HEADER``."""
        return export.rows_of(self.columns)

    def to_markdown(self) -> str:
        """The rows as a Markdown table."""
        return export.to_markdown(self.columns)

    def to_csv(self) -> str:
        """The rows as comma-separated values with a header."""
        return export.to_csv(self.columns)

    # ── Inside ──────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _content(self) -> tuple[tuple[Any, ...], ...]:
        return tuple((c.name, c.control, c.kind, c.effect, tuple(c.drives)) for c in self.columns)

    @property
    def _neutral(self) -> list[float]:
        controls = [column.control for column in self.columns]
        return [c.default if c.neutral is None else c.neutral for c in controls]

    def _tensor(self, numbers: list[float]) -> Tensor:
        return torch.tensor(numbers, dtype=torch.float64, device="cpu").to(
            values.home(), torch.get_default_dtype()
        )

    def _expect(self, tensor: Tensor) -> None:
        if not isinstance(tensor, Tensor) or not tensor.ndim or tensor.shape[-1] != len(self):
            came = f"shape {list(tensor.shape)}" if isinstance(tensor, Tensor) else type(tensor).__name__
            raise LayoutError(f"expected a tensor [..., {len(self)}], one value per control, got {came}")
        if not tensor.is_floating_point():
            raise LayoutError(f"expected values of floating point, got {tensor.dtype}")

    def _units_like(self, tensor: Tensor) -> Units:
        """The units in a tensor's dtype and on its device, kept for the next call."""
        if torch.compiler.is_compiling():  # no tensor of a traced program may outlive it
            return self._units.to(tensor)
        key = (tensor.dtype, tensor.device)
        units = self._moved_units.get(key)
        if units is None:
            with torch.inference_mode(
                False
            ):  # tensors made in inference mode could never serve training later
                units = self._units.to(tensor)
            if type(units.minimum) is Tensor:
                self._moved_units[key] = units
        return units

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a ParameterLayout cannot be changed (setting {name!r}); build another one")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a ParameterLayout cannot be changed (deleting {name!r})")

    def __copy__(self) -> ParameterLayout:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> ParameterLayout:
        return self

    def __reduce__(self) -> tuple[type[ParameterLayout], tuple[tuple[Column, ...]]]:
        return type(self), (self.columns,)

    def __repr__(self) -> str:
        shown = ", ".join(self.names[:3]) + (", …" if len(self) > 3 else "")
        return f"ParameterLayout({len(self)} controls: {shown}; fingerprint {self.fingerprint})"


def _widen(tensor: Tensor) -> Tensor:
    """Half precision as float32: 20 Hz to 20 kHz has more steps than it can tell apart, and e^L overflows."""
    return tensor.float() if tensor.element_size() < 4 else tensor
