"""Compiles kernels for GPUs that are not there to machine code (``python -m gpu.compiles``); prints their names."""

from __future__ import annotations

from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from djgraph.gpu import mix_kernels, scan_kernels

NUMBERS = {
    "decay", "drive", "initial", "states", "totals", "matrix", "level", "rise", "fall", "spectra", "out", "seeds",
    "back", "weights", "curves", "tables", "weight_totals", "table_totals",
}  # fmt: skip
TABLES = {"terms", "ends", "factors"}
SCAN = {"BACKWARDS": False, "TOTALS": False, "BLOCK": 1024}
MIX = {"CHANNELS": 2, "BLOCK": 512}
CASES: list[tuple[Any, str, int, dict[str, Any]]] = [
    (scan_kernels.scan_one, "fp64", 80, SCAN | {"TOTALS": True}),
    (scan_kernels.scan_two, "fp32", 90, SCAN | {"BACKWARDS": True}),
    (scan_kernels.branch, "fp32", 90, {"LANES": 32}),
    (mix_kernels.mix, "fp32", 80, MIX),
    (mix_kernels.mix_backward, "fp32", 90, MIX | {"EVEN": True, "GAINS": True, "AUDIO": True}),
    (mix_kernels.mix_backward, "fp64", 90, MIX | {"EVEN": False, "GAINS": True, "AUDIO": False}),
]


def main() -> None:
    for kernel, numbers, capability, fixed in CASES:
        kinds = (
            {name: "*" + numbers for name in NUMBERS} | {name: "*i32" for name in TABLES} | {"rising": "*i1"}
        )
        signature = {
            name: "constexpr" if name in fixed else kinds.get(name, "i32") for name in kernel.arg_names
        }
        constants = {(kernel.arg_names.index(name),): value for name, value in fixed.items()}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        made = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": 4})
        assert made.asm["cubin"]
        print(kernel.__name__, numbers, capability)


if __name__ == "__main__":
    main()
