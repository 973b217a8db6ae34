"""skorch callbacks: robust accuracy while a net trains."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from skorch.callbacks import Callback

from ..utils.indexing import take_rows
from ..utils.typing import AttackLike
from ..utils.validation import COUNT, check_params
from ._scores import robust_accuracy_score


class RobustScoring(Callback):
    """Record robust accuracy after each epoch, for any skorch classifier.

    Parameters
    ----------
    attack : Attack, str or torchattacks class, default="pgd"
        See `robust_accuracy_score`.
    data : (X, y) or None, default=None
        What to attack; ``None`` is the validation part of skorch's ``train_split``.
    eps : float or None, default=None
        Radius; ``None`` keeps the attack's own.
    every : int, default=1
        Score each so many epochs. In between the last score is repeated.
    n_samples : int or None, default=None
        Attack that many of the samples, drawn once; ``None`` attacks all.
    name : str, default="robust_acc"
        Column in ``net.history``; ``name + "_best"`` tells whether it was the best so far, as
        skorch's `Checkpoint` and `EarlyStopping` (with ``lower_is_better=False``) want it.
    random_state : int, default=0
        Draws the samples and seeds the attack, the same in each epoch.

    Notes
    -----
    The net is left as it was. With `EMA` or `SWA`, an `AdversarialNetClassifier` is scored
    with its present weights, not their average.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.callbacks import RobustScoring
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> scoring = RobustScoring("pgd", data=(X[500:600], y[500:600]), eps=0.05)
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64, attack=None,
    ...     module__out_features=10, max_epochs=3, callbacks=[scoring], random_state=0)
    >>> len(net.fit(X[:500], y[:500]).history[:, "robust_acc"])
    3
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "data": [tuple, list, None],
        "every": [COUNT],
        "n_samples": [COUNT, None],
        "name": [str],
    }

    def __init__(
        self,
        attack: AttackLike = "pgd",
        data: tuple | None = None,
        eps: float | None = None,
        every: int = 1,
        n_samples: int | None = None,
        name: str = "robust_acc",
        random_state: int = 0,
    ) -> None:
        self.attack = attack
        self.data = data
        self.eps = eps
        self.every = every
        self.n_samples = n_samples
        self.name = name
        self.random_state = random_state

    def on_train_begin(self, net: Any, X: Any = None, y: Any = None, **kwargs: Any) -> None:
        """Forget earlier trainings."""
        check_params(self)
        self.best_ = -1.0
        self.last_: float | None = None

    def on_epoch_end(self, net: Any, dataset_valid: Any = None, **kwargs: Any) -> None:
        """Score this epoch."""
        if self.last_ is None or (len(net.history) - 1) % self.every == 0:
            X, y = self._samples(net, dataset_valid)
            self.last_ = robust_accuracy_score(
                net, X, y, self.attack, eps=self.eps, random_state=self.random_state
            )
        net.history.record(self.name, self.last_)
        net.history.record(f"{self.name}_best", bool(self.last_ > self.best_))
        self.best_ = max(self.best_, self.last_)

    def _samples(self, net: Any, dataset_valid: Any) -> tuple[Any, np.ndarray]:
        if self.data is not None:
            X, y = self.data
            y = np.asarray(y)
        elif dataset_valid is not None:
            items = [dataset_valid[i] for i in range(len(dataset_valid))]
            # A Dataset, which a net with a dataset class of its own does not read once more.
            made = torch.stack([torch.as_tensor(item[0]) for item in items])
            X = torch.utils.data.TensorDataset(made)
            y = np.asarray([int(item[1]) for item in items])
            if hasattr(net, "as_inputs"):  # it encodes labels before they become a data set
                y = net.classes_[y]
        else:
            raise ValueError(
                "RobustScoring has nothing to attack: pass data=(X, y), or give the net a "
                "train_split."
            )
        if self.n_samples is None or self.n_samples >= len(y):
            return X, y
        rng = np.random.default_rng(self.random_state)
        picked = rng.choice(len(y), self.n_samples, replace=False)
        return take_rows(X, picked), y[picked]
