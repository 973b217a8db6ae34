"""Losses of adversarial training, as functions of clean and attacked logits."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .passes.divergence import divergence


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
    """
    proba_adv = F.softmax(logits_adv, dim=1)
    rival = proba_adv.scatter(1, y[:, None], 0.0).amax(dim=1)
    boosted = F.cross_entropy(logits_adv, y, reduction="none") - torch.log1p(
        -rival.clamp(max=1 - 1e-6)
    )
    doubt = 1 - F.softmax(logits, dim=1).gather(1, y[:, None])[:, 0]
    return boosted + beta * divergence(logits, logits_adv) * doubt
