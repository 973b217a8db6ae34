"""What is given to a learner by mistake is refused with the way out."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.learners import active_learning_curve
from tests.models import SmallCNN

X = np.random.default_rng(0).random((40, 1, 8, 8), dtype=np.float32)
ROWS, Y = X.reshape(40, -1), np.arange(40) % 4


@pytest.mark.parametrize("strategy", ["random", "entropy", "egl"])
@pytest.mark.parametrize(
    "make",
    [
        lambda given, strategy: ActiveLearner(given, strategy),
        lambda given, strategy: Committee(given, query_strategy=strategy),
        lambda given, strategy: Committee([given, given], query_strategy=strategy),
        lambda given, strategy: BudgetedLearner(given, strategy, budget=20),
    ],
)
def test_an_estimator_class_is_no_estimator(make, strategy):
    for given in (LogisticRegression, AdversarialNetClassifier):
        with pytest.raises(TypeError, match=rf"got the class {given.__name__}.*{given.__name__}\("):
            make(given, strategy).fit(ROWS, Y)


def test_a_curve_of_a_class_is_refused():
    with pytest.raises(TypeError, match=r"class.*LogisticRegression"):
        active_learning_curve(LogisticRegression, ROWS, Y, budget=20)


@pytest.mark.parametrize("classes", [None, [0, 1]])
def test_a_first_set_of_one_class_is_explained(classes):
    learner = ActiveLearner(LogisticRegression(), classes=classes)
    with pytest.raises(ValueError, match=r"single class, \[0\].*stratified"):
        learner.fit(ROWS, np.zeros(40, int))
    with pytest.raises(ValueError, match=r"only one class, \[0\].*classes="):
        ActiveLearner(AdversarialNetClassifier(SmallCNN)).fit(X, np.zeros(40, int))


def test_a_pool_with_channels_last_is_refused():
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=1)
    learner = ActiveLearner(net, "random", random_state=0).fit(X[:20], Y[:20])
    with pytest.raises(ValueError, match=r"transpose\(0, 3, 1, 2\)"):
        learner.query(X.transpose(0, 2, 3, 1), n=3)
