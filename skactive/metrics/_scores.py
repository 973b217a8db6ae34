"""Robustness as a scikit-learn metric: accuracy on attacked samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..attacks import resolve_attack
from ..utils.ranges import RADIUS
from ..utils.typing import AttackLike, Estimator, Pool, RandomState
from ..utils.validation import check_constraints
from ._evaluation import Evaluation
from ._examined import CONSTRAINTS, refuse_unknown, share
from ._report import RobustnessReport


def robust_correct(
    estimator: Estimator,
    X: Any,
    y: Any,
    attack: Any = "pgd",
    *,
    progress: bool = False,
    **params: Any,
) -> NDArray[np.bool_]:
    """Tell for each sample whether it is classified correctly and stays so under attack.

    The parameters are those of `robust_accuracy_score`.

    Returns
    -------
    correct : ndarray of shape (n_samples,), dtype bool

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.preprocessing import minmax_scale
    >>> from skactive.attacks import TabularSquare
    >>> from skactive.metrics import robust_correct
    >>> X, y = load_iris(return_X_y=True)
    >>> X = minmax_scale(X)
    >>> model = LogisticRegression().fit(X, y)
    >>> kept = robust_correct(model, X, y, TabularSquare(eps=0.05, n_queries=20))
    >>> bool((kept <= (model.predict(X) == y)).all())
    True
    """
    return Evaluation(estimator, X, y, attack, **params).run(progress=progress).correct


def robustness_report(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    attack: AttackLike = "autoattack",
    *,
    eps: float | None = None,
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    random_state: RandomState = 0,
    certify: bool | str = False,
    audit: float = 0.02,
    checkpoint: str | Path | None = None,
    progress: bool = False,
) -> RobustnessReport:
    """Accuracy, robust accuracy, and what each part of the attack left; resumable.

    Parameters
    ----------
    estimator, X, y, eps, bounds, batch_size, random_state, progress
        As in `robust_accuracy_score`.
    attack : Attack, str or torchattacks class, default="autoattack"
        `AutoAttack` reports the survivors of each of its parts.
    certify : bool, "ibp" or "crown", default=False
        Whether to certify samples first, see `certified_accuracy_score`; True is ``"ibp"``. What
        is certified is not attacked, since nothing would turn it, and the report ends with the
        certified accuracy: accuracy, accuracy under attack and certified accuracy, each at most
        the one before. Needs a net and an attack with a radius (L∞, or L2, whose ball is smaller).
    audit : float in [0, 1], default=0.02
        Share of the certified samples, drawn at random (one a batch at least), that are attacked
        all the same, so that a wrong bound cannot pass in silence; 0 attacks none.
    checkpoint : path or None, default=None
        File in which finished batches are kept. A run that was killed goes on from there when
        it is called again, and ends as if it had not been. For data in memory.

    Returns
    -------
    report : RobustnessReport

    Raises
    ------
    ValueError
        As in `robust_accuracy_score`; also if `checkpoint` belongs to another model, other
        data or another attack, is damaged, or is given without an integer `random_state`.
    BrokenCertificateError
        If the attack turns a certified sample.

    Warns
    -----
    UserWarning
        If Square breaks more than 0.2 % of the samples after AutoAttack's white-box parts, or
        more than 1 % have no gradient: the figure may still be too high.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import robustness_report
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> report = robustness_report(net, X[500:550], y[500:550], "autoattack-fast", eps=0.02)
    >>> list(report.survivors)
    ['clean', 'apgd-ce', 'apgd-t', 'square']
    >>> proved = robustness_report(net, X[500:550], y[500:550], eps=0.02, certify=True)
    >>> [row["part"] for row in proved][-1]
    'certified'
    >>> proved.accuracy >= proved.robust_accuracy >= proved.certified_accuracy > 0
    True
    """
    if checkpoint is not None and not isinstance(random_state, (int, np.integer)):
        raise ValueError(
            f"checkpoint needs an integer random_state, so that a run can be continued; got "
            f"{random_state!r}."
        )
    evaluation = Evaluation(
        estimator,
        X,
        y,
        attack,
        eps=eps,
        bounds=bounds,
        batch_size=batch_size,
        random_state=random_state,
        certify=certify,
        audit=audit,
    )
    return evaluation.run(None if checkpoint is None else Path(checkpoint), progress)


def robust_accuracy_score(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    attack: AttackLike = "pgd",
    *,
    eps: float | None = None,
    bounds: tuple[float, float] | None = None,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
    random_state: RandomState = 0,
    progress: bool = False,
) -> float:
    """Accuracy on adversarial examples: the share of samples that no attack turns.

    Samples that are misclassified to begin with count as not robust and are not attacked.

    Parameters
    ----------
    estimator : fitted estimator
        An `AdversarialNetClassifier` or another skorch classifier, a Pipeline that ends in
        one (the net's input is attacked, after the earlier steps), or a learner over one. Under
        a black-box attack (``"square"``, `TabularSquare`) any classifier with ``predict_proba``
        or ``decision_function``: what is attacked is then `X` itself, before all steps.
    X : array-like of shape (n_samples, ...)
        Data of Dask, Ray, PyArrow, Hugging Face or xarray is attacked in partitions, where it is;
        a batch that crosses partitions comes to this machine, so that batches and their seeds, and
        with them the score, are those of memory.
    y : array-like of shape (n_samples,)
        True labels, of the type of ``estimator.classes_``; in memory, or in partitions.
    attack : Attack, str or torchattacks class, default="pgd"
        An attack object, a name (``"pgd"``, ``"fgsm"``, ``"square"``, ``"autoattack"``,
        ``"autoattack-fast"``) or one of the papers' settings (``"dre-mnist-pgd"``, …; see
        `skactive.attacks.resolve_attack`).
    eps : float or None, default=None
        Radius in the net's input units (8/255 for images in [0, 1]); ``None`` keeps the
        attack's own.
    bounds : (float, float) or None, default=None
        Range of the inputs; ``None`` takes the attack's, or the net's for named attacks:
        (0, 1) where neither says otherwise. Tables on other scales need theirs.
    sample_weight : array-like of shape (n_samples,) or None, default=None
    batch_size : int, default=256
        Samples attacked at once.
    random_state : None, int, RandomState or Generator, default=0
        Seeds random starts and black-box attacks; a score is repeatable by default.
    progress : bool, default=False
        Show a progress bar, or lines where tqdm is not installed.

    Returns
    -------
    score : float in [0, 1]

    Raises
    ------
    ValueError
        If `X` and `y` differ in length, `y` holds missing labels or any that the estimator does
        not know (``"3"`` for 3), `X` leaves `bounds`, `batch_size` is below 1, `attack` is not
        known, or weights are negative, not finite or all 0.
    CapabilityError
        If the estimator is no net and the attack needs gradients, or it has no scores.

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
    return share(correct, sample_weight)


