"""
A strategy of your own, compared over seeds
===========================================

Most strategies are one formula. This page writes one in three lines, runs it through the
library's own checks, and then asks the question that matters: is it better than random sampling,
or did it only look so in one run?
"""

# %%
# The formula
# -----------
#
# ``_score`` gives a number for each sample; larger is asked first. ``model`` is a
# :class:`~skactive.model_view.ModelView`, which reads classifiers, pipelines and nets alike. The
# idea: entropy, but only among the classes that are still in the running.

import numpy as np

from skactive.strategies import ScoringStrategy


class TopEntropy(ScoringStrategy):
    """Entropy of the `k` most likely classes."""

    def __init__(self, k=3, *, random_state=None):
        super().__init__(random_state=random_state)
        self.k = k

    def _score(self, model, X, rng):
        top = np.sort(model.predict_proba(X), axis=1)[:, -self.k :]
        share = top / top.sum(axis=1, keepdims=True)
        return -(share * np.log(share + 1e-12)).sum(axis=1)


# %%
# The checks are those that every strategy of the library passes: distinct picks, inputs and model
# untouched, the same seed the same picks, and more. They raise where something is wrong.

from skactive.utils.estimator_checks import check_query_strategy

check_query_strategy(TopEntropy())

# %%
# Ten runs of each
# ----------------
#
# Each run has its own split and its own first labels, the same for all strategies: the comparison
# is paired.

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.naive_bayes import GaussianNB

from skactive import active_learning_curve
from skactive.analysis import ActiveLearningCurveDisplay

X, y = load_digits(return_X_y=True)
compared = {
    "random": "random",
    "entropy": "entropy",
    "margin": "margin",
    "own": TopEntropy(k=3),
}
results = {
    name: active_learning_curve(
        GaussianNB(var_smoothing=1e-2),
        X,
        y,
        query_strategy=strategy,
        n_initial=20,
        n_per_query=20,
        budget=160,
        cv=StratifiedShuffleSplit(10, test_size=0.3, random_state=0),
        random_state=0,
    )
    for name, strategy in compared.items()
}
ActiveLearningCurveDisplay.from_results(results, score_name="accuracy")
plt.show()

# %%
# Is it better?
# -------------
#
# One number a run is compared, here the area under its curve, because stages of one run are no
# independent observations. :func:`~skactive.analysis.compare_strategies` gives the mean
# difference to random sampling with its interval, an exact signed-rank test, and corrects for the
# number of strategies that were tried.

from skactive.analysis import area_under_budget_curve, compare_strategies

areas = {
    name: [area_under_budget_curve(n_labels, run) for run in scores.T]
    for name, (n_labels, _, scores) in results.items()
}
report = compare_strategies(areas, baseline="random")
report.to_frame()[
    [
        "strategy",
        "mean_difference",
        "low",
        "high",
        "effect_size",
        "pvalue_holm",
    ]
]

# %%
report.plot()
plt.show()
