"""Strategies by name."""

from __future__ import annotations

from sklearn.exceptions import NotFittedError

from ..utils.names import by_name, plain
from ..utils.typing import StrategyLike
from ._base import FunctionStrategy, QueryStrategy
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
from ._robust import (
    AdversarialDRE,
    AdversarialEntropy,
    LowInputGradient,
    VirtualAdversarial,
)
from ._uncertainty import DeepGini, LeastConfidence, Margin, MaxEntropy

# A strategy is called as its class, in lower case: words are joined with "_", what a paper coined
# is one word (Core-Set, BatchBALD). Three go by the short name that everybody uses.
_STRATEGIES: dict[str, type[QueryStrategy]] = {
    "random": RandomSampling,
    "entropy": MaxEntropy,
    "gini": DeepGini,
    "least_confidence": LeastConfidence,
    "margin": Margin,
    "bald": BALD,
    "dropout_entropy": DropoutEntropy,
    "mcp": MCP,
    "dfal": DFAL,
    "egl": EGL,
    "coreset": CoreSet,
    "robust_coreset": RobustCoreSet,
    "ceal": CEAL,
    "dre": DRE,
    "vote_entropy": VoteEntropy,
    "consensus_entropy": ConsensusEntropy,
    "max_disagreement": MaxDisagreement,
    "badge": BADGE,
    "batchbald": BatchBALD,
    "powerbald": PowerBALD,
    "epig": EPIG,
    "typiclust": TypiClust,
    "probcover": ProbCover,
    "uherding": UHerding,
    "clustermargin": ClusterMargin,
    "virtual_adversarial": VirtualAdversarial,
    "low_input_gradient": LowInputGradient,
    "adversarial_entropy": AdversarialEntropy,
    "adversarial_dre": AdversarialDRE,
    "diverse_dre": DiverseDRE,
    "certified_margin": CertifiedMargin,
    "robust_margin": RobustMargin,
    "certified_dre": CertifiedDRE,
}


def all_strategies() -> dict[str, type[QueryStrategy]]:
    """Every query strategy by its name.

    Returns
    -------
    strategies : dict of str to class

    Examples
    --------
    >>> from skactive.strategies import all_strategies
    >>> all_strategies()["dre"].__name__
    'DRE'
    """
    return dict(_STRATEGIES)


def check_cold_start(strategy: QueryStrategy) -> None:
    """Raise a `NotFittedError` naming others if a strategy cannot start without a model."""
    if strategy.needs_model():
        others = [name for name, cls in _STRATEGIES.items() if not cls().needs_model()]
        raise NotFittedError(
            f"{type(strategy).__name__} asks a fitted model. Call fit with a first labelled set, "
            f"or start with a strategy that needs no model: {', '.join(map(repr, others))}."
        )


def resolve_strategy(strategy: StrategyLike) -> QueryStrategy:
    """A query strategy from a name, an object or a function in modAL's form.

    Parameters
    ----------
    strategy : str, QueryStrategy or callable
        Names are read whatever their case and punctuation: ``"batchbald"``, ``"BatchBALD"``.

    Returns
    -------
    strategy : QueryStrategy
        The object itself, the named strategy with its defaults, or a `FunctionStrategy`.

    Raises
    ------
    ValueError
        If no strategy has that name; the nearest ones are suggested.
    TypeError
        If it is none of the three, a class for instance.

    Examples
    --------
    >>> from skactive.strategies import Margin, resolve_strategy
    >>> resolve_strategy("BatchBALD"), resolve_strategy("batch_bald")
    (BatchBALD(), BatchBALD())
    >>> resolve_strategy(Margin(random_state=0))
    Margin(random_state=0)
    """
    if isinstance(strategy, QueryStrategy):
        return strategy
    if isinstance(strategy, str):
        asked = [cls for cls in _STRATEGIES.values() if plain(cls.__name__) == plain(strategy)]
        return asked[0]() if asked else by_name("query_strategy", strategy, _STRATEGIES)()
    if isinstance(strategy, type):
        raise TypeError(
            f"query_strategy must be an object, got the class {strategy.__name__}. Pass "
            f"{strategy.__name__}()."
        )
    if callable(strategy):
        return FunctionStrategy(strategy)
    raise TypeError(
        "query_strategy must be a name, a QueryStrategy object or a function "
        f"(estimator, X, n_instances) -> indices, got {strategy!r}."
    )
