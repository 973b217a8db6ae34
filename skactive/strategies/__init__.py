"""Query strategies: which samples to label next."""

from ._base import FunctionStrategy, Query, QueryStrategy, ScoringStrategy, Selection
from ._batch import BADGE, EPIG, BatchBALD, PowerBALD
from ._bayesian import BALD, DropoutEntropy
from ._ceal import CEAL
from ._certified import CertifiedDRE, CertifiedMargin, RobustMargin
from ._committee import ConsensusEntropy, MaxDisagreement, VoteEntropy
from ._core_set import CoreSet, RobustCoreSet
from ._coverage import ClusterMargin, ProbCover, TypiClust, UHerding
from ._dfal import DFAL
from ._diverse_dre import DiverseDRE
from ._dre import DRE
from ._egl import EGL
from ._mcp import MCP
from ._random import RandomSampling
from ._registry import all_strategies, resolve_strategy
from ._robust import (
    AdversarialDRE,
    AdversarialEntropy,
    LowInputGradient,
    VirtualAdversarial,
)
from ._surprise import SurpriseAdequacy
from ._uncertainty import DeepGini, LeastConfidence, Margin, MaxEntropy
from ._wrappers import ClassBalanced, Combine, Subsample

__all__ = [
    "BADGE",
    "BALD",
    "CEAL",
    "DFAL",
    "DRE",
    "EGL",
    "EPIG",
    "MCP",
    "AdversarialDRE",
    "AdversarialEntropy",
    "BatchBALD",
    "CertifiedDRE",
    "CertifiedMargin",
    "ClassBalanced",
    "ClusterMargin",
    "Combine",
    "ConsensusEntropy",
    "CoreSet",
    "DeepGini",
    "DiverseDRE",
    "DropoutEntropy",
    "FunctionStrategy",
    "LeastConfidence",
    "LowInputGradient",
    "Margin",
    "MaxDisagreement",
    "MaxEntropy",
    "PowerBALD",
    "ProbCover",
    "Query",
    "QueryStrategy",
    "RandomSampling",
    "RobustCoreSet",
    "RobustMargin",
    "ScoringStrategy",
    "Selection",
    "Subsample",
    "SurpriseAdequacy",
    "TypiClust",
    "UHerding",
    "VirtualAdversarial",
    "VoteEntropy",
    "all_strategies",
    "resolve_strategy",
]
