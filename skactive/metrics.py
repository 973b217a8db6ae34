"""Robustness as a scikit-learn metric: accuracy on attacked samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .attacks import Attack, resolve_attack
from .model_view import ModelView, NetView
from .utils.indexing import Rows
from .utils.random_state import derive_seed, torch_generator


def robust_correct(
    estimator: Any,
    X: Any,
    y: Any,
    attack: Any = "pgd",
    *,
    eps: float | None = None,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    random_state: Any = 0,
    progress: bool = False,
) -> NDArray[np.bool_]:
    """Tell for each sample whether it is classified correctly and stays so under attack.

    The parameters are those of `robust_accuracy_score`.

    Returns
    -------
    correct : ndarray of shape (n_samples,), dtype bool
    """
    rows = Rows.of(X)
    y = np.asarray(y)
    if len(rows) != len(y) or len(rows) == 0:
        raise ValueError(
            f"X and y must have the same, non-zero number of samples: X has {len(rows)}, y has "
            f"{len(y)}."
        )
    view = ModelView.of(estimator, caller="robust_accuracy_score", batch_size=batch_size)
    view.require("gradients")
    assert isinstance(view, NetView)
    if bounds is None and not isinstance(attack, Attack):
        bounds = getattr(view.estimator, "bounds_", None)
    attack = resolve_attack(attack, eps=eps, bounds=bounds)
    encoded = _encode(y, view.classes_)
    seed = derive_seed(random_state)
    correct = np.zeros(len(rows), dtype=bool)
    batches = rows.batches(batch_size)
    for number, (window, batch) in enumerate(_shown(batches, len(rows), batch_size, progress)):
        correct[window] = _batch_correct(
            view, attack, batch, encoded[window], seed=derive_seed(seed, number)
        )
    return correct


def robust_accuracy_score(
    estimator: Any,
    X: Any,
    y: Any,
    attack: Any = "pgd",
    *,
    eps: float | None = None,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    random_state: Any = 0,
    progress: bool = False,
) -> float:
    """Accuracy on adversarial examples: the share of samples that no attack turns.

    Samples that are misclassified to begin with count as not robust and are not attacked.

    Parameters
    ----------
    estimator : fitted estimator
        An `AdversarialNetClassifier` or another skorch classifier, a Pipeline that ends in
        one (the net's input is attacked, after the earlier steps), or a learner over one.
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,)
        True labels.
    attack : Attack, str or torchattacks class, default="pgd"
        An attack object, a name (``"pgd"``, ``"fgsm"``, ``"square"``, ``"autoattack"``,
        ``"autoattack-fast"``) or one of the papers' settings (``"dre-mnist-pgd"``, …; see
        `skactive.attacks.resolve_attack`).
    eps : float or None, default=None
        Radius in the net's input units (8/255 for images in [0, 1]); ``None`` keeps the
        attack's own.
    bounds : (float, float) or None, default=None
        Range of the inputs; ``None`` takes the attack's, or the net's for named attacks.
    batch_size : int, default=256
        Samples attacked at once.
    random_state : None, int, RandomState or Generator, default=0
        Seeds random starts and black-box attacks; a score is repeatable by default.
    progress : bool, default=False
        Show a progress bar (needs tqdm).

    Returns
    -------
    score : float in [0, 1]

    Raises
    ------
    ValueError
        If `X` and `y` differ in length, `X` leaves `bounds`, or `attack` is not known.
    CapabilityError
        If the estimator is no net: attacks need its gradients.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import robust_accuracy_score
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> clean = net.score(X[500:700], y[500:700])
    >>> bool(robust_accuracy_score(net, X[500:700], y[500:700], eps=0.1) < clean)
    True
    """
    correct = robust_correct(
        estimator,
        X,
        y,
        attack,
        eps=eps,
        bounds=bounds,
        batch_size=batch_size,
        random_state=random_state,
        progress=progress,
    )
    return float(correct.mean())


class RobustScorer:
    """What `make_robust_scorer` returns: ``scorer(estimator, X, y) -> float``."""

    def __init__(self, attack: Any, params: dict[str, Any]) -> None:
        self.attack = attack
        self.params = params

    def __call__(self, estimator: Any, X: Any, y: Any) -> float:
        """Robust accuracy of a fitted estimator."""
        return robust_accuracy_score(estimator, X, y, self.attack, **self.params)

    def __repr__(self) -> str:
        params = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"make_robust_scorer({self.attack!r}{params})"


def make_robust_scorer(attack: Any = "pgd", **params: Any) -> RobustScorer:
    """Robust accuracy as a scorer, for ``scoring=`` anywhere in scikit-learn.

    Parameters
    ----------
    attack : Attack, str or torchattacks class, default="pgd"
        See `robust_accuracy_score`.
    **params
        ``eps``, ``bounds``, ``batch_size``, ``random_state``, ``progress``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y) -> float``; larger is better. It can be pickled.

    Raises
    ------
    TypeError
        If a parameter is not one of `robust_accuracy_score`'s.
    ValueError
        If the attack's name is not known.

    Examples
    --------
    >>> from skactive.metrics import make_robust_scorer
    >>> make_robust_scorer("pgd", eps=0.1)
    make_robust_scorer('pgd', eps=0.1)
    """
    allowed = {"eps", "bounds", "batch_size", "random_state", "progress"}
    unknown = sorted(set(params) - allowed)
    if unknown:
        raise TypeError(
            f"make_robust_scorer got unexpected {', '.join(unknown)}; it takes "
            f"{', '.join(sorted(allowed))}. Settings of the attack go into an attack object, "
            "such as PGD(eps=0.3, steps=50)."
        )
    resolve_attack(attack, eps=params.get("eps"))  # fails now rather than inside a search
    return RobustScorer(attack, params)


def _encode(y: NDArray, classes: NDArray) -> NDArray:
    """Column of each label; -1 for labels the model does not know (never classified right)."""
    position = np.searchsorted(classes, y)
    position = np.clip(position, 0, len(classes) - 1)
    return np.where(np.asarray(classes)[position] == y, position, -1)


def _batch_correct(view: NetView, attack: Attack, batch: Any, y: NDArray, *, seed: int) -> NDArray:
    inputs = view.net_inputs(batch)
    target = torch.as_tensor(y, device=inputs.device)
    correct = view.net_logits(inputs).argmax(dim=1) == target
    if correct.any():
        attacked = attack(
            view.logits_module,
            inputs[correct],
            target[correct],
            generator=torch_generator(seed, device=inputs.device),
        )
        correct[correct.clone()] = view.net_logits(attacked).argmax(dim=1) == target[correct]
    return correct.cpu().numpy()


def _shown(batches: Any, n: int, batch_size: int, progress: bool) -> Any:
    if not progress:
        return batches
    try:
        from tqdm.auto import tqdm
    except ImportError as error:
        raise ImportError("progress=True needs tqdm: pip install tqdm.") from error
    return tqdm(batches, total=-(-n // batch_size), desc="attacking", unit="batch")
