"""What an estimator can tell, and where it is inside learners, searches and Pipelines."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray
from sklearn.pipeline import Pipeline
from skorch import NeuralNet

from ..exceptions import CapabilityError
from ..utils.compat import is_search
from ..utils.labels import output_labels

OF_NETS = frozenset(
    {"predict_proba", "logits", "embed", "dropout", "gradients", "boundary", "certificates"}
)
_WHO_HAS = {
    "predict_proba": "A classifier with predict_proba",
    "logits": "A net, or a classifier with decision_function",
    "embed": "A net, or a classifier of numeric features",
    "dropout": "A skorch net such as AdversarialNetClassifier, or a Committee of such,",
    "gradients": "A skorch net such as AdversarialNetClassifier",
    "boundary": "A skorch net such as AdversarialNetClassifier",
    "certificates": "A skorch net such as AdversarialNetClassifier",
    "votes": "A Committee",
}


def capabilities_of(estimator: Any) -> frozenset[str]:
    """What an estimator, fitted or not, will be able to tell; a TypeError for a class.

    Parameters
    ----------
    estimator : classifier
        Fitted or not.

    Returns
    -------
    capabilities : frozenset of str

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.model_view import capabilities_of
    >>> sorted(capabilities_of(LogisticRegression()))
    ['embed', 'logits', 'predict_proba']
    """
    if isinstance(estimator, type):
        raise TypeError(
            f"An estimator must be an object, got the class {estimator.__name__}. Create one: "
            f"{estimator.__name__}(…)."
        )
    while (search := is_search(estimator)) or _is_pipeline(estimator):
        estimator = estimator.estimator if search else estimator.steps[-1][1]
    if isinstance(estimator, NeuralNet):
        return OF_NETS
    if hasattr(estimator, "vote_proba"):
        return frozenset({"embed", "predict_proba", "votes", "dropout"})
    methods = {"predict_proba": "predict_proba", "logits": "decision_function"}
    return frozenset({"embed", *(name for name, of in methods.items() if hasattr(estimator, of))})


def require_of(estimator: Any, *capabilities: str, caller: str | None = None) -> None:
    """Raise a `CapabilityError`, before any training, unless `estimator` will have them all.

    Parameters
    ----------
    estimator : classifier
        Fitted or not.
    *capabilities : str
    caller : str or None, default=None
        In whose name to raise.

    Examples
    --------
    >>> from sklearn.svm import LinearSVC
    >>> from skactive.exceptions import CapabilityError
    >>> from skactive.model_view import require_of
    >>> try:
    ...     require_of(LinearSVC(), "predict_proba", caller="Margin")
    ... except CapabilityError as error:
    ...     print(str(error).partition(".")[0])
    Margin needs 'predict_proba', which LinearSVC does not have
    """
    require(estimator, capabilities_of(estimator), capabilities, caller)


def require(
    estimator: Any, has: frozenset[str], needs: tuple[str, ...], caller: str | None
) -> None:
    for capability in needs:
        if capability not in has:
            raise CapabilityError(
                f"{caller or 'This'} needs {capability!r}, which {type(estimator).__name__} does "
                f"not have. {_WHO_HAS[capability]} has it."
            )


def column_labels(estimator: Any, n_columns: int = 0) -> NDArray:
    """Label of each column of a fitted classifier's probabilities, where they are `n_columns`.

    skorch's own classifier does not encode labels: they are the numbers of its outputs, those that
    it was never taught included, though its ``classes_`` are what was in ``y``.

    Parameters
    ----------
    estimator : classifier
        Fitted.
    n_columns : int, default=0
        How many columns there are; 0 where the classes say so.

    Returns
    -------
    labels : ndarray of shape (n_classes,)

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skactive.model_view import column_labels
    >>> column_labels(LogisticRegression().fit([[0.0], [1.0]], ["no", "yes"])).tolist()
    ['no', 'yes']

    An output of skorch's classifier that ``y`` has no example of is a column, too:

    >>> import numpy as np
    >>> import torch
    >>> from skorch import NeuralNetClassifier
    >>> net = NeuralNetClassifier(torch.nn.Linear(1, 3), train_split=None, max_epochs=1,
    ...                           criterion=torch.nn.CrossEntropyLoss, verbose=0)
    >>> net = net.fit(np.zeros((2, 1), dtype="float32"), np.array([0, 2]))
    >>> net.classes_.tolist(), column_labels(net).tolist()
    ([0, 2], [0, 1, 2])
    """
    final, _ = unwrap(estimator)
    return output_labels(final, n_columns)


def unwrap(estimator: Any) -> tuple[Any, Any]:
    """The final estimator inside learners, searches and Pipelines, and the steps before it."""
    before = None
    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "learner_") and hasattr(estimator, "n_labels_"):
            estimator = estimator.learner_
        elif hasattr(estimator, "estimator_") and hasattr(estimator, "X_labeled_"):
            estimator = estimator.estimator_
        elif _is_pipeline(estimator):
            if len(estimator.steps) > 1:
                steps = estimator[:-1]
                before = steps if before is None else Pipeline([*before.steps, *steps.steps])
            estimator = estimator.steps[-1][1]
        else:
            return estimator, before


def _is_pipeline(estimator: Any) -> bool:
    """Whether it is a Pipeline, of scikit-learn or of another library."""
    return isinstance(getattr(estimator, "steps", None), list)
