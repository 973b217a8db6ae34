"""A skorch classifier trained on attacked batches."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import torch

from ..utils.validation import Interval, StrOptions
from ._batches import BatchIterator
from ._facts import NetFacts
from ._net import NetClassifier


class AdversarialNetClassifier(NetFacts, NetClassifier):
    """A skorch ``NeuralNetClassifier`` trained on attacked batches.

    Parameters
    ----------
    module : torch module class or instance
        Returns logits of shape (n, n_classes). An instance is copied: its weights are where each
        fit starts. If the class takes ``n_classes``,
        ``in_channels``, ``input_size`` (images) or ``n_features`` (tables) and they are not
        set as ``module__…``, they are taken from the data.
    attack : Attack, str, torchattacks class or None, default="pgd"
        Replaces each training batch by its attacked counterpart: an attack object such as
        ``PGD(eps=0.3, alpha=0.01, steps=40)``, whose parameters can be set and searched as
        ``attack__eps``; a name (see `skactive.attacks.resolve_attack`);
        ``TorchAttack("FFGSM", …)``. ``None`` is standard training.
    loss : {"adversarial", "trades", "mart", "ibp", "crown-ibp", "sabr", "mtl-ibp"} or Loss, \
default="adversarial"
        What labelled samples are trained on: a name, or an object of `skactive.losses` such as
        ``TRADES(beta=2)``, whose parameters can be set and searched as ``loss__beta``.
        ``"adversarial"``: `criterion` on the attacked batch (Madry et al.). ``"ibp"``,
        ``"crown-ibp"``: certified training, on bounds in place of an attack; ``"sabr"``,
        ``"mtl-ibp"``: on bounds and an attack.
    bounds : (float, float) or None, default=None
        Range of the inputs; ``None`` takes the attack's, (0, 1) by default. Put any
        normalisation inside the module.
    classes : array-like or None, default=None
        All labels that may ever occur, for labelled sets that may miss some.
    augment : callable or None, default=None
        Batch of inputs -> such a batch, a tensor of the same shape: applied to training batches
        (points of the pool included) before the attack, and clipped to `bounds`. Validation,
        queries and predictions do without. Transforms of torchvision, such as
        ``torchvision.transforms.RandomCrop(28, padding=2)``, draw anew for each sample.
    unlabeled : {"rst", "uat-ft", "uat-kl", "uat++"}, object or None, default=None
        Learn from samples without labels too (``X_unlabeled=``, or ``y == -1``), on what loss: a
        name, or an object such as ``UATKL(beta=2)``, set as ``unlabeled__beta``. ``"rst"``,
        robust self-training: `loss` on pseudo-labels of a cleanly trained `teacher`.
        ``"uat-ft"``: cross-entropy under attack to those labels, whatever `loss` is.
        ``"uat-kl"``: β · KL to the net's own clean prediction, no pseudo-labels.
        ``"uat++"``: the sum of the last two. Cost: an update costs the same, an epoch has
        1 / (1 − `unlabeled_fraction`) times the updates, and the teacher is trained.
    unlabeled_fraction : float in (0, 1) or "data", default=0.5
        Their share of each batch; an epoch remains one pass over the labelled samples.
        ``"data"``: all points, labelled or not, are drawn alike, and an epoch is one pass over
        them all. Samples that a strategy asked for are hard ones, whose overweight can cost more
        than their labels bring.
    unlabeled_weight : float, default=1.0
        Weight of such a sample against a labelled one.
    teacher : classifier or None, default=None
        Gives the pseudo-labels; ``None`` is a clone of this net trained without an attack and
        without `callbacks`. One that learns from a pool, such as `FixMatch`, is handed it. A
        teacher that was trained before is ``sklearn.frozen.FrozenEstimator(fitted)``; labels
        that were made before are `fit`'s ``y_unlabeled``.
    callbacks : list of callbacks or (name, callback), "disable" or None, default=None
        What changes a training or looks on: recipes of `skactive.callbacks` (`EpsWarmup`, `EMA`,
        `SWA`, `AWP`, `BestEpoch`, a `Recipe` of your own) and skorch's callbacks. Recipes are
        set and searched as ``callbacks__awp__gamma``; ``callbacks__awp=None`` switches one off.
        Each net has an `OverfittingGuard` of its own accord (``callbacks__overfitting_guard``).
    random_state : None, int, RandomState or Generator, default=None
        Seeds initial weights, order of the batches, dropout, attacks, `augment` and what a
        Dataset draws from the global generators of torch, NumPy or Python: two fits with the
        same integer are equal bit by bit on one machine. These generators are left as they
        were. A generator of a Dataset's own is its owner's to seed.
    channels_last : bool, default=False
        Keep weights and images in channels-last memory format (for GPUs).
    optimizer : torch optimizer class, default=torch.optim.Adam
    lr : float, default=1e-3
    max_epochs : int, default=10
    batch_size : int, default=100
    criterion : torch criterion class, default=torch.nn.CrossEntropyLoss
        On logits. Parameters, such as class weights, are ``criterion__weight``; what `loss` would
        not read is refused.
    **kwargs
        All other parameters of skorch's ``NeuralNetClassifier``: ``device``, ``compile``,
        ``warm_start``, ``verbose``, ``optimizer__…``, ``module__…``, ….
        ``train_split`` is ``None`` and ``verbose`` 0 here by default.

    Attributes
    ----------
    module_ : torch.nn.Module
    attack_ : Attack or None
    classes_ : ndarray of shape (n_classes,)
        Never shrinks in ``partial_fit``.
    n_features_in_ : int
    input_shape_ : tuple of int
        Shape of one sample.
    n_validation_labels_ : int
    n_pseudo_labels_ : int
        Unlabelled samples of the last training that were given a label.
    teacher_ : classifier or None
        What gave them.
    history_ : skorch.History

    Notes
    -----
    Batches are attacked with the module in **eval mode**: BatchNorm uses its running
    statistics and does not update them from the many intermediate adversarial batches, and
    dropout does not make the gradient noisy. The gradient step that follows is taken in train
    mode, so that the statistics see each batch once, attacked as it is trained on. Each
    sub-module's mode is restored in between.

    Inputs are arrays, tensors, lists of PIL images or Datasets in `bounds`, cast to float32;
    bytes (uint8) are divided by 255. Images have their channels first; PIL images are brought
    into that form. Of a Dataset, whose items may be ``x``, ``(x, y)`` or dicts such as
    ``{"image": …, "label": …}``, each training batch is read anew, so that its random transforms
    differ from epoch to epoch; labels are read once before unless ``y`` is passed, and
    validation samples are kept. ``iterator_train=torch.utils.data.DataLoader`` and
    ``iterator_train__num_workers=4`` read in parallel. With an attack, inputs outside `bounds`
    are refused, in fit and in prediction; after a scaler use ``MinMaxScaler(clip=True)``.

    Ctrl-C leaves a usable net, trained so far, and is passed on, so that a script stops (skorch
    goes on silently); before the first update, and after any other failure, a net that was fitted
    is as before (module, optimiser, history, seed), and one that was not is not. While a fitted
    net is trained, that takes one more copy of its weights. A ``KeyboardInterrupt`` that a callback
    raises by itself ends the training, as in skorch.

    Threads may query and predict with one fitted net at once: nothing is written to it. Torch's
    global generators are the process's, so trainings in several threads take turns; their results
    are those of one after the other. Use processes for speed.

    References
    ----------
    Madry et al., "Towards deep learning models resistant to adversarial attacks", ICLR 2018.
    Carmon et al., "Unlabeled data improves adversarial robustness", NeurIPS 2019 (RST).
    Alayrac et al., "Are labels required for improving adversarial robustness?", NeurIPS 2019
    (UAT).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.attacks import PGD
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=PGD(eps=0.05, steps=3), random_state=0)
    >>> net.fit(X[:500], y[:500]).predict(X[:3]).shape
    (3,)
    >>> net.set_params(attack__eps=0.1).attack.eps
    0.1
    """

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "callbacks": [list, tuple, StrOptions({"disable"}), None],
        "unlabeled_fraction": [Interval(Real, 0, 1, closed="neither"), StrOptions({"data"})],
        "unlabeled_weight": [Interval(Real, 0, None, closed="neither")],
    }

    def __init__(
        self,
        module: Any,
        *,
        attack: Any = "pgd",
        loss: Any = "adversarial",
        bounds: tuple[float, float] | None = None,
        classes: Any = None,
        augment: Any = None,
        unlabeled: Any = None,
        unlabeled_fraction: float | str = 0.5,
        unlabeled_weight: float = 1.0,
        teacher: Any = None,
        callbacks: Any = None,
        random_state: Any = None,
        channels_last: bool = False,
        criterion: Any = torch.nn.CrossEntropyLoss,
        optimizer: Any = torch.optim.Adam,
        lr: float = 1e-3,
        max_epochs: int = 10,
        batch_size: int = 100,
        iterator_train: Any = BatchIterator,
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
        self.attack = attack
        self.loss = loss
        self.bounds = bounds
        self.augment = augment
        self.unlabeled = unlabeled
        self.unlabeled_fraction = unlabeled_fraction
        self.unlabeled_weight = unlabeled_weight
        self.teacher = teacher
        self.random_state = random_state
        self.channels_last = channels_last
