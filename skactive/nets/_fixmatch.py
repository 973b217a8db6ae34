"""A semi-supervised net for few labels: FixMatch, alone or as a teacher."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from sklearn.base import clone
from torch import Tensor
from torch.nn import functional as F

from ..losses import RST
from ..utils.indexing import Rows
from ..utils.validation import COUNT, Number, StrOptions
from ._batches import BatchIterator, RepeatedBatches
from ._net import NetClassifier
from ._pool import as_device_batch
from ._run import TrainingRun, weighted_mean
from ._views import RandomAffine, resolve_view, seen
from .recipes import EMA, CosineDecay

_OF_IMAGES = {"augment": 0.4, "weak": 0.3, "strong": 1.0}  # what "auto" is


class FixMatchRun(TrainingRun):
    """One training of a `FixMatch`."""

    def _prepare(self, unlabeled: Rows | None, given: Any) -> None:
        if given is not None:
            raise ValueError("FixMatch makes labels of the pool itself: leave y_unlabeled out.")
        self.views = self._resolved_views()
        super()._prepare(unlabeled, None)
        if unlabeled is None:
            warnings.warn(
                f"FixMatch was given no unlabelled points and learns from the "
                f"{len(self.samples.y)} labelled ones alone. Pass X_unlabeled=…, or mark them with "
                "y == -1.",
                UserWarning,
                stacklevel=2,
            )

    def _resolved_views(self) -> dict[str, Any]:
        net = self.net
        images = len(net.input_shape_) == 3
        auto = _OF_IMAGES if images else dict.fromkeys(_OF_IMAGES)
        views = {name: auto[name] if getattr(net, name) == "auto" else getattr(net, name)
                 for name in net._views}  # fmt: skip
        for name, view in views.items():
            if not images and isinstance(resolve_view(view), RandomAffine):
                raise ValueError(
                    f"{name}={view!r} moves images, but the samples have shape "
                    f"{tuple(net.input_shape_)}. Pass None, or a function of a batch."
                )
        return views

    def _labels_of(self, rows: Rows) -> None:
        """None before the training: each update makes its own."""
        self.net.n_pseudo_labels_ = len(rows)

    def _posed(self, batch: Any) -> Callable[[], tuple[Tensor, Tensor]]:
        """Labelled points and both views of points of the pool, through the net as one."""
        net = self.net
        X, y, weights, as_is, n_pool = as_device_batch(batch, self.device)
        cut = len(X) - n_pool
        inputs = self._seen(X[:cut], X[cut:], None if as_is is None else as_is[:cut])
        if net.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        y = y[:cut]
        weights = None if weights is None else weights[:cut]

        def evaluate() -> tuple[Tensor, Tensor]:
            output = net.infer(inputs)
            logits, pooled = output[:cut], output[cut:]
            own = F.cross_entropy(logits, y, reduction="none", label_smoothing=self._smoothing)
            loss = weighted_mean(own, weights)
            if n_pool:
                weak, strong = pooled[:n_pool], pooled[-n_pool:]
                of_pool = consistency(weak, strong, float(net.threshold))
                loss = loss + float(net.unlabeled_weight) * of_pool.mean()
            return logits, loss

        return evaluate

    @property
    def _smoothing(self) -> float:
        return float(self.net.criterion_.label_smoothing)

    def _seen(self, labelled: Tensor, pool: Tensor, as_is: Tensor | None) -> Tensor:
        """Labelled points, weak views and strong ones; a pool without views comes once."""
        views, parts = dict(self.views), [labelled, pool, pool]
        if not len(pool) or (views["weak"] is None and views["strong"] is None):
            del views["strong"]
            parts.pop()
        if not len(pool):
            del views["weak"]
            parts.pop()
        inputs = seen(views, parts, self.view_bounds, self.generator)
        if as_is is not None:
            inputs[: len(labelled)][as_is] = labelled[as_is]
        return inputs


def consistency(weak: Tensor, strong: Tensor, threshold: float) -> Tensor:
    """Cross-entropy of strong views to the class of weak ones, where that one is sure, else 0.

    Parameters
    ----------
    weak, strong : Tensor of shape (n, n_classes)
        Logits.
    threshold : float
        What the probability of the class must exceed.

    Returns
    -------
    losses : Tensor of shape (n,)
    """
    sure, classes = torch.softmax(weak.detach(), dim=1).max(dim=1)
    return F.cross_entropy(strong, classes, reduction="none") * (sure > threshold)


class FixMatch(NetClassifier):
    """A net that learns from few labels and many points without one, no attack involved.

    Each batch holds labelled points and points of the pool, the latter in a weak and a strong
    view. The class that the net gives the weak view, where it is sure, is what the strong view is
    taught. Alone it is a classifier for ten labels a class; as ``teacher=FixMatch()`` of an
    `AdversarialNetClassifier` it gives the pseudo-labels from which that learns to be robust.

    Parameters
    ----------
    module : torch module class or instance, or None, default=None
        As in `AdversarialNetClassifier`. ``None``, for a teacher: the module, with its
        ``module__…``, of the net that is taught.
    threshold : float in (0, 1), default=0.95
        Points of the pool count where the probability of the weak view's class exceeds it.
    augment, weak, strong : "auto", float, callable or None, default="auto"
        Views of labelled points, and of points of the pool. A number is the strength of a
        `RandomAffine` of images; a callable is called as `augment` of `AdversarialNetClassifier`
        is; ``None`` is the point itself. ``"auto"`` is .4, .3 and 1 for images, and ``None`` for
        anything else: without any view the net is taught its own sure predictions
        (pseudo-labelling, Lee 2013). For tables, noise of the features' scale may do more:
        ``strong=lambda X: X + 0.1 * torch.randn_like(X)``.
    unlabeled_weight : float, default=1.0
        Weight of the pool's loss, a mean over all its points in the batch, sure or not.
    unlabeled_fraction : float in (0, 1), default=0.75
        Share of the pool's points in a batch.
    batch_size : int, default=200
        Of both together: 50 labelled points, which come as often as that takes, and 150 of the
        pool, 350 images to the module.
    max_epochs : int, default=25
    updates_per_epoch : int, default=100
        An epoch is so many updates, however many labels there are (one pass over the labelled
        points with an `iterator_train` of your own).
    bounds : (float, float) or None, default=None
        Range that views are clipped to; as a teacher that of the net, if ``None``.
    callbacks : list of callbacks, "disable" or None, default=None
        Beside ``ema``, an `EMA` of decay .995 whose weights predict, and ``cosine_decay``, a
        `CosineDecay` of the learning rate: ``callbacks__ema__decay``, ``callbacks__ema=None``.
    optimizer : torch optimizer class, default=torch.optim.Adam
    lr : float, default=2e-3
    classes, random_state, channels_last, **kwargs
        As in `AdversarialNetClassifier`.

    Attributes
    ----------
    module_, classes_, n_features_in_, input_shape_, n_validation_labels_, history_
        As in `AdversarialNetClassifier`.
    n_pseudo_labels_ : int
        Points of the pool in the last training.

    Warns
    -----
    UserWarning
        If there is no pool: it is trained on the labelled points alone.

    Notes
    -----
    All views go through the module as one batch, as in the paper, so that BatchNorm sees one
    distribution. Departures: affine maps in place of RandAugment, which suits digits and is one
    call for a batch; Adam in place of SGD; a shorter average of the weights; no weight decay.

    References
    ----------
    Sohn et al., "FixMatch: simplifying semi-supervised learning with consistency and confidence",
    NeurIPS 2020. Lee, "Pseudo-label", ICML workshop 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.nets import FixMatch
    >>> from skactive.networks import LeNet5
    >>> X, y = np.random.default_rng(0).random((60, 1, 28, 28), dtype="float32"), np.arange(20) % 2
    >>> alone = FixMatch(LeNet5, max_epochs=1, updates_per_epoch=2, batch_size=16, random_state=0)
    >>> alone.fit(X[:20], y, X_unlabeled=X[20:]).predict(X).shape
    (60,)
    >>> net = AdversarialNetClassifier(LeNet5, unlabeled="rst", teacher=FixMatch())
    >>> net.set_params(teacher__threshold=0.9).teacher.threshold
    0.9
    """

    attack = None
    loss = "adversarial"
    unlabeled = RST()
    _run_type = FixMatchRun
    _views = ("augment", "weak", "strong")
    _view_words = frozenset({"auto"})
    _owners = ()
    _parameter_constraints: ClassVar[dict[str, list]] = {
        "threshold": [Number("a number in (0, 1)", 0, 1)],
        "unlabeled_fraction": [Number("a number in (0, 1)", 0, 1)],
        "unlabeled_weight": [Number("a positive number", 0)],
        "updates_per_epoch": [COUNT],
        "callbacks": [list, tuple, StrOptions({"disable"}), None],
    }

    def __init__(
        self,
        module: Any = None,
        *,
        threshold: float = 0.95,
        augment: Any = "auto",
        weak: Any = "auto",
        strong: Any = "auto",
        unlabeled_weight: float = 1.0,
        unlabeled_fraction: float = 0.75,
        batch_size: int = 200,
        max_epochs: int = 25,
        updates_per_epoch: int = 100,
        bounds: tuple[float, float] | None = None,
        classes: Any = None,
        callbacks: Any = None,
        optimizer: Any = torch.optim.Adam,
        lr: float = 2e-3,
        random_state: Any = None,
        channels_last: bool = False,
        criterion: Any = torch.nn.CrossEntropyLoss,
        iterator_train: Any = RepeatedBatches,
        iterator_train__shuffle: bool = True,
        iterator_valid: Any = BatchIterator,
        train_split: Any = None,
        verbose: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            module,
            criterion=criterion,
            optimizer=optimizer,
            lr=lr,
            max_epochs=max_epochs,
            batch_size=batch_size,
            iterator_train=iterator_train,
            iterator_train__shuffle=iterator_train__shuffle,
            iterator_valid=iterator_valid,
            train_split=train_split,
            verbose=verbose,
            classes=classes,
            callbacks=callbacks,
            **kwargs,
        )
        self.threshold = threshold
        self.augment = augment
        self.weak = weak
        self.strong = strong
        self.unlabeled_weight = unlabeled_weight
        self.unlabeled_fraction = unlabeled_fraction
        self.updates_per_epoch = updates_per_epoch
        self.bounds = bounds
        self.random_state = random_state
        self.channels_last = channels_last

    def as_teacher_of(self, net: Any) -> FixMatch:
        """A clone with the classes of a net, and what is left open here as that net has it.

        Parameters
        ----------
        net : AdversarialNetClassifier
            One that knows its classes.

        Returns
        -------
        teacher : FixMatch
        """
        params: dict[str, Any] = {"classes": net.classes_}
        if self.bounds is None:
            params["bounds"] = net.bounds_
        if self.module is None:
            own = net.get_params(deep=False)
            params |= {name: own[name] for name in own if name.startswith("module__")}
            params |= {"module": net.module, "device": net.device}
        return clone(self).set_params(**params)

    def get_default_callbacks(self) -> list[tuple[str, Any]]:
        """Those of every net, the average of the weights and the falling learning rate."""
        own = [("ema", EMA(0.995)), ("cosine_decay", CosineDecay())]
        return [*super().get_default_callbacks(), *own]

    def get_params_for(self, prefix: str) -> dict[str, Any]:
        """Parameters of one component; the batches of an epoch are counted here."""
        params = super().get_params_for(prefix)
        if prefix == "iterator_train" and self.iterator_train is RepeatedBatches:
            params["n_batches"] = self.updates_per_epoch
        return params
