"""MART: weight on samples that the net is not sure of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from ..passes.divergence import divergence
from ._base import BETA, Batch, Loss


class MART(Loss):
    """Boosted cross-entropy under attack, and a divergence weighted by doubt.

    Parameters
    ----------
    beta : float, default=6.0
        Weight of the divergence, λ in the paper.

    See Also
    --------
    mart_loss : the formula.

    Notes
    -----
    It reads nothing of the net's criterion; class weights and label smoothing are refused.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import MART
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, attack="pgd", loss=MART(beta=5.0))
    >>> net.set_params(loss__beta=6.0).loss
    MART()
    """

    reads_clean = True
    reads_criterion = reads_smoothing = False
    _parameter_constraints = BETA

    def __init__(self, beta: float = 6.0) -> None:
        self.beta = beta

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        return mart_loss(batch.logits, batch.logits_adv, batch.y, self.beta)


def mart_loss(logits: Tensor, logits_adv: Tensor, y: Tensor, beta: float = 6.0) -> Tensor:
    """MART: BCE(f(x'), y) + β · KL(f(x) ‖ f(x')) · (1 − p_y(x)), one value per sample.

    BCE is −log p_y(x') − log(1 − max_{k≠y} p_k(x')).

    Parameters
    ----------
    logits, logits_adv : Tensor of shape (n, n_classes)
        Of the clean and the attacked inputs.
    y : Tensor of shape (n,), int64
    beta : float, default=6.0
        λ in the paper.

    Returns
    -------
    loss : Tensor of shape (n,)

    References
    ----------
    Wang et al., "Improving adversarial robustness requires revisiting misclassified
    examples", ICLR 2020, equations 9-11.

    Examples
    --------
    >>> import torch
    >>> from skactive.losses import mart_loss
    >>> clean, attacked = torch.tensor([[4.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    >>> y = torch.tensor([0])
    >>> bool(mart_loss(clean, attacked, y) > mart_loss(clean, clean, y))  # turned by the attack
    True
    """
    proba_adv = F.softmax(logits_adv, dim=1)
    rival = proba_adv.scatter(1, y[:, None], 0.0).amax(dim=1)
    boosted = F.cross_entropy(logits_adv, y, reduction="none") - torch.log1p(
        -rival.clamp(max=1 - 1e-6)
    )
    doubt = 1 - F.softmax(logits, dim=1).gather(1, y[:, None])[:, 0]
    return boosted + beta * divergence(logits, logits_adv) * doubt
