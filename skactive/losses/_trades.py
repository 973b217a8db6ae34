"""TRADES: accuracy on clean samples, and predictions that an attack does not move."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from ..passes.divergence import divergence
from ._base import BETA, Batch, Loss


class TRADES(Loss):
    """Cross-entropy on clean samples and β times the divergence that an attack finds.

    Parameters
    ----------
    beta : float, default=6.0
        Weight of robustness; 6 on CIFAR-10 and 1 on MNIST in the paper.

    See Also
    --------
    trades_loss : the formula.

    Notes
    -----
    Of the net's criterion it reads the label smoothing; class weights are refused.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.losses import TRADES
    >>> from skactive.networks import LeNet5
    >>> net = AdversarialNetClassifier(LeNet5, loss=TRADES(beta=1.0))
    >>> net.set_params(loss__beta=2.0).loss
    TRADES(beta=2.0)
    """

    follows = "divergence"
    reads_clean = True
    reads_criterion = False
    _parameter_constraints = BETA

    def __init__(self, beta: float = 6.0) -> None:
        self.beta = beta

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample."""
        smoothing = batch.label_smoothing
        return trades_loss(
            batch.logits, batch.logits_adv, batch.y, self.beta, label_smoothing=smoothing
        )


def trades_loss(
    logits: Tensor,
    logits_adv: Tensor,
    y: Tensor,
    beta: float = 6.0,
    *,
    label_smoothing: float = 0.0,
) -> Tensor:
    """TRADES: CE(f(x), y) + β · KL(f(x) ‖ f(x')), one value per sample.

    Parameters
    ----------
    logits, logits_adv : Tensor of shape (n, n_classes)
        Of the clean and the attacked inputs.
    y : Tensor of shape (n,), int64
    beta : float, default=6.0
        Weight of robustness; 6 on CIFAR-10 and 1 on MNIST in the paper.
    label_smoothing : float, default=0.0
        Of the cross-entropy.

    Returns
    -------
    loss : Tensor of shape (n,)

    References
    ----------
    Zhang et al., "Theoretically principled trade-off between robustness and accuracy", ICML
    2019, equation 5.

    Examples
    --------
    >>> import torch
    >>> from skactive.losses import trades_loss
    >>> logits = torch.tensor([[2.0, 0.0]])
    >>> bool(trades_loss(logits, logits, torch.tensor([0]))
    ...      == torch.nn.functional.cross_entropy(logits, torch.tensor([0])))
    True
    """
    clean = F.cross_entropy(logits, y, reduction="none", label_smoothing=label_smoothing)
    return clean + beta * divergence(logits, logits_adv)
