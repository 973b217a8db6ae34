"""
Searching a strategy at equal label cost
========================================

Which strategy, and which model with it? :class:`~skactive.BudgetedLearner` is active learning as
one estimator: ``fit(X, y)`` hides ``y``, buys labels one query after another until the budget is
spent, and learns from these alone. So scikit-learn's own ``GridSearchCV`` compares strategies and
parameters of the model together, and no candidate ever sees a label that it has not paid for.
"""

# %%
# The search
# ----------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skactive import BudgetedLearner

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, stratify=y, random_state=0
)

model = BudgetedLearner(
    make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
    n_initial=40,
    n_per_query=20,
    budget=160,
    random_state=0,
)
grid = {
    "query_strategy": ["random", "entropy", "margin", "badge"],
    "estimator__logisticregression__C": [0.1, 1, 10],
}
search = GridSearchCV(model, grid, cv=4).fit(X_train, y_train)
search.best_params_

# %%
# Every cell of the picture spent the same number of labels.

shape = [
    len(values)
    for values in (
        grid["estimator__logisticregression__C"],
        grid["query_strategy"],
    )
]
scores = search.cv_results_["mean_test_score"].reshape(shape)

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
image = ax.imshow(scores, cmap="cividis", aspect="auto")
for (row, column), score in np.ndenumerate(scores):
    ax.text(
        column,
        row,
        f"{score:.1%}",
        ha="center",
        va="center",
        color="black" if score > scores.mean() else "white",
    )
ax.set_xticks(range(shape[1]), grid["query_strategy"])
ax.set_yticks(range(shape[0]), grid["estimator__logisticregression__C"])
ax.set(xlabel="query_strategy", ylabel="C of the logistic regression")
fig.colorbar(image, label="accuracy of held-out folds")
plt.show()

# %%
# What was found is an estimator like any other. It knows which labels it bought, and when.

best = search.best_estimator_
print(
    f"{best.n_labels_} of {len(y_train)} labels, accuracy {best.score(X_test, y_test):.1%}"
)
best.queried_indices_[:10], best.learning_curve_["n_labels"]
