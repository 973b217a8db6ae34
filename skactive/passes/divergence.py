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
    """
    return F.kl_div(
        F.log_softmax(logits_adv, dim=1),
        F.log_softmax(logits, dim=1),
        reduction="none",
        log_target=True,
    ).sum(dim=1)
