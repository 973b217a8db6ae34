"""Adversarial training: the criterion on attacked samples."""

from __future__ import annotations

from torch import Tensor

from ._base import Batch, Loss


class Adversarial(Loss):
    """The net's criterion on the attacked batch; without an attack, standard training.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.

    Examples
    --------
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.networks import LeNet5
    >>> AdversarialNetClassifier(LeNet5, loss="adversarial").get_params()["loss"]  # the default
    'adversarial'
    """

    needs_attack = False

    def __call__(self, batch: Batch) -> Tensor:
        """Loss of each sample, or of the batch where the criterion has no other."""
        return batch.criterion(batch.logits_adv, batch.y)
