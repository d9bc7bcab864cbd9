"""All scenarios, in the order of the tables."""

from typing import Final

from .._model import Scenario
from . import (
    _a_sequential,
    _b_callers,
    _c_outermost,
    _d_back,
    _e_nesting,
    _f_variables,
    _g_contexts,
    _i_memory,
    _j_calls_back,
    _k_busy,
    _r_django,
    _w_wrappers,
)

__all__ = ("ALL",)

ALL: Final[tuple[Scenario, ...]] = (
    *_a_sequential.SCENARIOS,
    *_b_callers.SCENARIOS,
    *_c_outermost.SCENARIOS,
    *_d_back.SCENARIOS,
    *_e_nesting.SCENARIOS,
    *_f_variables.SCENARIOS,
    *_g_contexts.SCENARIOS,
    *_i_memory.SCENARIOS,
    *_j_calls_back.SCENARIOS,
    *_k_busy.SCENARIOS,
    *_r_django.SCENARIOS,
    *_w_wrappers.SCENARIOS,
)
