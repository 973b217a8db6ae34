"""Query strategies: which samples to label next."""

from ._base import FunctionStrategy, Query, QueryStrategy, ScoringStrategy, Selection
from ._bayesian import BALD, DropoutEntropy
from ._ceal import CEAL
from ._committee import ConsensusEntropy, MaxDisagreement, VoteEntropy
from ._core_set import CoreSet, RobustCoreSet
from ._dfal import DFAL
from ._dre import DRE
from ._egl import EGL
from ._mcp import MCP
from ._random import RandomSampling
from ._registry import all_strategies, resolve_strategy
from ._uncertainty import DeepGini, LeastConfidence, Margin, MaxEntropy

__all__ = [
    "BALD",
    "CEAL",
    "DFAL",
    "DRE",
    "EGL",
    "MCP",
    "ConsensusEntropy",
    "CoreSet",
    "DeepGini",
    "DropoutEntropy",
    "FunctionStrategy",
    "LeastConfidence",
    "Margin",
    "MaxDisagreement",
    "MaxEntropy",
    "Query",
    "QueryStrategy",
    "RandomSampling",
    "RobustCoreSet",
    "ScoringStrategy",
    "Selection",
    "VoteEntropy",
    "all_strategies",
    "resolve_strategy",
]
