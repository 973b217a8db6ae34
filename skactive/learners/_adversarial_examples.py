"""Adversarial examples of whole data sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ..attacks import Attack, resolve_attack
from ..distributed import in_memory
from ..model_view import ModelView, NetView
from ..utils.indexing import Rows
from ..utils.labels import unknown_labels
from ..utils.random_state import derive_seed, torch_generator
from ..utils.typing import AttackLike, Estimator, Pool, RandomState


def adversarial_examples(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    attack: AttackLike | None = None,
    *,
    eps: float | None = None,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    random_state: RandomState = 0,
) -> NDArray:
    """Attack every sample and return what it becomes.

    Parameters
    ----------
    estimator : fitted net, a Committee of nets, or a learner over one
        Of a committee, the mean of the members' probabilities is attacked, which its predictions
        follow.
    X : array-like of shape (n_samples, ...)
        Bytes are read as numbers in [0, 1].
    y : array-like of shape (n_samples,)
        True labels, which the attack turns the model away from.
    attack : Attack, str or None, default=None
        See `skactive.attacks.resolve_attack`; ``None`` is the attack the net trains with,
        of a committee the first member.
    eps : float or None, default=None
        Replaces the attack's radius.
    bounds : (float, float) or None, default=None
        Replaces the range of the inputs; for an attack given by name, ``None`` is the net's.
    batch_size : int, default=256
    random_state : None, int, RandomState or Generator, default=0
        Seeds random starts.

    Returns
    -------
    X_adv : ndarray of shape (n_samples, ...), float32
        In the order of `X`, within the attack's radius and bounds.

    Raises
    ------
    CapabilityError
        If the estimator has no gradients, or is a Pipeline whose earlier steps the perturbed
        input cannot be given back to.
    ValueError
        If there is no attack, a label is unknown, or `X` leaves the bounds.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.retraining import adversarial_examples
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> X_adv = adversarial_examples(net, X[500:], y[500:], "pgd", eps=0.1)
    >>> bool(net.score(X_adv, y[500:]) < net.score(X[500:], y[500:]))
    True
    """
    target = _target_of(estimator, batch_size)
    net = target.net
    if attack is None:
        attack = getattr(net, "attack_", None)
        if attack is None:
            raise ValueError(
                f"This {type(net).__name__} trains without an attack: say which one makes the "
                "adversarial examples, for instance attack=PGD(eps=0.3)."
            )
    if bounds is None and not isinstance(attack, Attack):
        bounds = getattr(net, "bounds_", None)
    attack = resolve_attack(attack, eps=eps, bounds=bounds)
    y = np.asarray(y)
    unknown = unknown_labels(y, target.classes)
    if unknown:
        raise ValueError(
            f"y holds labels the net does not know: {unknown}; known are {target.classes.tolist()}."
        )
    targets, rows = np.searchsorted(target.classes, y), Rows.of(in_memory(X))
    seed, made = derive_seed(random_state), []
    for number, (window, batch) in enumerate(rows.batches(batch_size)):
        inputs = target.inputs(batch)
        labels = inputs.new_tensor(targets[window]).long()
        generator = torch_generator(derive_seed(seed, number), device=inputs.device)
        attacked = attack(target.module, inputs, labels, generator=generator)
        made.append(attacked.cpu().numpy())
    return np.concatenate(made)


class _Target(NamedTuple):
    """What is attacked: a net, or several at once, of which `net` is the first."""

    net: Any
    classes: NDArray
    module: nn.Module
    inputs: Callable[[Any], Tensor]


def _target_of(estimator: Any, batch_size: int) -> _Target:
    view = ModelView.of(estimator, caller="adversarial_examples", batch_size=batch_size)
    members = getattr(view.estimator, "members_", None)
    if members is None:
        net = _net_view(view)
        return _Target(net.estimator, net.classes_, net.deciding_module, net.float_inputs)
    views = [_net_view(ModelView.of(member, caller="adversarial_examples")) for member in members]
    columns = [torch.as_tensor(np.searchsorted(view.classes_, each.classes_)) for each in views]
    module = _MeanOfNets([each.logits_module for each in views], columns, len(view.classes_))
    return _Target(views[0].estimator, view.classes_, module, views[0].float_inputs)


def _net_view(view: ModelView) -> NetView:
    view.require("gradients")
    assert isinstance(view, NetView)
    view.refuse_earlier_steps("adversarial examples")
    return view


class _MeanOfNets(nn.Module):
    """Logarithm of the mean of several nets' probabilities, which serves as logits."""

    def __init__(self, modules: list[nn.Module], columns: list[Tensor], n_classes: int) -> None:
        super().__init__()
        self.nets = nn.ModuleList(modules)
        self.columns = columns
        self.n_classes = n_classes

    def forward(self, X: Tensor) -> Tensor:
        logs = []
        for net, columns in zip(self.nets, self.columns, strict=True):
            own = net(X.clone()).log_softmax(dim=1)  # each may overwrite what it gets
            full = own.new_full((len(X), self.n_classes), torch.finfo(own.dtype).min / 2)
            logs.append(full.index_copy(1, columns.to(own.device), own))
        return torch.stack(logs).logsumexp(dim=0)
