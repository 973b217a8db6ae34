"""Strategies that look at how a net behaves under attack."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..attacks import PGD, Attack, resolve_attack
from ..passes.virtual_adversarial import virtual_adversarial_divergence
from ..utils.indexing import Rows
from ..utils.random_state import derive_seed
from ..utils.typing import AttackLike, RandomState
from ..utils.validation import COUNT, Interval, StrOptions
from ._base import Query, ScoringStrategy
from ._dre import DRE

_STEPS = 10
_POSITIVE = [Interval(Real, 0, None, closed="neither")]


class VirtualAdversarial(ScoringStrategy):
    """Pick the samples around which the predictions are roughest: highest KL(p(x) ‖ p(x + r)).

    r is the perturbation of length `eps` that changes the prediction most; no label is needed.

    Parameters
    ----------
    eps : float, default=1.0
        L2 length of r, in input units.
    xi : float, default=0.1
        Length at which the direction is measured.
    n_power : int, default=1
        Power iterations; each costs a forward and a backward pass.
    random_state : None, int, RandomState or Generator, default=None
        Draws the first direction; orders ties.

    References
    ----------
    Miyato et al., "Virtual adversarial training", IEEE TPAMI 41(8), 2019, algorithm 1; as an
    acquisition function: "Virtual adversarial active learning", IEEE Big Data 2020.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import VirtualAdversarial
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> pool = data.X_train[100:200]
    >>> far = VirtualAdversarial(eps=1.0, random_state=0).score_samples(net, pool)
    >>> near = VirtualAdversarial(eps=0.01, random_state=0).score_samples(net, pool)
    >>> bool(far.mean() > near.mean())
    True
    """

    _requires: ClassVar[tuple[str, ...]] = ("gradients",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "eps": _POSITIVE,
        "xi": _POSITIVE,
        "n_power": [COUNT],
    }

    def __init__(
        self,
        eps: float = 1.0,
        xi: float = 0.1,
        n_power: int = 1,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(random_state=random_state)
        self.eps = eps
        self.xi = xi
        self.n_power = n_power

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        seed = derive_seed(rng)

        def roughness(module: nn.Module, inputs: Tensor) -> Tensor:
            return virtual_adversarial_divergence(
                module,
                inputs,
                eps=float(self.eps),
                xi=float(self.xi),
                n_power=int(self.n_power),
                bounds=getattr(model.estimator, "bounds_", None),
                seed=seed,
            )

        return model.per_sample(X, roughness)


class LowInputGradient(ScoringStrategy):
    """Pick the samples with the flattest loss: lowest Σ_c p_c ‖∇ₓJ(x, c)‖₂.

    The opposite of `EGL` in the input: what is learned robustly, rather than what moves the
    model.

    Parameters
    ----------
    random_state : None, int, RandomState or Generator, default=None
        Orders ties.

    References
    ----------
    "EasyCore", arXiv 2510.11018: for accuracy under attack, samples with a *low* average norm
    of the input gradient serve best. There labels are known; here the model's probabilities
    stand in for them.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import EGL, LowInputGradient
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> pool = data.X_train[100:200]
    >>> flat = LowInputGradient(random_state=0).score_samples(net, pool)
    >>> steep = EGL("input", random_state=0).score_samples(net, pool)
    >>> bool((flat == -steep).all())
    True
    """

    _requires: ClassVar[tuple[str, ...]] = ("gradients",)

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return -model.gradient_norms(X, wrt="input")


class AdversarialEntropy(ScoringStrategy):
    """Pick the samples with the highest entropy *at their attacked point*.

    The attack turns the model away from its own prediction; no label is needed.

    Parameters
    ----------
    attack : Attack, str or None, default=None
        ``None`` is `PGD` of 10 steps without a random start, with the radius, norm and range
        of the net's own training attack (8/255 for nets trained without).
    random_state : None, int, RandomState or Generator, default=None
        Seeds random starts, if the attack has them; orders ties.

    References
    ----------
    The entropy of Shannon (MaxEntropy) after the inner maximisation of Madry et al., ICLR 2018;
    no paper proposes it.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.attacks import PGD
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import AdversarialEntropy
    >>> data = load_digits()
    >>> attack = PGD(eps=0.1, steps=2)
    >>> net = AdversarialNetClassifier(LeNet5, attack=attack, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> strategy = AdversarialEntropy(random_state=0)  # PGD of 10 steps, with the net's own radius
    >>> strategy.query(net, data.X_train[100:200], n=5).shape
    (5,)
    """

    _requires: ClassVar[tuple[str, ...]] = ("gradients",)
    _parameter_constraints: ClassVar[dict] = {
        **ScoringStrategy._parameter_constraints,
        "attack": [Attack, str, None],
    }

    def __init__(
        self, attack: AttackLike | None = None, *, random_state: RandomState = None
    ) -> None:
        super().__init__(random_state=random_state)
        self.attack = attack

    def _score(self, model: Any, X: Rows, rng: np.random.Generator) -> NDArray:
        return adversarial_entropy(model, X, self.attack, derive_seed(rng))


def adversarial_entropy(model: Any, X: Rows, attack: Any, seed: int) -> NDArray:
    """Entropy at the point to which an attack moves each sample away from its prediction."""
    found = _attack_for(model.estimator) if attack is None else resolve_attack(attack)

    def attacked_entropy(module: nn.Module, inputs: Tensor) -> Tensor:
        predicted = model.net_logits(inputs).argmax(dim=1)
        generator = torch.Generator(device=inputs.device).manual_seed(seed)
        moved = found(module, inputs, predicted, generator=generator)
        proba = torch.softmax(model.net_logits(moved), dim=1)
        return torch.special.entr(proba).sum(dim=1)

    return model.per_sample(X, attacked_entropy)


def _attack_for(net: Any) -> Attack:
    """The judge of a net: PGD like the attack that it was trained with."""
    bounds = getattr(net, "bounds_", (0, 1))
    own = getattr(net, "attack_", None)
    if own is None or not np.isfinite(own.eps):
        return PGD(steps=_STEPS, random_start=False, bounds=bounds)
    return PGD(own.eps, steps=_STEPS, random_start=False, norm=own.norm, bounds=bounds)


class AdversarialDRE(DRE):
    """`DRE` on an adversarial characteristic: matches the pool's distribution of robustness.

    Parameters
    ----------
    n_bins : int, default=50
    characteristic : {"adversarial_distance", "adversarial_entropy", "virtual_adversarial"}, \
            default="adversarial_distance"
        DeepFool's L2 distance to the decision boundary; the entropy at the attacked point
        (see `AdversarialEntropy`); the roughness around the sample (see `VirtualAdversarial`).
    allocation : {"proportional", "ceil_tail", "equal"}, default="proportional"
        See `DRE`.
    attack : Attack, str or None, default=None
        For ``"adversarial_entropy"``.
    random_state : None, int, RandomState or Generator, default=None

    References
    ----------
    Guo et al., arXiv 2112.02542, algorithm 1, with another characteristic than entropy.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.datasets import load_digits
    >>> from skactive.networks import LeNet5
    >>> from skactive.strategies import AdversarialDRE
    >>> data = load_digits()
    >>> net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=1, random_state=0)
    >>> net = net.fit(data.X_train[:100], data.y_train[:100])
    >>> strategy = AdversarialDRE(n_bins=10, characteristic="virtual_adversarial", random_state=0)
    >>> strategy.query(net, data.X_train[100:300], n=20).shape
    (20,)
    """

    _parameter_constraints: ClassVar[dict] = {
        **DRE._parameter_constraints,
        "characteristic": [
            StrOptions({"adversarial_distance", "adversarial_entropy", "virtual_adversarial"})
        ],
        "attack": [Attack, str, None],
    }

    def __init__(
        self,
        n_bins: int = 50,
        characteristic: str = "adversarial_distance",
        allocation: str = "proportional",
        attack: AttackLike | None = None,
        *,
        random_state: RandomState = None,
    ) -> None:
        super().__init__(n_bins, characteristic, allocation, random_state=random_state)
        self.attack = attack

    def _capabilities(self) -> tuple[str, ...]:
        return ("boundary",) if self.characteristic == "adversarial_distance" else ("gradients",)

    def _values(self, query: Query) -> NDArray:
        if self.characteristic == "adversarial_entropy":
            return adversarial_entropy(query.model, query.X, self.attack, derive_seed(query.rng))
        if self.characteristic == "virtual_adversarial":
            return VirtualAdversarial()._score(query.model, query.X, query.rng)
        return super()._values(query)
