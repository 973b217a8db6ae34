"""
A table with categories and missing values
==========================================

An insurer has thousands of claims and one person who can tell a fraudulent one from an honest one
by going through the papers. Which claims should she look at?

The table is a pandas DataFrame with numbers, categories and holes in both. The model is
:class:`~sklearn.ensemble.HistGradientBoostingClassifier` behind a
:class:`~sklearn.compose.ColumnTransformer`, as it would be without active learning:
:class:`~skactive.ActiveLearner` takes it as it is.
"""

# %%
# The claims
# ----------
#
# They are generated here, so that the example runs anywhere; ``pandas.read_csv`` would do as
# well. A minority is fraudulent, and every column has missing values.

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd


def make_claims(n, random_state):
    rng = np.random.default_rng(random_state)
    claims = pd.DataFrame(
        {
            "amount": rng.lognormal(7, 0.8, n).round(-1),
            "days_to_report": rng.exponential(12, n).round(),
            "years_insured": rng.gamma(2, 3, n).round(1),
            "channel": rng.choice(
                ["agent", "phone", "web"], n, p=[0.3, 0.3, 0.4]
            ),
            "damage": rng.choice(
                ["glass", "theft", "fire", "water"], n, p=[0.4, 0.2, 0.1, 0.3]
            ),
        }
    )
    odd = (
        2.0 * ((claims["damage"] == "theft") & (claims["years_insured"] < 4))
        + 1.5 * ((claims["channel"] == "web") & (claims["amount"] > 1500))
        + 1.5
        * ((claims["damage"] == "fire") & (claims["days_to_report"] > 15))
    )
    y = np.where(odd + rng.normal(0, 0.1, n) > 1.4, "fraud", "honest")
    for column in claims:
        claims.loc[rng.random(n) < 0.05, column] = None
    return claims.astype({"channel": "category", "damage": "category"}), y


X_pool, y_pool = make_claims(3000, random_state=0)
X_test, y_test = make_claims(2000, random_state=1)
X_pool.head()

# %%
# The model, and a learner around it
# ----------------------------------
#
# Nothing in these lines is special to active learning but the last one. The strategy ``"margin"``
# asks where the two most likely classes are closest together.

from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from skactive import ActiveLearner

encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
model = make_pipeline(
    make_column_transformer(
        (encoder, make_column_selector(dtype_include="category")),
        remainder="passthrough",
    ),
    HistGradientBoostingClassifier(
        min_samples_leaf=5, max_iter=50, random_state=0
    ),
)
learner = ActiveLearner(model, query_strategy="margin", random_state=0)

# %%
# The loop
# --------
#
# Forty claims drawn at random are the start. Then the learner asks for twenty at a time:
# ``query`` gives their positions and the rows themselves, as a DataFrame, and ``teach`` takes the
# answers. Claims that are labelled already are found in the pool and not asked again.

start = np.random.default_rng(0).choice(len(X_pool), 40, replace=False)
learner.fit(X_pool.iloc[start], y_pool[start])
for _ in range(10):
    idx, claims = learner.query(X_pool, n=20)
    learner.teach(claims, y_pool[idx])  # she looks at them

learner.ledger_

# %%
# What was bought
# ---------------
#
# The learner asks along the border between fraud and honesty, where there are more frauds than in
# the pool. The last rows that it asked for:

claims.assign(answer=y_pool[idx]).head()

# %%
# What it was worth
# -----------------
#
# :func:`~skactive.active_learning_curve` repeats the loop on several splits of the claims, once
# with claims drawn at random and once with those of the learner, and scores every round on claims
# that no round saw: how well frauds and honest claims are told apart, and how well all claims are
# ranked. The bands are 95 % intervals of the mean. At first the doubts of a model are as poor as
# the model, and random claims serve as well; later, asking along the border pays.

from sklearn.model_selection import StratifiedShuffleSplit

from skactive import active_learning_curve
from skactive.analysis import ActiveLearningCurveDisplay

results = {
    strategy: active_learning_curve(
        model,
        X_pool,
        y_pool,
        query_strategy=strategy,
        n_initial=100,
        n_per_query=100,
        budget=500,
        cv=StratifiedShuffleSplit(5, test_size=0.3, random_state=0),
        scoring=["f1_macro", "roc_auc"],
        random_state=0,
    )
    for strategy in ("random", "margin")
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, score in zip(axes, ("f1_macro", "roc_auc"), strict=True):
    ActiveLearningCurveDisplay.from_results(results, score_name=score, ax=ax)
plt.show()
