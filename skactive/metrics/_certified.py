"""Certified accuracy as a scikit-learn metric: the share of samples that no attack will turn."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ..distributed import PartitionedPool
from ..utils.progress import shown
from ..utils.typing import Estimator, Pool
from ..utils.validation import check_constraints
from ._certificates import CONSTRAINTS, Certificates
from ._examined import CONSTRAINTS as OF_BATCHES
from ._examined import OF_PROGRESS, Examined, refuse_unknown, share
from ._in_parts import examined_in_parts


def certified_correct(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    *,
    eps: float,
    method: str = "ibp",
    bounds: tuple[float, float] | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> NDArray[np.bool_]:
    """Tell for each sample whether it is classified correctly, provably within the whole ball.

    The parameters are those of `certified_accuracy_score`.

    Returns
    -------
    certified : ndarray of shape (n_samples,), dtype bool

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import certified_correct, robust_correct
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> proved = certified_correct(net, X[500:600], y[500:600], eps=0.02)
    >>> survived = robust_correct(net, X[500:600], y[500:600], eps=0.02)
    >>> bool((proved <= survived).all())
    True
    """
    caller = "certified_accuracy_score"
    check_constraints(OF_PROGRESS, {"progress": progress}, caller)
    data = Examined(estimator, X, y, batch_size, caller)
    certificates = Certificates(data.view, eps, bounds, method, caller)
    if isinstance(data.rows, PartitionedPool):
        examine = partial(_certified_batch, certificates)
        found = examined_in_parts(data.rows, data.y, batch_size, examine)
        return np.concatenate([batch["certified"] for batch in found])
    certified = np.zeros(len(data.y), dtype=bool)
    batches: Any = data.rows.batches(batch_size)
    if progress:
        batches = shown(batches, -(-len(data.y) // batch_size), "certifying", "batch")
    for window, batch in batches:
        certified[window] = _certified_batch(certificates, batch, data.y[window])["certified"]
    return certified


def _certified_batch(
    certificates: Certificates, batch: Any, y: NDArray, number: int = 0
) -> dict[str, NDArray]:
    inputs = certificates.target.inputs(batch)
    labels = torch.as_tensor(y, device=inputs.device)
    return {"certified": certificates.of(inputs, labels).cpu().numpy()}


def certified_accuracy_score(
    estimator: Estimator,
    X: Pool,
    y: ArrayLike,
    *,
    eps: float,
    method: str = "ibp",
    bounds: tuple[float, float] | None = None,
    sample_weight: ArrayLike | None = None,
    batch_size: int = 256,
    progress: bool = False,
) -> float:
    """Certified accuracy: the share of samples that provably no perturbation turns.

    A sample counts if it is classified correctly and bounds of the net's layers prove that it
    stays so in the whole L∞ ball. What robust accuracy says is never below: it counts those that
    an attack did not turn. The truth lies in between.

    Parameters
    ----------
    estimator : fitted estimator
        An `AdversarialNetClassifier` or another skorch classifier (one that ends in a softmax or a
        sigmoid, too), a Pipeline that ends in one (the ball is around the net's input, after the
        earlier steps), or a learner over one.
    X : array-like of shape (n_samples, ...)
    y : array-like of shape (n_samples,)
        True labels, of the type of ``estimator.classes_``.
    eps : float
        Radius (L∞) in the net's input units (8/255 for images in [0, 1]).
    method : {"ibp", "crown"}, default="ibp"
        ``"ibp"``: intervals through all layers. ``"crown"``: where these prove nothing, also a
        linear relaxation of the net (CROWN-IBP): never lower, and much slower.
    bounds : (float, float) or None, default=None
        Range of the inputs, to which the ball is cut; ``None`` takes the net's, (0, 1) where it
        has none.
    sample_weight : array-like of shape (n_samples,) or None, default=None
    batch_size : int, default=256
        Samples read at once. Memory does not grow with their number.
    progress : bool, default=False
        Show a progress bar, or lines where tqdm is not installed.

    Returns
    -------
    score : float in [0, 1]

    Raises
    ------
    ValueError
        If `eps` is not positive, or longer than the range of the inputs; if `X` and `y` differ in
        length, `y` holds labels that the estimator does not know, `X` leaves `bounds`, or the
        module does not return one score per class.
    CapabilityError
        If the estimator is no net, or its module reads more than one input.
    UnsupportedOperationError
        If the module does something that there is no bound for; it is named.

    See Also
    --------
    robust_accuracy_score : What an attack leaves, an upper bound.
    robustness_report : Both in one table.
    skactive.bounds.certified_margins : By how much a torch module is certified.

    Notes
    -----
    Bounds are computed in float64, with what covers the rounding of the net that is attacked; see
    `skactive.bounds.Certifier`. A net that was not trained for it is hardly ever certified: the
    score says what can be proved, and is low for most nets that are robust by attack alone.

    References
    ----------
    Gowal et al., arXiv 1810.12715 (intervals); Zhang et al., arXiv 1906.06316 (CROWN-IBP).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from torch import nn
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import certified_accuracy_score
    >>> X, y = load_digits(return_X_y=True)
    >>> X = (X / 16).astype("float32")
    >>> net = AdversarialNetClassifier(nn.Linear, module__in_features=64,
    ...     module__out_features=10, attack=None, random_state=0).fit(X[:500], y[:500])
    >>> clean = net.score(X[500:700], y[500:700])
    >>> bool(0 < certified_accuracy_score(net, X[500:700], y[500:700], eps=0.02) < clean)
    True
    """
    certified = certified_correct(
        estimator,
        X,
        y,
        eps=eps,
        method=method,
        bounds=bounds,
        batch_size=batch_size,
        progress=progress,
    )
    return share(certified, sample_weight)


class CertifiedScorer:
    """What `make_certified_scorer` returns: ``scorer(estimator, X, y) -> float``.

    Parameters
    ----------
    params : dict
        Those of `certified_accuracy_score`.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skactive import AdversarialNetClassifier
    >>> from skactive.metrics import make_certified_scorer
    >>> net = AdversarialNetClassifier(torch.nn.Linear(2, 2, bias=False), attack=None, max_epochs=1)
    >>> X, y = np.array([[0.9, 0.2], [0.4, 0.5]], dtype="float32"), [0, 1]
    >>> _ = net.fit(X, y).module_.weight.data.copy_(torch.eye(2))  # the logits are the inputs
    >>> [make_certified_scorer(eps=eps)(net, X, y) for eps in (0.04, 0.3, 0.4)]
    [1.0, 0.5, 0.0]
    """

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params

    def __call__(
        self,
        estimator: Estimator,
        X: Pool,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
    ) -> float:
        """Certified accuracy of a fitted estimator."""
        return certified_accuracy_score(estimator, X, y, sample_weight=sample_weight, **self.params)

    def __repr__(self) -> str:
        params = ", ".join(f"{key}={value!r}" for key, value in self.params.items())
        return f"make_certified_scorer({params})"


def make_certified_scorer(eps: float, **params: Any) -> CertifiedScorer:
    """Certified accuracy as a scorer, for ``scoring=`` anywhere in scikit-learn.

    Parameters
    ----------
    eps : float
        Radius, see `certified_accuracy_score`.
    **params
        ``method``, ``bounds``, ``batch_size``, ``progress``.

    Returns
    -------
    scorer : callable
        ``scorer(estimator, X, y) -> float``; larger is better. It can be pickled.

    Raises
    ------
    TypeError
        If a parameter is not one of `certified_accuracy_score`'s.
    ValueError
        If a value is not allowed.

    Examples
    --------
    >>> from skactive.metrics import make_certified_scorer
    >>> make_certified_scorer(eps=0.1, method="crown")
    make_certified_scorer(eps=0.1, method='crown')
    """
    refuse_unknown("make_certified_scorer", params, {"method", "bounds", "batch_size", "progress"})
    params = {"eps": eps, **params}
    known = {**CONSTRAINTS, **OF_BATCHES, **OF_PROGRESS}
    check_constraints(known, params, "make_certified_scorer")
    return CertifiedScorer(params)
