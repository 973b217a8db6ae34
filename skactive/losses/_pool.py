"""Losses of points of the pool, which have no label."""

from __future__ import annotations

from typing import ClassVar

from sklearn.base import BaseEstimator
from torch import Tensor
from torch.nn import functional as F

from ..passes.divergence import divergence
from ._base import BETA, Batch, Loss


class RST(BaseEstimator):
    """Robust self-training: the loss of labelled samples, to the label that a teacher gives.

    References
    ----------
    Carmon et al., "Unlabeled data improves adversarial robustness", NeurIPS 2019.

    Examples
    --------
    >>> from skactive import ActiveLearner, AdversarialNetClassifier, FixMatch
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", unlabeled="rst", teacher=FixMatch())
    >>> learner = ActiveLearner(net, "random", use_pool=True)  # hands it each pool
    """

    needs_labels: ClassVar[bool] = True
    needs_attack: ClassVar[bool] = False
    _parameter_constraints: ClassVar[dict[str, list]] = {}

    def beside(self, loss: Loss) -> Loss:
        """The loss of points of the pool, where labelled samples take `loss`."""
        return loss


class PoolLoss(Loss):
    """Base class of losses that points of the pool take whatever labelled samples do.

    ``needs_labels`` says whether a teacher gives pseudo-labels first.

    References
    ----------
    Alayrac et al., "Are labels required for improving adversarial robustness?", NeurIPS 2019.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import TRADES, PoolLoss
    >>> class Entropy(PoolLoss):  # be sure of points of the pool, whatever they are
    ...     reads_clean = True
    ...     needs_labels = False
    ...     def __call__(self, batch):
    ...         proba = batch.logits.softmax(dim=1)
    ...         return -(proba * proba.log()).sum(dim=1)
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", loss="trades", unlabeled=Entropy())
    >>> net.unlabeled.beside(TRADES())  # what labelled samples take does not matter
    Entropy()
    """

    needs_labels: ClassVar[bool] = True

    def beside(self, loss: Loss) -> Loss:
        """The loss of points of the pool: this one."""
        return self


class UATFT(PoolLoss):
    """Cross-entropy under attack to a teacher's label.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", unlabeled="uat-ft")
    """

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        return F.cross_entropy(batch.logits_adv, batch.y, reduction="none")


class UATKL(PoolLoss):
    """β · KL to the net's own clean prediction, held fixed: no labels, no teacher.

    Parameters
    ----------
    beta : float, default=6.0

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import UATKL
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", unlabeled=UATKL(beta=3.0))
    >>> net.set_params(unlabeled__beta=5.0).unlabeled
    UATKL(beta=5.0)
    """

    follows = "divergence"
    reads_clean = True
    needs_labels = False
    _parameter_constraints = BETA

    def __init__(self, beta: float = 6.0) -> None:
        self.beta = beta

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        return float(self.beta) * divergence(batch.logits.detach(), batch.logits_adv)


class UATPlusPlus(UATKL):
    """The sum of `UATFT` and `UATKL`, under an attack on the label.

    Parameters
    ----------
    beta : float, default=6.0

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import UATPlusPlus
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", unlabeled=UATPlusPlus(beta=5.0))
    """

    follows = "label"
    needs_labels = True

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        return UATFT()(batch) + super().__call__(batch)
