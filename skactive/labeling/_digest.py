"""A digest of what a learner has learned, to know it again in another process."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from ..learners import ActiveLearner
from ..learners._training import final_step


def model_digest(learner: ActiveLearner, rows: Any) -> str | None:
    """Digest of a net's weights; of any other model, of what it says of some rows.

    Parameters
    ----------
    learner : ActiveLearner
    rows : a few rows of the pool

    Returns
    -------
    digest : str or None
        ``None`` before anything was learned.
    """
    if not learner.__sklearn_is_fitted__():
        return None
    digest = hashlib.blake2b(digest_size=16)
    module = getattr(final_step(learner.estimator_), "module_", None)
    if module is not None:
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    else:
        told = learner.predict_proba if hasattr(learner, "predict_proba") else learner.predict
        digest.update(np.ascontiguousarray(told(rows)).tobytes())
    return digest.hexdigest()
