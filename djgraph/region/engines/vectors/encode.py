"""A region's program as the table that :mod:`djgraph.simd` runs."""

from __future__ import annotations

import numpy as np

from djgraph.region.program import Code, Program
from djgraph.simd import program as simd

CODES: dict[int, int] = {
    Code.ANALYSE: simd.ANALYSE,
    Code.SYNTHESISE: simd.SYNTHESISE,
    Code.SCALE: simd.SCALE,
    Code.ADD: simd.ADD,
    Code.GRADIENT: simd.GRADIENT,
}


def encode(program: Program) -> simd.MachineCode:
    """Arguments stand as they are; rows are as long as the longest operation. An engine's own codes stay as they are,
    too."""
    table = np.zeros((len(program.operations), simd.OPERATION_COLUMNS), np.int64)
    for row, (code, *arguments) in zip(table, program.operations):
        row[0] = CODES.get(code, code)
        row[1 : 1 + len(arguments)] = arguments
    return simd.MachineCode(table, program.slots, program.targets, program.chain)
