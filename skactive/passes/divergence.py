"""How far two predictions are apart."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F


def divergence(logits: Tensor, logits_adv: Tensor) -> Tensor:
    """KL(f(x) ‖ f(x')) per sample, in nats.

    Parameters
    ----------
    logits, logits_adv : Tensor of shape (n, n_classes)
        Of the clean and the attacked inputs.

    Returns
    -------
    divergence : Tensor of shape (n,)

    Examples
    --------
    >>> import torch
    >>> from skactive.losses import divergence
    >>> even, sure = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.8, 0.2]]).log()
    >>> round(divergence(even, sure).item(), 4)  # (log(0.5 / 0.8) + log(0.5 / 0.2)) / 2
    0.2231
    >>> round(divergence(sure, even).item(), 4)  # it is not symmetric
    0.1927
    """
    return F.kl_div(
        F.log_softmax(logits_adv, dim=1),
        F.log_softmax(logits, dim=1),
        reduction="none",
        log_target=True,
    ).sum(dim=1)
