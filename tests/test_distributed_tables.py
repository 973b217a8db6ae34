"""What tables of users hold: labels and texts beside features, missing values, any numbers."""

import pickle

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_classification
from sklearn.tree import DecisionTreeClassifier

from skactive import (
    ActiveLearner,
    AdversarialNetClassifier,
    BudgetedLearner,
    active_learning_curve,
)
from skactive.distributed import partitioned
from skactive.exceptions import PartitionError
from skactive.strategies import CEAL, DFAL
from tests.models import SmallCNN

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
dd = pytest.importorskip("dask.dataframe")
da = pytest.importorskip("dask.array")
hf = pytest.importorskip("datasets")
xarray = pytest.importorskip("xarray")
N, COLUMNS = 240, list("abcdef")


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(N, 6, n_informative=4, n_classes=3, random_state=0)
    return pd.DataFrame(X, columns=COLUMNS), y  # float64, of which a float32 says less


def learner(data, strategy="margin", as_array=False):
    X, y = data
    X = X.to_numpy() if as_array else X
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    return ActiveLearner(tree, strategy, random_state=3).fit(X[:40], y[:40])


def of_dask(frame):
    return dd.from_pandas(frame, npartitions=4)


KINDS = [of_dask, pa.Table.from_pandas, hf.Dataset.from_pandas]
every_kind = pytest.mark.parametrize("kind", KINDS, ids=["dask", "arrow", "hugging face"])


@every_kind
@pytest.mark.parametrize("as_array", [True, False], ids=["array", "names"])
def test_labels_beside_features_and_numbers_as_they_are(data, kind, as_array):
    """Of Hugging Face the labels stay out of what is taught; of others they are left out first."""
    X, y = data
    hugging_face = kind is KINDS[2]
    pool = kind(X.assign(label=y) if hugging_face else X)
    asked = learner(data, as_array=as_array)
    expected, _ = asked.query(X.to_numpy() if as_array else X, 20)
    found, rows = asked.query(pool, 20)
    np.testing.assert_array_equal(found, expected)
    asked.teach(rows, y[found])
    np.testing.assert_array_equal(np.asarray(asked.X_labeled_)[40:], X.to_numpy()[found])


def test_bytes_of_a_hugging_face_dataset_stay_bytes():
    images = np.arange(96, dtype=np.uint8).reshape(6, 1, 4, 4)
    features = hf.Features({"image": hf.Array3D((1, 4, 4), "uint8")})
    found = partitioned(hf.Dataset.from_dict({"image": images}, features=features)).take([1, 5])
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, images[[1, 5]])


def test_a_transform_is_no_silent_part_of_a_pool(data):
    pool = hf.Dataset.from_pandas(data[0]).with_transform(lambda batch: {"x": batch["a"]})
    with pytest.raises(ValueError, match=r"has a transform .*dataset\.map"):
        learner(data).query(pool, 5)


@every_kind
def test_pseudo_labels_come_of_any_table(data, kind):
    X, y = data
    asked = [learner(data, CEAL(threshold=0.5)) for _ in range(2)]
    for one, pool in zip(asked, (X, kind(X)), strict=True):
        found, rows = one.query(pool, 10)
        one.relabel(rows=[0], y=y[:1])  # which looks among the pseudo-labelled
        one = pickle.loads(pickle.dumps(one)).teach(rows, y[found])
        one.add(X[:1], y[:1])
        one.query(pool, 3)
        assert one.history_[-2]["pseudo"] > 100
    expected, got = (one.predict_proba(X) for one in asked)
    np.testing.assert_array_equal(got, expected)


def test_twins_and_adversarial_examples_of_a_dataset():
    X, y = load_digits(return_X_y=True)
    X, y = (X[:120].reshape(-1, 1, 8, 8) / 16).astype(np.float32), y[:120]
    pool = hf.Dataset.from_dict({"image": X, "label": y})
    net = AdversarialNetClassifier(SmallCNN, attack="fgsm", max_epochs=1, random_state=0)
    asked = [
        ActiveLearner(net, DFAL(adversarial_twins=True), random_state=0).fit(X[:30], y[:30])
        for _ in range(2)
    ]
    for one, images in zip(asked, (X, pool), strict=True):
        found, rows = one.query(images, 4)
        one.teach(rows, y[found])
        rows = pool.select([60, 61]) if images is pool else X[60:62]
        one.retrain(rows, y[60:62])
        assert one.select_tests(images, 7).shape == (7,)
    memory, parts = asked
    assert parts.history_[-1]["adversarial"] == memory.history_[-1]["adversarial"] > 2
    np.testing.assert_array_equal(parts.predict_proba(X), memory.predict_proba(X))


