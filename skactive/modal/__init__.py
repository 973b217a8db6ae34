"""A drop-in for modAL: the same modules and names, on today's scikit-learn.

Replace ``modAL`` by ``skactive.modal`` in the imports; nothing else changes. What works better is
listed in the documentation's "Coming from modAL".

Examples
--------
>>> from skactive.modal.models import ActiveLearner  # was: from modAL.models import ActiveLearner
>>> from skactive.modal.uncertainty import entropy_sampling
"""

from . import acquisition, disagreement, models, uncertainty, utils
from .models import ActiveLearner, Committee, CommitteeRegressor

__all__ = [
    "ActiveLearner",
    "Committee",
    "CommitteeRegressor",
    "acquisition",
    "disagreement",
    "models",
    "uncertainty",
    "utils",
]
