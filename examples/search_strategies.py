"""Four strategies compared at the same label cost, by scikit-learn's own GridSearchCV.

Each candidate buys 200 labels of a fold of scikit-learn's digits; no fold sees a label it has not
paid for. Half a minute.

    python examples/search_strategies.py
"""

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from skactive import BudgetedLearner


def main():
    X, y = load_digits(return_X_y=True)
    model = BudgetedLearner(
        make_pipeline(MinMaxScaler(), LogisticRegression(max_iter=1000)),
        n_initial=50,
        n_per_query=50,
        budget=200,
        random_state=0,
    )
    strategies = ["random", "entropy", "margin", "badge"]
    search = GridSearchCV(model, {"query_strategy": strategies}, cv=3).fit(X, y)
    for name, mean, std in zip(
        search.cv_results_["param_query_strategy"],
        search.cv_results_["mean_test_score"],
        search.cv_results_["std_test_score"],
        strict=True,
    ):
        print(f"{name:<8} {mean:.3f} ± {std:.3f}")
    print(f"best: {search.best_params_['query_strategy']}")


if __name__ == "__main__":
    main()
