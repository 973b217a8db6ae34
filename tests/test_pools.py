"""Pools of every kind go through query and teach, and come back as they are."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skorch.helper import SliceDataset

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.metrics import robust_accuracy_score
from skactive.utils.inputs import as_batch
from skactive.utils.stacking import stack_rows
from tests.models import SmallCNN, SmallMLP


def logistic():
    return LogisticRegression(max_iter=1000)


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = rng.random((120, 4))
    return X, (X[:, 0] > X[:, 1]).astype(int)


def round_trip(learner, pool, y, first=20, n=6):
    from skactive.utils.indexing import take_rows

    learner.fit(take_rows(pool, np.arange(first)), y[:first])
    idx, rows = learner.query(pool, n=n)
    learner.teach(rows, y[idx])
    assert learner.history_[-1]["n_labels"] == first + n
    return idx, rows


@pytest.mark.parametrize("kind", ["float32", "float64", "uint8", "csr", "csc", "memmap", "tensor"])
def test_numeric_tables(table, kind, tmp_path):
    X, y = table
    if kind == "uint8":
        pool = (X * 255).astype(np.uint8)
    elif kind in ("csr", "csc"):
        pool = getattr(sp, f"{kind}_matrix")(X)
    elif kind == "memmap":
        np.save(tmp_path / "pool.npy", X)
        pool = np.load(tmp_path / "pool.npy", mmap_mode="r")
    elif kind == "tensor":
        pool = torch.as_tensor(X)
    else:
        pool = X.astype(kind)
    idx, rows = round_trip(ActiveLearner(logistic(), "margin", random_state=0), pool, y)
    assert rows.dtype == pool.dtype
    # rows taken out of a memmap are an array in memory
    assert type(rows) is (np.ndarray if kind == "memmap" else type(pool))
    assert len(set(idx)) == 6


@pytest.mark.parametrize("kind", ["Float64", "Float32", "Int64", "mixed", "double[pyarrow]"])
def test_tables_with_masks_are_numbers_where_distances_are_measured(table, kind):
    pandas = pytest.importorskip("pandas")
    if "pyarrow" in kind:
        pytest.importorskip("pyarrow")
    X, y = table
    frame = pandas.DataFrame((10 * X).round())
    masked = frame.astype({0: "Float64"} if kind == "mixed" else kind)
    picks = [
        ActiveLearner(logistic(), "coreset", random_state=0)
        .fit(pool[:20], y[:20])
        .query(pool, 5)[0]
        for pool in (frame, masked)
    ]
    assert_array_equal(*picks)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_with_mixed_columns(table, library):
    frames = pytest.importorskip(library)
    X, y = table
    columns = {"a": X[:, 0], "b": X[:, 1], "kind": np.where(X[:, 2] > 0.5, "x", "z")}
    pool = frames.DataFrame(columns)
    pipe = make_pipeline(
        make_column_transformer(
            (StandardScaler(), ["a", "b"]), (OneHotEncoder(handle_unknown="error"), ["kind"])
        ),
        logistic(),
    )
    learner = ActiveLearner(pipe, "entropy", random_state=0)
    _, rows = round_trip(learner, pool, y, first=40)
    assert type(rows) is type(pool)
    assert list(rows.columns) == ["a", "b", "kind"]
    with pytest.raises(ValueError, match=r"columns are missing|shape"):
        learner.query(pool[["a", "b"]], n=2)
    odd = frames.DataFrame({**columns, "kind": ["new"] * 120})
    with pytest.raises(ValueError, match="unknown categories"):
        learner.query(odd, n=2)
    if library == "pandas":
        with pytest.raises(ValueError, match="same columns"):
            learner.teach(rows.rename(columns={"a": "q"}), y[:6])


def test_lists_of_strings():
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=80)
    words = (["red", "warm", "fire"], ["blue", "cold", "ice"])
    pool = [" ".join(rng.choice(words[label], 4)) + f" w{i % 7}" for i, label in enumerate(y)]
    learner = ActiveLearner(make_pipeline(TfidfVectorizer(), logistic()), "dre", random_state=0)
    _, rows = round_trip(learner, pool, y)
    assert isinstance(rows, list)
    assert isinstance(rows[0], str)


def test_image_pools_for_nets(digits):
    X, y = digits
    X, y = X[:150], y[:150]
    net = AdversarialNetClassifier(SmallCNN, attack=None, max_epochs=2, lr=0.01, random_state=0)
    dataset = torch.utils.data.TensorDataset(torch.as_tensor(X))
    pools = {
        "array": X,
        "bytes": (X * 255).round().astype(np.uint8),
        "tensor": torch.as_tensor(X),
        "dataset": dataset,
        "slices": SliceDataset(torch.utils.data.TensorDataset(torch.as_tensor(X)), idx=0),
    }
    picked = {}
    for kind, pool in pools.items():
        learner = ActiveLearner(net, "coreset", random_state=0)
        picked[kind], _ = round_trip(learner, pool, y, first=60)
    for kind in ("tensor", "dataset", "slices"):
        assert_array_equal(picked[kind], picked["array"], err_msg=kind)


def test_a_dataset_of_pairs_needs_no_labels_and_one_without_says_so(digits):
    X, y = digits
    flat = torch.as_tensor(X[:100].reshape(100, -1))
    net = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=1, random_state=0)
    net.fit(torch.utils.data.TensorDataset(flat, torch.as_tensor(y[:100])))
    with pytest.raises(ValueError, match=r"items are \(x, y\) pairs"):
        net.fit(torch.utils.data.TensorDataset(flat))


class Shrinking(StandardScaler):
    """Drops rows, as no transformer may."""

    def transform(self, X):
        return super().transform(X)[: max(1, len(X) // 2)]


def test_a_pipeline_that_loses_rows_is_caught(table):
    X, y = table
    good = make_pipeline(StandardScaler(), logistic()).fit(X, y)
    broken = make_pipeline(Shrinking().fit(X), good[-1])
    from skactive.strategies import Margin

    with pytest.raises(ValueError, match=r"60 rows of probabilities for 120"):
        Margin().query(broken, X, 3)


STRATEGIES = ["egl", "dfal", "low_input_gradient", "virtual_adversarial", "adversarial_entropy"]


def test_a_tensor_that_wants_gradients_is_a_pool_and_gets_none(digits):
    X, y = digits[0][:100], digits[1][:100]
    net = AdversarialNetClassifier(SmallCNN, attack=FGSM(eps=0.1), max_epochs=1, random_state=0)
    wants = torch.as_tensor(X.copy()).requires_grad_()
    plain, asked = (ActiveLearner(net, random_state=0).fit(P[:50], y[:50]) for P in (X, wants))
    assert_array_equal(asked.predict_proba(wants), plain.predict_proba(X))
    assert_array_equal(net.fit(wants, y).predict(wants), net.fit(X, y).predict(X))
    for strategy in STRATEGIES:
        idx, rows = asked.set_params(query_strategy=strategy).query(wants, n=4)
        assert_array_equal(idx, plain.set_params(query_strategy=strategy).query(X, n=4)[0])
        assert not rows.requires_grad
    asked.teach(rows, y[idx])
    score = [robust_accuracy_score(net, P, y, attack=FGSM(eps=0.1)) for P in (X, wants)]
    assert score[0] == score[1]
    assert wants.grad is None
    assert wants.requires_grad
    assert not as_batch(wants).requires_grad
    assert not as_batch([row.clone() for row in wants]).requires_grad
    assert not stack_rows(wants, wants).requires_grad


def test_a_classifier_of_scikit_learn_takes_a_tensor_that_wants_gradients(table):
    X, y = table
    wants = torch.as_tensor(X).requires_grad_()
    learner = ActiveLearner(logistic(), "margin", random_state=0)
    idx, _ = round_trip(learner, wants, y)
    assert_array_equal(round_trip(learner, X, y)[0], idx)
    assert learner.score(wants, y) == learner.score(X, y)
    learner.set_params(query_strategy="coreset").query(wants, n=3)
    assert wants.grad is None
