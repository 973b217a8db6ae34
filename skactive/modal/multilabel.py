"""Several labels per sample."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..exceptions import CapabilityError
from ._proba import check_has_proba, in_batches
from .utils.selection import multi_argmin, pick, shuffled_argmin


def _SVM_loss(
    multiclass_classifier: Any, X: Any, most_certain_classes: ArrayLike | None = None
) -> NDArray:
    """Hinge loss of the predicted labels (±1) against one label, or a mean over all labels.

    With h the predicted labels as ±1 and e the vector that is 1 for one label and −1 for the
    others, the loss against that label is Σ max(0, 1 − e h), label by label; that of which the mean
    is taken is max(0, 1 − Σ e h). Both are modAL's.

    Parameters
    ----------
    multiclass_classifier : classifier with ``predict`` and ``classes_``
    X : array-like of shape (n_samples, ...)
    most_certain_classes : array-like of shape (n_samples,) or None, default=None
        Position of the label each sample is compared to; ``None`` for the mean over all.

    Returns
    -------
    loss : ndarray of shape (n_samples,)
    """
    signs = 2.0 * _dense(multiclass_classifier.predict(X)) - 1
    if signs.ndim != 2:
        raise CapabilityError(
            "The multilabel strategies need a prediction of one column per label, got shape "
            f"{signs.shape}. Fit a OneVsRestClassifier on a label indicator matrix."
        )
    if most_certain_classes is None:
        totals = signs.sum(axis=1, keepdims=True)
        # Σ e h = h_c − Σ of the others
        return np.maximum(1 - (2 * signs - totals), 0).mean(axis=1)
    wanted = np.full_like(signs, -1.0)
    np.put_along_axis(wanted, np.asarray(most_certain_classes)[:, None], 1.0, axis=1)
    return np.maximum(1 - wanted * signs, 0).sum(axis=1)


def SVM_binary_minimum(
    classifier: Any,
    X_pool: Any,
    random_tie_break: bool = False,
    *,
    n_instances: int | None = None,
    random_state: Any = None,
) -> tuple[Any, Any]:
    """Pick the samples nearest to the boundary of any label.

    Parameters
    ----------
    classifier : learner of a fitted OneVsRestClassifier of SVMs
    X_pool : array-like of shape (n_pool, n_features)
    random_tie_break : bool, default=False
        Equal distances in random order.
    n_instances : int or None, default=None
        ``None`` gives a single index, as in modAL; a number an array.
    random_state : None, int or RandomState, default=None

    Returns
    -------
    index : int, or ndarray of shape (n_instances,)
    distance : float, or ndarray of shape (n_instances,)
        Smallest absolute value of the members' decision functions.

    Raises
    ------
    CapabilityError
        If the classifier is no such learner, or not fitted; a `TypeError`.

    References
    ----------
    Brinker, "On active learning in multi-label classification", 2006.

    Examples
    --------
    Each label has its boundary where one of the two features is 1:

    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.svm import SVC
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import SVM_binary_minimum
    >>> X = np.array([[0, 0], [0, 2], [2, 0], [2, 2]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(SVC(kernel="linear")), query_strategy=SVM_binary_minimum,
    ...     X_training=X, y_training=(X > 1).astype(int))
    >>> query_idx, query_instance, distance = learner.query(
    ...     np.array([[0.5, 0.2], [1.1, 0.0], [2.0, 2.0]]), return_metrics=True)
    >>> int(query_idx), query_instance.tolist(), round(float(distance), 2)
    (1, [1.1, 0.0], 0.1)
    """
    members = getattr(getattr(classifier, "estimator", classifier), "estimators_", None)
    if members is None or not all(hasattr(svm, "decision_function") for svm in members):
        raise CapabilityError(
            "SVM_binary_minimum needs a learner of a fitted OneVsRestClassifier whose members have "
            "a decision_function, such as OneVsRestClassifier(SVC(kernel='linear'))."
        )
    distance = np.min([np.abs(svm.decision_function(X_pool)) for svm in members], axis=0)
    if random_tie_break:
        indices, values = shuffled_argmin(distance, n_instances or 1, random_state=random_state)
    else:
        indices, values = multi_argmin(distance, 1 if n_instances is None else n_instances)
    return (indices, values) if n_instances is not None else (indices[0], values[0])


def max_loss(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest loss against their most certain label.

    With the predicted labels h and the most certain label e, both as ±1 for each label, the loss is
    Σ max(0, 1 − e h), label by label: 2 for each label that is predicted beside the most certain
    one, and 2 where that is not.

    Parameters
    ----------
    classifier : learner of a OneVsRestClassifier
    X_pool : array-like of shape (n_pool, n_features)
    n_instances : int, default=1
    random_tie_break : bool, default=False
        Equal utilities in random order, the best last; else the first first.
    random_state : None, int or RandomState, default=None
        For ties. ``None`` is NumPy's global generator, as in modAL.

    Returns
    -------
    indices, utilities : ndarray of shape (n_instances,)

    Raises
    ------
    CapabilityError
        If the classifier has no probabilities, or predicts a single label; a `TypeError`.

    References
    ----------
    Li et al., "Multilabel SVM active learning for image classification", ICIP 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import max_loss
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=max_loss,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict(pool).tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 1]]
    >>> query_idx, _, losses = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), losses.round(3).tolist()
    ([2, 0], [4.0, 2.0])
    """
    certain = label_proba(classifier, X_pool).argmax(axis=1)
    loss = _SVM_loss(classifier, X_pool, most_certain_classes=certain)
    return pick(loss, n_instances, random_tie_break, random_state)


def mean_max_loss(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples whose predicted labels are on average farthest from any label alone.

    With the predicted labels h and one label e, both as ±1 for each label, the loss is
    max(0, 1 − Σ e h), of which the mean over all labels e counts.

    Parameters
    ----------
    classifier, X_pool, n_instances, random_tie_break, random_state
        As in `max_loss`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    losses : ndarray of shape (n_instances,)

    References
    ----------
    Li et al., "Multilabel SVM active learning for image classification", ICIP 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import mean_max_loss
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=mean_max_loss,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict(pool).tolist()
    [[0, 0, 0], [1, 0, 0], [1, 1, 1]]
    >>> query_idx, _, losses = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), losses.round(3).tolist()
    ([2, 1], [2.0, 1.333])
    """
    loss = _SVM_loss(classifier, X_pool)
    return pick(loss, n_instances, random_tie_break, random_state)


def min_confidence(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the smallest least confidence over the labels.

    The confidence in a label is the probability that the sample has it.

    Parameters
    ----------
    classifier, X_pool, n_instances, random_tie_break, random_state
        As in `max_loss`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    confidences : ndarray of shape (n_instances,)
        The smallest first; with `random_tie_break` last.

    References
    ----------
    Esuli & Sebastiani, "Active learning strategies for multi-label text classification", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import min_confidence
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=min_confidence,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict_proba(pool).tolist()
    [[0.5, 0.25, 0.0], [0.75, 0.5, 0.25], [1.0, 1.0, 0.75]]
    >>> query_idx, _, confidences = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), confidences.round(3).tolist()
    ([0, 1], [0.0, 0.25])
    """
    confidence = label_proba(classifier, X_pool).min(axis=1)
    return pick(confidence, n_instances, random_tie_break, random_state, smallest=True)


def avg_confidence(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest mean confidence over the labels.

    The confidence in a label is the probability that the sample has it.

    Parameters
    ----------
    classifier, X_pool, n_instances, random_tie_break, random_state
        As in `max_loss`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    confidences : ndarray of shape (n_instances,)

    References
    ----------
    Esuli & Sebastiani, "Active learning strategies for multi-label text classification", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import avg_confidence
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=avg_confidence,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict_proba(pool).tolist()
    [[0.5, 0.25, 0.0], [0.75, 0.5, 0.25], [1.0, 1.0, 0.75]]
    >>> query_idx, _, confidences = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), confidences.round(3).tolist()
    ([2, 1], [0.917, 0.5])
    """
    confidence = label_proba(classifier, X_pool).mean(axis=1)
    return pick(confidence, n_instances, random_tie_break, random_state)


def max_score(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest signed confidence p (h − 1/2) in any label.

    p is the probability that the sample has the label, h the prediction: 1 or 0.

    Parameters
    ----------
    classifier, X_pool, n_instances, random_tie_break, random_state
        As in `max_loss`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    scores : ndarray of shape (n_instances,)

    References
    ----------
    Esuli & Sebastiani, "Active learning strategies for multi-label text classification", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import max_score
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=max_score,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict_proba(pool).tolist()
    [[0.5, 0.25, 0.0], [0.75, 0.5, 0.25], [1.0, 1.0, 0.75]]
    >>> query_idx, _, scores = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), scores.round(3).tolist()
    ([2, 1], [0.5, 0.375])
    """
    return pick(
        _scores(classifier, X_pool).max(axis=1), n_instances, random_tie_break, random_state
    )


def avg_score(
    classifier: Any,
    X_pool: Any,
    n_instances: int = 1,
    random_tie_break: bool = False,
    *,
    random_state: Any = None,
) -> tuple[NDArray, NDArray]:
    """Pick the samples with the largest signed confidence, averaged over the labels.

    The signed confidence of `max_score`.

    Parameters
    ----------
    classifier, X_pool, n_instances, random_tie_break, random_state
        As in `max_loss`.

    Returns
    -------
    indices : ndarray of shape (n_instances,)
    scores : ndarray of shape (n_instances,)

    References
    ----------
    Esuli & Sebastiani, "Active learning strategies for multi-label text classification", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skactive.modal.models import ActiveLearner
    >>> from skactive.modal.multilabel import avg_score
    >>> X, pool = np.arange(8.0)[:, None], np.array([[2.5], [3.5], [7.5]])
    >>> learner = ActiveLearner(
    ...     OneVsRestClassifier(KNeighborsClassifier(4)), query_strategy=avg_score,
    ...     X_training=X, y_training=(X > [2, 3, 4]).astype(int))
    >>> learner.predict_proba(pool).tolist()
    [[0.5, 0.25, 0.0], [0.75, 0.5, 0.25], [1.0, 1.0, 0.75]]
    >>> query_idx, _, scores = learner.query(pool, n_instances=2, return_metrics=True)
    >>> query_idx.tolist(), scores.round(3).tolist()
    ([2, 1], [0.458, 0.0])
    """
    return pick(
        _scores(classifier, X_pool).mean(axis=1), n_instances, random_tie_break, random_state
    )


def label_proba(classifier: Any, X: Any) -> NDArray:
    """Probability that each label is 1, shape (n_samples, n_labels)."""
    check_has_proba(classifier, "This multilabel strategy")
    proba = in_batches(classifier.predict_proba, X)
    if not isinstance(proba, list):
        return np.asarray(proba)
    # Forests and MultiOutputClassifier give one (n, 2) array per label.
    inner = getattr(classifier, "estimator", classifier)
    classes = getattr(inner, "classes_", [np.arange(part.shape[1]) for part in proba])
    return np.stack(
        [
            part[:, list(known).index(1)] if 1 in known else np.zeros(len(part))
            for part, known in zip(proba, classes, strict=True)
        ],
        axis=1,
    )


def _scores(classifier: Any, X: Any) -> NDArray:
    return label_proba(classifier, X) * (_dense(classifier.predict(X)) - 0.5)


def _dense(labels: Any) -> NDArray:
    return np.asarray(labels.toarray() if hasattr(labels, "toarray") else labels)
