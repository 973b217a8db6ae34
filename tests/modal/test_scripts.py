"""Scripts as modAL's documentation has its users write them, with the import replaced."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits, load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from skorch import NeuralNetClassifier
from torch import nn

from skactive.modal.acquisition import max_EI, max_PI, max_UCB, optimizer_EI, optimizer_UCB
from skactive.modal.batch import uncertainty_batch_sampling
from skactive.modal.density import information_density
from skactive.modal.disagreement import (
    consensus_entropy_sampling,
    max_disagreement_sampling,
    max_std_sampling,
    vote_entropy_sampling,
)
from skactive.modal.dropout import mc_dropout_bald
from skactive.modal.expected_error import expected_error_reduction
from skactive.modal.models import (
    ActiveLearner,
    BayesianOptimizer,
    Committee,
    CommitteeRegressor,
    DeepActiveLearner,
)
from skactive.modal.multilabel import SVM_binary_minimum, avg_score
from skactive.modal.uncertainty import (
    classifier_entropy,
    classifier_margin,
    classifier_uncertainty,
    entropy_sampling,
    margin_sampling,
    uncertainty_sampling,
)
from skactive.modal.utils import (
    make_linear_combination,
    make_product,
    make_query_strategy,
    multi_argmax,
)

iris = load_iris()


@pytest.fixture
def seeded():
    state = np.random.get_state()
    np.random.seed(0)
    yield
    np.random.set_state(state)


@pytest.mark.usefixtures("seeded")
def test_pool_based_sampling():
    X_pool, y_pool = iris["data"].copy(), iris["target"].copy()
    initial_idx = np.random.choice(range(len(X_pool)), size=3, replace=False)
    X_train, y_train = X_pool[initial_idx], y_pool[initial_idx]
    X_pool, y_pool = np.delete(X_pool, initial_idx, axis=0), np.delete(y_pool, initial_idx)
    learner = ActiveLearner(
        estimator=RandomForestClassifier(n_estimators=20), X_training=X_train, y_training=y_train
    )
    for _ in range(20):
        query_idx, query_instance = learner.query(X_pool)
        learner.teach(X=X_pool[query_idx].reshape(1, -1), y=y_pool[query_idx].reshape(1))
        assert query_instance.shape == (1, 4)
        X_pool, y_pool = np.delete(X_pool, query_idx, axis=0), np.delete(y_pool, query_idx)
    assert learner.score(iris["data"], iris["target"]) > 0.85
    assert learner.X_training.shape == (23, 4)


@pytest.mark.usefixtures("seeded")
def test_stream_based_sampling():
    X, y = iris["data"], iris["target"]
    start = [0, 60, 120]
    learner = ActiveLearner(
        GaussianNB(var_smoothing=1e-2), X_training=X[start], y_training=y[start]
    )
    learner.teach(X[1::50], y[1::50])
    asked = 0
    for _ in range(100):
        stream_idx = np.random.choice(range(len(X)))
        if classifier_uncertainty(learner, X[stream_idx].reshape(1, -1)) >= 0.02:
            learner.teach(X[stream_idx].reshape(1, -1), y[stream_idx].reshape(-1))
            asked += 1
    assert 0 < asked < 100
    assert learner.score(X, y) > 0.85


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize(
    "strategy", [vote_entropy_sampling, consensus_entropy_sampling, max_disagreement_sampling]
)
def test_query_by_committee(strategy):
    X_pool, y_pool = iris["data"].copy(), iris["target"].copy()
    learner_list = []
    for _ in range(2):
        train_idx = np.random.choice(range(X_pool.shape[0]), size=9, replace=False)
        learner_list.append(
            ActiveLearner(
                estimator=RandomForestClassifier(n_estimators=10),
                X_training=X_pool[train_idx],
                y_training=y_pool[train_idx],
            )
        )
        X_pool = np.delete(X_pool, train_idx, axis=0)
        y_pool = np.delete(y_pool, train_idx)
    committee = Committee(learner_list=learner_list, query_strategy=strategy)
    for _ in range(8):
        query_idx, _ = committee.query(X_pool)
        committee.teach(X=X_pool[query_idx].reshape(1, -1), y=y_pool[query_idx].reshape(1))
        X_pool, y_pool = np.delete(X_pool, query_idx, axis=0), np.delete(y_pool, query_idx)
    assert committee.score(iris["data"], iris["target"]) > 0.8
    for learner in committee:
        assert len(learner.X_training) == 17


@pytest.mark.usefixtures("seeded")
def test_bagging():
    X, y = iris["data"], iris["target"]
    committee = Committee(
        [
            ActiveLearner(KNeighborsClassifier(5), X_training=X, y_training=y, bootstrap_init=True)
            for _ in range(3)
        ]
    )
    committee.rebag()
    committee.teach(X[:5], y[:5], bootstrap=True)
    assert committee.vote(X).shape == (150, 3)
    assert committee.vote_proba(X).shape == (150, 3, 3)
    assert committee.score(X, y) > 0.9


@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
@pytest.mark.usefixtures("seeded")
def test_active_regression():
    X = np.random.choice(np.linspace(0, 20, 10000), size=200, replace=False).reshape(-1, 1)
    y = np.sin(X) + np.random.normal(scale=0.3, size=X.shape)

    def gp_regression_std(regressor, X):
        _, std = regressor.predict(X, return_std=True)
        return np.argmax(std)

    kernel = RBF(1.0, length_scale_bounds=(1e-1, 1e2)) + WhiteKernel(0.1, (1e-3, 10.0))
    regressor = ActiveLearner(
        estimator=GaussianProcessRegressor(kernel=kernel),
        query_strategy=gp_regression_std,
        X_training=X[:5].reshape(-1, 1),
        y_training=y[:5].reshape(-1, 1),
    )
    for _ in range(10):
        query_idx, query_instance = regressor.query(X)
        assert np.ndim(query_idx) == 0
        regressor.teach(X[query_idx].reshape(1, -1), y[query_idx].reshape(1, -1))
        assert query_instance.shape == (1,)
    _, std = regressor.predict(X, return_std=True)
    assert regressor.y_training.shape == (15, 1)
    assert std.max() < 1


@pytest.mark.filterwarnings("ignore:The optimal value found for dimension")
@pytest.mark.usefixtures("seeded")
def test_ensemble_regression():
    X = np.concatenate([np.random.rand(100) - 1, np.random.rand(100)])
    y = np.abs(X) + np.random.normal(scale=0.2, size=X.shape)
    kernel = RBF(1.0, length_scale_bounds=(1e-1, 1e2)) + WhiteKernel(0.1, (1e-3, 10.0))
    initial_idx = [
        np.random.choice(range(100), size=10, replace=False),
        np.random.choice(range(100, 200), size=10, replace=False),
    ]
    learner_list = [
        ActiveLearner(
            estimator=GaussianProcessRegressor(kernel),
            X_training=X[idx].reshape(-1, 1),
            y_training=y[idx].reshape(-1, 1),
        )
        for idx in initial_idx
    ]

    def ensemble_regression_std(regressor, X):
        _, std = regressor.predict(X, return_std=True)
        return np.argmax(std)

    for strategy in (ensemble_regression_std, max_std_sampling):
        committee = CommitteeRegressor(learner_list=learner_list, query_strategy=strategy)
        for _ in range(3):
            query_idx, _ = committee.query(X.reshape(-1, 1))
            committee.teach(X[query_idx].reshape(-1, 1), y[query_idx].reshape(-1, 1))
    pred, std = committee.predict(X.reshape(-1, 1), return_std=True)
    assert pred.shape == std.shape == (200,)


@pytest.mark.parametrize(
    "strategy", [max_EI, partial(max_PI, tradeoff=0.1), partial(max_UCB, beta=3)]
)
def test_bayesian_optimization(strategy):
    X = np.linspace(0, 20, 1000).reshape(-1, 1)
    y = np.sin(X) / 2 - ((10 - X) ** 2) / 50 + 2
    X_initial, y_initial = X[150].reshape(1, -1), y[150].reshape(1, -1)
    optimizer = BayesianOptimizer(
        estimator=GaussianProcessRegressor(kernel=RBF(1.0), optimizer=None),
        X_training=X_initial,
        y_training=y_initial,
        query_strategy=strategy,
    )
    for _ in range(14):
        query_idx, _ = optimizer.query(X)
        optimizer.teach(X[query_idx].reshape(1, -1), y[query_idx].reshape(1, -1))
    X_max, y_max = optimizer.get_max()
    assert y_max.shape == (1,)
    assert y_max > 0.95 * y.max()
    assert X_max.shape == (1,)
    assert optimizer_EI(optimizer, X).shape == optimizer_UCB(optimizer, X, beta=2).shape == (1000,)


@pytest.mark.usefixtures("seeded")
def test_ranked_batch_mode():
    X_pool, y_pool = iris["data"].copy(), iris["target"].copy()
    preset_batch = partial(uncertainty_batch_sampling, n_instances=3)
    start = [0, 60, 120]
    learner = ActiveLearner(
        estimator=KNeighborsClassifier(n_neighbors=3),
        X_training=X_pool[start],
        y_training=y_pool[start],
        query_strategy=preset_batch,
    )
    X_pool, y_pool = np.delete(X_pool, start, axis=0), np.delete(y_pool, start)
    for _ in range(5):
        query_index, query_instance = learner.query(X_pool)
        assert query_instance.shape == (3, 4)
        learner.teach(X=query_instance, y=y_pool[query_index])
        X_pool, y_pool = np.delete(X_pool, query_index, axis=0), np.delete(y_pool, query_index)
    assert learner.score(iris["data"], iris["target"]) > 0.85


def test_information_density():
    X = np.random.default_rng(0).normal(size=(200, 2))
    for metric in ("cosine", "euclidean"):
        weights = information_density(X, metric)
        assert weights.shape == (200,)
    learner = ActiveLearner(GaussianNB(), X_training=X[:20], y_training=np.arange(20) % 2)

    def density_weighted(classifier, X):
        utility = classifier_entropy(classifier, X) * information_density(X)
        return multi_argmax(utility, n_instances=2)

    learner.query_strategy = density_weighted
    query_idx, query_instance = learner.query(X)
    assert query_instance.shape == (2, 2)
    assert len(query_idx) == 2


def test_expected_error_reduction_script():
    X, y = iris["data"][::3], iris["target"][::3]
    learner = ActiveLearner(
        GaussianNB(), expected_error_reduction, X_training=X[::5], y_training=y[::5]
    )
    query_idx, query_instance = learner.query(X, loss="log", p_subsample=0.5, n_instances=2)
    learner.teach(query_instance, y[query_idx])
    assert len(learner.X_training) == 12


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_multilabel_svm():
    X = np.random.default_rng(0).random((100, 2))
    y = np.stack([X[:, 0] > 0.5, X[:, 1] > 0.5], axis=1).astype(int)
    learner = ActiveLearner(
        estimator=OneVsRestClassifier(SVC(probability=True, gamma="auto", random_state=0)),
        query_strategy=SVM_binary_minimum,
        X_training=X[:20],
        y_training=y[:20],
    )
    for _ in range(5):
        query_idx, query_inst = learner.query(X)
        learner.teach(query_inst.reshape(1, -1), y[query_idx].reshape(1, -1))
    learner.query_strategy = avg_score
    query_idx, query_inst = learner.query(X, n_instances=3)
    learner.teach(query_inst, y[query_idx])
    assert learner.y_training.shape == (28, 2)


def test_custom_query_strategies():
    X, y = iris["data"], iris["target"]
    linear_combination = make_linear_combination(
        classifier_uncertainty, classifier_margin, weights=[1.0, -1.0]
    )
    product = make_product(classifier_uncertainty, classifier_entropy, exponents=[0.5, 2])

    def custom_query_strategy(classifier, X, n_instances=1):
        utility = linear_combination(classifier, X)
        query_idx, _ = multi_argmax(utility, n_instances=n_instances)
        return query_idx, X[query_idx]

    strategies = [
        custom_query_strategy,
        make_query_strategy(utility_measure=linear_combination, selector=multi_argmax),
        make_query_strategy(utility_measure=product, selector=multi_argmax),
    ]
    for strategy in strategies:
        learner = ActiveLearner(
            LogisticRegression(max_iter=500), strategy, X_training=X[::10], y_training=y[::10]
        )
        query_idx, query_instance = learner.query(X, n_instances=2)
        assert query_instance.shape == (2, 4)
        learner.teach(query_instance, y[query_idx])
        assert pickle.loads(pickle.dumps(linear_combination))(learner, X).shape == (150,)


def test_a_pipeline_on_a_frame_with_on_transformed():
    frame = pd.DataFrame(iris["data"], columns=["a", "b", "c", "d"])
    frame["colour"] = np.array(["red", "green", "blue"])[np.arange(150) % 3]
    y = pd.Series(iris["target"])
    pipe = make_pipeline(
        ColumnTransformer(
            [
                ("scale", StandardScaler(), ["a", "b", "c", "d"]),
                ("hot", OneHotEncoder(handle_unknown="ignore"), ["colour"]),
            ]
        ),
        RandomForestClassifier(n_estimators=10, random_state=0),
    )
    learner = ActiveLearner(
        pipe,
        query_strategy=uncertainty_batch_sampling,
        X_training=frame.iloc[::15],
        y_training=y.iloc[::15],
        on_transformed=True,
    )
    for _ in range(3):
        query_idx, query_instance = learner.query(frame, n_instances=5)
        learner.teach(query_instance, y.iloc[query_idx])
    assert isinstance(learner.X_training, pd.DataFrame)
    assert len(learner.y_training) == 25
    assert learner.score(frame, y) > 0.85


def test_sparse_text():
    texts = [f"{word} {i % 7}" for i, word in enumerate(["good fine", "bad awful"] * 30)]
    y = np.arange(60) % 2
    X = TfidfVectorizer(token_pattern=r"\S+").fit_transform(texts)
    learner = ActiveLearner(MultinomialNB(), margin_sampling, X_training=X[:6], y_training=y[:6])
    query_idx, query_instance = learner.query(X, n_instances=4)
    assert issparse(query_instance)
    learner.teach(query_instance, y[query_idx])
    assert issparse(learner.X_training)
    assert learner.X_training.shape[0] == 10
    assert learner.score(X, y) == 1


class Convolutional(nn.Module):
    def __init__(self):
        super().__init__()
        self.convs = nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.25))
        self.fcs = nn.Sequential(nn.Linear(72, 32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))

    def forward(self, x):
        return self.fcs(self.convs(x).flatten(1))


def digits():
    X, y = load_digits(return_X_y=True)
    return (X / 16).astype(np.float32).reshape(-1, 1, 8, 8), y


def convolutional(**params):
    torch.manual_seed(0)
    return NeuralNetClassifier(
        Convolutional,
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        train_split=None,
        verbose=0,
        max_epochs=3,
        **params,
    )


def test_skorch_nets_on_images():
    X, y = digits()
    learner = ActiveLearner(convolutional(), X_training=X[:200], y_training=y[:200])
    for _ in range(2):
        query_idx, query_instance = learner.query(X[200:1200], n_instances=50)
        assert query_instance.shape == (50, 1, 8, 8)
        learner.teach(X=query_instance, y=y[200:1200][query_idx], only_new=False)
    assert learner.X_training.shape == (300, 1, 8, 8)
    assert learner.predict(X[1200:]).shape == (597,)


def test_mc_dropout_queries():
    X, y = digits()
    learner = DeepActiveLearner(convolutional(), query_strategy=mc_dropout_bald)
    learner.teach(X[:200], y[:200])
    pool = torch.tensor(X[200:600])
    query_idx, query_instance, metric = learner.query(
        pool, n_instances=10, num_cycles=5, return_metrics=True
    )
    assert query_instance.shape == (10, 1, 8, 8)
    assert (metric > 0).all()
    learner.num_epochs = 2
    learner.teach(query_instance, torch.tensor(y[200:600][query_idx]))


def test_pickling_a_learner(tmp_path):
    X, y = iris["data"], iris["target"]
    learner = ActiveLearner(
        RandomForestClassifier(5, random_state=0), entropy_sampling, X[::10], y[::10]
    )
    path = tmp_path / "learner.p"
    path.write_bytes(pickle.dumps(learner))
    again = pickle.loads(path.read_bytes())
    again.teach(X[:5], y[:5])
    assert len(again.X_training) == 20
    assert len(learner.X_training) == 15


def test_a_learner_in_scikit_learns_tools():
    from sklearn.model_selection import GridSearchCV, cross_val_score

    X, y = iris["data"], iris["target"]
    learner = ActiveLearner(
        estimator=RandomForestClassifier(5),
        query_strategy=uncertainty_sampling,
        X_training=X[::10],
        y_training=y[::10],
    )
    assert cross_val_score(learner, X, y, cv=3).mean() > 0.8
    search = GridSearchCV(learner, {"estimator__n_estimators": [1, 10]}, cv=3).fit(X, y)
    assert search.best_estimator_.predict(X).shape == (150,)