def test_columns_called_by_numbers(data):
    X = data[0].to_numpy()
    pool = dd.from_dask_array(da.from_array(X, chunks=(70, -1)))
    asked = learner(data, as_array=True)
    expected, _ = asked.query(X, 20)
    found, rows = asked.query(pool, 20)
    np.testing.assert_array_equal(found, expected)
    asked.teach(rows, data[1][found])


@pytest.mark.parametrize("of_arrays", [True, False], ids=["array", "table"])
def test_ids_of_a_series_and_an_index(data, of_arrays):
    X, _ = data
    named = X.assign(name=[f"r{i}" for i in range(N)])
    frame = of_dask(named.set_index(np.arange(N) * 2))
    pool = da.from_array(X.to_numpy(), chunks=(70, -1)) if of_arrays else frame[COLUMNS]
    asked = learner(data, as_array=of_arrays)
    at, _ = asked.query(X.to_numpy() if of_arrays else X, 8)
    assert asked.query(pool, 8, ids=frame["name"])[0].tolist() == [f"r{i}" for i in at]
    assert asked.query(pool, 8, ids=frame.index)[0].tolist() == (2 * at).tolist()


def test_masks_of_nullable_truth_values(data):
    X, _ = data
    asked, even = learner(data), np.arange(N) % 2 == 0
    expected, _ = asked.query(X, 20, candidates=even)
    pool = of_dask(X.assign(kind=np.where(even, "yes", "no")))
    for mask in (pool["kind"] == "yes", (pool["kind"] == "yes").astype("boolean")):
        assert mask.dtype != bool
        found, _ = asked.query(pool, 20, candidates=mask)
        np.testing.assert_array_equal(found, expected)


@every_kind
def test_a_column_that_says_which_rows_may_be_picked(data, kind):
    """What is missing says no; what is no truth value is refused, not taken for true."""
    X, _ = data
    asked, even = learner(data), np.arange(N) % 2 == 0
    expected, _ = asked.query(X, 20, candidates=even)
    for said in (even, even.astype(int), np.where(even, 1.0, np.nan)):
        found, _ = asked.query(kind(X.assign(ok=said)), 20, candidates="ok")
        np.testing.assert_array_equal(found, expected)
    for said in (np.where(even, "yes", "no"), np.arange(N), X["a"]):
        with pytest.raises(PartitionError, match="'ok', must hold truth values; in partition 0"):
            asked.query(kind(X.assign(ok=said)), 20, candidates="ok")


def test_a_filtered_dataset_says_what_to_do(data, tmp_path):
    import pyarrow.dataset as datasets

    datasets.write_dataset(pa.Table.from_pandas(data[0]), tmp_path, format="parquet")
    pool = datasets.dataset(tmp_path).filter(datasets.field("a") > 0)
    with pytest.raises(ValueError, match=r"candidates=.*to_table\(\)"):
        learner(data).query(pool, 5)


def test_images_in_lists_of_lists():
    images = np.arange(96.0).reshape(6, 1, 4, 4)
    found = partitioned(pa.table({"image": images.tolist()})).take([5, 0])
    np.testing.assert_array_equal(found, images[[5, 0]])


def test_wide_rows_are_read_few_at_a_time():
    values = pa.array(np.zeros(600 * 50_000, np.float32))
    pool = pa.table({"image": pa.FixedSizeListArray.from_arrays(values, 50_000)})
    assert max(partitioned(pool).lengths) == 512


every_pool = pytest.mark.parametrize(
    "kind",
    [
        *KINDS,
        lambda X: da.from_array(X.to_numpy(), chunks=(70, -1)),
        lambda X: xarray.DataArray(X.to_numpy()),
    ],
)


@every_pool
def test_a_learning_curve_is_that_of_memory(data, kind):
    X, y = data
    params = {"query_strategy": "margin", "budget": 20, "cv": 2, "random_state": 0}
    tree = DecisionTreeClassifier(random_state=0)
    expected = active_learning_curve(tree, X, y, **params)
    found = active_learning_curve(tree, kind(X), y, **params)
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_array_equal(one, other)


@every_pool
def test_a_budget_is_spent_as_in_memory(data, kind):
    X, y = data
    model = BudgetedLearner(DecisionTreeClassifier(random_state=0), "margin", 10, 5, 25,
                            random_state=0)  # fmt: skip
    expected = model.fit(X, y).queried_indices_.tolist()
    assert model.fit(kind(X), y).queried_indices_.tolist() == expected
    assert len(model.learner_.X_labeled_) == 25