class RobustScorer:
    """What `make_robust_scorer` returns: ``scorer(estimator, X, y) -> float``.

    Parameters
    ----------
    attack : Attack, str or torchattacks class
        See `robust_accuracy_score`.
    params : dict
        Its further parameters.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from skactive.attacks import TabularSquare
    >>> from skactive.metrics import make_robust_scorer
    >>> X, y = np.array([[0.0], [0.4], [0.6], [1.0]] * 2), [0, 0, 1, 1] * 2
    >>> scorer = make_robust_scorer(TabularSquare(eps=0.2, n_queries=50))
    >>> scorer(LogisticRegression().fit(X, y), X, y)  # the boundary is at 0.5
    0.5
    >>> cross_val_score(LogisticRegression(), X, y, scoring=scorer, cv=2).tolist()
    [0.5, 0.5]
    """

    def __init__(self, attack: AttackLike, params: dict[str, Any]) -> None:
        self.attack = attack
        self.params = params

    def __call__(
        self,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Robust accuracy of a fitted estimator."""
        return robust_accuracy_score(
            estimator, X, y, self.attack, sample_weight=sample_weight, **self.params
        )

    def __repr__(self) -> str:
        params = "".join(f", {key}={value!r}" for key, value in self.params.items())
        return f"make_robust_scorer({self.attack!r}{params})"


def make_robust_scorer(attack: AttackLike = "pgd", **params: Any) -> RobustScorer:
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
        If the attack's name is not known, or a parameter is out of range.

    Examples
    --------
    >>> from skactive.metrics import make_robust_scorer
    >>> make_robust_scorer("pgd", eps=0.1)
    make_robust_scorer('pgd', eps=0.1)
    """
    refuse_unknown(
        "make_robust_scorer",
        params,
        {"eps", "bounds", "batch_size", "random_state", "progress"},
        " Settings of the attack go into an attack object, such as PGD(eps=0.3, steps=50).",
    )
    allowed = {**CONSTRAINTS, "eps": [RADIUS, None]}
    check_constraints(allowed, params, "make_robust_scorer")
    resolve_attack(attack, eps=params.get("eps"))  # fails now rather than inside a search
    return RobustScorer(attack, params)
