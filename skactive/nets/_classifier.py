"""A skorch classifier trained on attacked batches."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import validate_data
from torch import Tensor

from ..attacks import check_bounds, resolve_attack
from ..passes.inference import forward_in_batches
from ..utils.indexing import Rows
from ..utils.inputs import as_batch, as_float_tensor
from ..utils.validation import Interval, StrOptions
from ._batches import BatchIterator
from ._certified import enforced_bounds
from ._checks import check_logits, check_shape, refuse_channels_last
from ._pretrained import module_and_classes
from ._training import TrainedNet


class AdversarialNetClassifier(TrainedNet):
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
    loss : {"adversarial", "trades", "mart", "ibp"} or Loss, default="adversarial"
        What labelled samples are trained on: a name, or an object of `skactive.losses` such as
        ``TRADES(beta=2)``, whose parameters can be set and searched as ``loss__beta``.
        ``"adversarial"``: `criterion` on the attacked batch (Madry et al.). ``"ibp"``:
        certified training (`IBP`), which runs no attack.
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
    unlabeled_fraction : float, default=0.5
        Their share of each batch. An epoch remains one pass over the labelled samples.
    unlabeled_weight : float, default=1.0
        Weight of such a sample against a labelled one.
    teacher : classifier or None, default=None
        Gives the pseudo-labels; ``None`` is a clone of this net trained without an attack and
        without `callbacks`.
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
        On logits.
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
        "unlabeled_fraction": [Interval(Real, 0, 1, closed="neither")],
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
        unlabeled_fraction: float = 0.5,
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

    @property
    def classes_(self) -> NDArray:
        """Labels, the columns of `predict_proba`."""
        try:
            return self.classes_fitted_
        except AttributeError:
            raise AttributeError("classes_ is known once the net is fitted.") from None

    @property
    def bounds_(self) -> tuple[float, float]:
        """Range of the inputs in force."""
        if self.bounds is not None:
            return self.bounds
        return (0, 1) if self.attack is None else resolve_attack(self.attack).bounds

    @classmethod
    def from_module(cls, module: Any, classes: Any = None, X: Any = None, **params: Any) -> Any:
        """A fitted net around a module that was trained elsewhere.

        Parameters
        ----------
        module : torch.nn.Module, or fitted skorch net
            Returns logits (skorch nets: whatever their criterion reads). Copied, never changed.
            Normalisation belongs inside, so that attacks work in the range of the raw inputs:
            ``nn.Sequential(Normalize(mean, std), module)``.
        classes : array-like of shape (n_classes,)
            The label of each output, in the order of the outputs; a skorch net's own by default.
        X : array-like of shape (n_samples, ...) or None, default=None
            A few inputs, by which shape, range and output are checked now rather than later.
        **params
            Parameters of the net: ``attack``, ``bounds``, ``max_epochs``, ….

        Returns
        -------
        net : AdversarialNetClassifier
            Every later training, by `fit` too, starts from these weights.

        Raises
        ------
        TypeError
            If `module` is neither of the two.
        ValueError
            If the classes do not fit, or the module returns no logits for `X`.

        Examples
        --------
        >>> import torch
        >>> from skactive import ActiveLearner, AdversarialNetClassifier
        >>> module = torch.nn.Linear(4, 3)  # trained, say
        >>> net = AdversarialNetClassifier.from_module(module, classes=["a", "b", "c"])
        >>> X, y = torch.rand(6, 4), ["a", "b", "c", "a", "b", "c"]
        >>> learner = ActiveLearner.from_fitted(net, X, y, "margin")
        >>> len(learner.query(torch.rand(20, 4), n=5)[0])
        5
        """
        module, labels = module_and_classes(module, classes)
        make: Any = cls
        net = make(module, classes=labels, **params)
        net._adopt(labels, X)
        return net

    # -- training -----------------------------------------------------------------------

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        X_unlabeled: Any = None,
        as_is: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train from fresh weights (or go on, with ``warm_start=True``).

        Parameters
        ----------
        X : array-like of shape (n_samples, ...), list of PIL images, or Dataset
        y : array-like of shape (n_samples,)
            Labels of any kind. With `unlabeled` set, numeric labels of -1 mark samples
            without one, unless -1 is declared in `classes`.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Those of samples without a label are not used.
        X_unlabeled : container of shape (n_unlabeled, ...) or None, default=None
            Samples without labels, in any container with rows; read batch by batch.
        as_is : array-like of bool of shape (n_samples,) or None, default=None
            Samples that are not attacked in training, because they are adversarial examples
            already: another attack would move them to twice the radius. Whatever `loss` is, they
            take `criterion` (cross-entropy with TRADES and MART) on themselves, and they are not
            held out for validation. ``None`` attacks all.
        **fit_params
            Passed on to skorch.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Before any training, if the data, the module's output or a parameter is wrong.
        """
        fresh = not (self.warm_start and self.initialized_)
        return self._learn(X, y, sample_weight, X_unlabeled, None, as_is, fresh, "fit", fit_params)

    def partial_fit(
        self,
        X: Any,
        y: Any = None,
        classes: Any = None,
        sample_weight: Any = None,
        X_unlabeled: Any = None,
        as_is: Any = None,
        **fit_params: Any,
    ) -> Any:
        """Train for ``max_epochs`` more, from the present weights and optimiser state.

        Parameters
        ----------
        X, y, sample_weight, X_unlabeled, as_is, **fit_params
            As in `fit`.
        classes : array-like or None, default=None
            All labels there are, for the first call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            As in `fit`; also if `y` holds a label that the net does not know.
        """
        fresh = not self.__sklearn_is_fitted__()
        return self._learn(
            X, y, sample_weight, X_unlabeled, classes, as_is, fresh, "partial_fit", fit_params
        )

    # -- predicting ---------------------------------------------------------------------

    def predict_proba(self, X: Any) -> NDArray:
        """Class probabilities, softmax of the logits.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes), float32
        """
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call fit first."
            )
        rows = Rows.of(X if hasattr(X, "__getitem__") else np.asarray(X))
        if len(rows) == 0:
            self.as_inputs(rows.materialise())  # says that there is nothing to predict
        logits, _ = forward_in_batches(
            self.module_, rows, self.as_inputs, batch_size=self._valid_batch_size()
        )
        if not hasattr(self, "input_shape_"):  # nothing has been checked yet: see from_module
            check_logits(self, torch.from_numpy(logits), len(rows))
        return torch.softmax(torch.from_numpy(logits), dim=1).numpy()

    def predict(self, X: Any) -> NDArray:
        """Predicted labels, shape (n_samples,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def as_inputs(self, X: Any) -> Tensor:
        """Rows of any container, checked, as the float32 tensor that the module reads."""
        X = as_batch(X)
        refuse_channels_last(self, X)
        X = validate_data(self, X, dtype=np.float32, allow_nd=True, reset=False)
        check_shape(self, X)
        bounds = enforced_bounds(self, self.attack_)
        if bounds is not None:
            check_bounds(X, bounds)
        inputs = as_float_tensor(X, next(iter(self.module_.parameters())).device)
        if self.channels_last and inputs.dim() == 4:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
        return inputs

    def _valid_batch_size(self) -> int:
        return int(super().get_params_for("iterator_valid").get("batch_size", 512))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "classes_fitted_") and self.initialized_
