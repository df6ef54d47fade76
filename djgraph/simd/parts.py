"""How Numba compiles a function that only other compiled functions call.

By itself Numba optimises each function as a whole and writes its machine code, then again where it is called, with
everything that it calls. A part is never run by itself: it is lowered, and handed on to its callers, which optimise it
together with their own code. That halves the time that compiling takes.

What Numba documents of this is the pipeline; the rest are names of its own (``JITCodeLibrary``, ``NativeLowering``),
which ``tests/simd/test_parts.py`` watches over.
"""

from __future__ import annotations

from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering


class PartLibrary(JITCodeLibrary):
    """Code that is linked into its callers' and never run by itself."""

    def _optimize_final_module(self) -> None:
        pass

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _PartLowering(NativeLowering):
    _name = "djgraph_part_lowering"

    def run_pass(self, state: Any) -> bool:
        state.library = PartLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.flags.no_compile = True
        super().run_pass(state)
        # Numba wants a built-in function for each part, which Python would call; this one raises.
        handed = dict[str, str]().popitem
        state.targetctx.insert_user_function(handed, state["cr"].fndesc, [state.library])
        state["cr"] = state["cr"]._replace(cfunc=handed)
        return True


class PartCompiler(CompilerBase):
    """Numba's pipeline for functions without Python objects, with the lowering of parts."""

    def define_pipelines(self) -> list[Any]:
        pipeline = DefaultPassBuilder.define_nopython_pipeline(self.state)
        pipeline.add_pass_after(_PartLowering, NativeLowering)
        pipeline.passes = [one for one in pipeline.passes if one[0] is not NativeLowering]
        pipeline.finalize()
        return [pipeline]
