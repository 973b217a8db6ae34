"""The labelled set: rows keep their values, are copies, and are found again."""

import copy
import datetime as dt
import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch.utils.data import ConcatDataset, Subset, TensorDataset

from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner, Committee
from skactive.attacks import FGSM
from skactive.retraining import EvaluationSplit
from skactive.strategies import CEAL, DFAL
from skactive.utils.inputs import as_batch, dtype_name
from skactive.utils.row_keys import row_keys, rows_among
from skactive.utils.stacking import stack_rows
from tests.models import SmallMLP


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.random((120, 4))
    return X, (X[:, 0] > X[:, 1]).astype(int)


@pytest.fixture
def images(digits):
    X, y = digits[0][:300].reshape(300, -1), digits[1][:300]
    return X, (X * 255).round().astype(np.uint8), y


def list_of(X):
    return X.tolist()


def logistic():
    return LogisticRegression(max_iter=1000)


def mlp(**params):
    params = {"attack": FGSM(eps=0.05), "max_epochs": 20, "lr": 0.02, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


# -- bytes and floats ---------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [lambda net: net, lambda net: make_pipeline("passthrough", net)])
@pytest.mark.parametrize("first", ["floats", "bytes"])
def test_a_net_taught_bytes_and_floats_has_numbers_of_one_range(images, first, wrap):
    floats, raw, y = images
    rows = (floats[:150], raw[150:]) if first == "floats" else (raw[:150], floats[150:])
    learner = ActiveLearner(wrap(mlp()), "random", random_state=0).fit(rows[0], y[:150])
    before = learner.score(floats[150:], y[150:])
    idx, new = learner.query(rows[1], n=100)
    learner.teach(new, y[150:][idx])
    assert learner.X_labeled_.max() <= 1
    assert learner.score(floats[150:], y[150:]) > before - 0.05


def test_who_reads_bytes_as_numbers_is_told_when_ranges_differ(images):
    floats, raw, y = images
    for own, other in ((floats, raw), (raw, floats)):
        learner = ActiveLearner(logistic(), "margin").fit(own[:50], y[:50])
        for call in (
            lambda learner=learner, other=other: learner.teach(other[50:60], y[50:60]),
            lambda learner=learner, other=other: learner.query(other, n=2),
            lambda learner=learner, other=other: learner.select_tests(other, 2),
        ):
            with pytest.raises(ValueError, match=r"Bytes \(uint8\) up to 255.*in \[0, 1\].*Divide"):
                call()
        assert len(learner.y_labeled_) == 50
    scaled = make_pipeline(FunctionTransformer(), mlp())  # its net sees what the step returns
    with pytest.raises(ValueError, match="Bytes"):
        ActiveLearner(scaled, "random").fit(floats[:50], y[:50]).teach(raw[50:60], y[50:60])
    with pytest.raises(ValueError, match="Pass both as uint8"):
        ActiveLearner(mlp(), "random").fit(raw[:50], y[:50]).teach(raw[50:60].astype(int), y[50:60])


def test_bytes_are_numbers_where_numbers_are_meant(table):
    X, y = table
    counts = (X * 9).astype(np.uint8)
    learner = ActiveLearner(logistic(), "margin").fit(counts[:50], y[:50])
    learner.teach(X[50:60] * 9, y[50:60])
    assert_array_equal(learner.X_labeled_[:50], counts[:50])
    assert_array_equal(learner.X_labeled_[50:], X[50:60] * 9)


NAMELESS = pytest.mark.filterwarnings("ignore:X (has|does not have valid) feature names")


def table_of(values, kind):
    """Numbers as a table of a library."""
    names = [f"p{i}" for i in range(values.shape[1])]
    if kind == "polars":
        return pytest.importorskip("polars").DataFrame(values, schema=names)
    if kind == "table":
        return pytest.importorskip("pyarrow").Table.from_arrays(list(values.T), names=names)
    frame = pd.DataFrame(values, columns=names)
    special = {"nullable": "UInt8", "arrow": "uint8[pyarrow]", "sparse": pd.SparseDtype("uint8")}
    return frame.astype(special[kind]) if kind in special else frame


@pytest.mark.parametrize("kind", ["pandas", "nullable", "arrow", "sparse", "polars", "table"])
def test_bytes_of_a_table_are_read_as_those_of_an_array(kind):
    raw = np.arange(256, dtype=np.uint8).reshape(64, 4)
    frame = table_of(raw, kind)
    batch = as_batch(frame)
    assert type(batch) is type(frame)
    assert_array_equal(np.asarray(batch, dtype=np.float32), as_batch(raw))
    assert dtype_name(frame) == "uint8"
    assert dtype_name(batch) == "float32"
    if kind == "table":
        return
    for pixels in (True, False):
        assert list(row_keys(frame, pixels=pixels)) == list(row_keys(raw, pixels=pixels))
        assert rows_among(frame, raw[::3], pixels=pixels).sum() == 22
        assert rows_among(raw, frame[::3], pixels=pixels).sum() == 22


def test_bytes_beside_other_columns_are_numbers_as_they_are():
    pl = pytest.importorskip("polars")
    frame = pd.DataFrame({"a": np.uint8([1, 255]), "b": [0.5, 0.25]})
    others = [frame, pl.DataFrame(frame), frame.assign(b=[True, False]), frame.assign(b=["x", "y"])]
    for other in others:
        assert as_batch(other) is other
    assert list(map(dtype_name, others)) == ["float64", "float64", None, None]
    assert dtype_name(pd.DataFrame(index=[0, 1])) is None
    holed = as_batch(pd.DataFrame({"a": pd.array([255, None], "UInt8")}))
    assert_array_equal(holed["a"], [1, np.nan])


@NAMELESS
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_a_net_tells_the_same_of_bytes_in_a_table(images, kind):
    _, raw, y = images
    frame = table_of(raw, kind)
    learner = ActiveLearner(mlp(max_epochs=2), "margin", random_state=0).fit(raw[:60], y[:60])
    assert_array_equal(learner.predict_proba(frame), learner.predict_proba(raw))
    idx, _ = learner.query(raw, n=6)
    assert_array_equal(learner.query(frame, n=6)[0], idx)
    assert_array_equal(learner.excluded_, np.arange(60))
    named = ActiveLearner(mlp(max_epochs=2), "margin", random_state=0).fit(frame[:60], y[:60])
    assert_array_equal(named.predict_proba(frame), learner.predict_proba(raw))
    with pytest.raises(ValueError, match="feature names should match"):
        named.predict_proba(table_of(raw[:, ::-1], kind)[sorted(frame.columns)])


@NAMELESS
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_bytes_of_a_table_become_numbers_beside_numbers(images, kind):
    floats, raw, y = images
    frame, numbers = table_of(raw, kind), table_of(floats, kind)
    for first, second in ((floats, frame), (frame, numbers), (numbers, frame), (raw, frame)):
        learner = ActiveLearner(mlp(max_epochs=1), "random").fit(first[:50], y[:50])
        learner.teach(second[50:60], y[50:60])
        held = as_batch(learner.X_labeled_)
        assert_allclose(np.asarray(held), floats[:60], atol=1 / 400)
    learner = ActiveLearner(logistic(), "margin").fit(numbers[:50], y[:50])
    for call in (lambda: learner.teach(frame[50:60], y[50:60]), lambda: learner.query(frame, n=2)):
        with pytest.raises(ValueError, match=r"Bytes \(uint8\) up to 255.*in \[0, 1\].*Divide"):
            call()
    learner.set_params(estimator=mlp(max_epochs=1)).fit(frame[:50], y[:50])
    with pytest.raises(ValueError, match="Pass both as uint8"):
        learner.teach(table_of(raw.astype(int), kind)[50:60], y[50:60])


@NAMELESS
@pytest.mark.parametrize("kind", ["pandas", "polars"])
def test_twins_of_bytes_in_a_table_are_numbers(images, kind):
    _, raw, y = images
    frame = table_of(raw, kind)
    learners = []
    for X in (raw, frame):
        learner = ActiveLearner(mlp(max_epochs=2), DFAL(adversarial_twins=True), random_state=0)
        idx, rows = learner.fit(X[:60], y[:60]).query(X, n=3)
        learners.append(learner.teach(rows, y[idx]))
    assert learners[0].history_[-1]["adversarial"] == learners[1].history_[-1]["adversarial"] > 0
    assert_array_equal(learners[0].predict_proba(raw), learners[1].predict_proba(frame))


@NAMELESS
def test_bytes_of_pools_in_partitions_are_read_as_in_memory(images):
    dd = pytest.importorskip("dask.dataframe")
    _, raw, y = images
    frame = table_of(raw, "pandas")
    for X in (raw, frame):
        learner = ActiveLearner(mlp(max_epochs=2), "margin", random_state=0).fit(X[:60], y[:60])
        idx, _ = learner.query(X, n=6)
        for pool in (table_of(raw, "table"), dd.from_pandas(frame, npartitions=3)):
            assert_array_equal(learner.query(pool, n=6)[0], idx)
            assert_array_equal(learner.excluded_, np.arange(60))


NUMBERS = st.sampled_from([np.uint8, np.int16, np.int64, np.float16, np.float32, np.float64])


@given(
    first=NUMBERS.flatmap(lambda d: arrays(d, (3, 2))),
    second=NUMBERS.flatmap(lambda d: arrays(d, (2, 2))),
    kind=st.sampled_from(["array", "tensor", "sparse", "pandas", "polars"]),
)
@settings(max_examples=300, deadline=None)
def test_stacking_keeps_every_value_or_refuses(first, second, kind):
    assume(kind not in ("sparse", "polars") or np.float16 not in (first.dtype, second.dtype))
    tables = {k: partial(table_of, kind=k) for k in ("pandas", "polars")}
    others = {"array": np.asarray, "tensor": torch.as_tensor, "sparse": sp.csr_matrix}
    wrap = {**tables, **others}[kind]
    try:
        stacked = stack_rows(wrap(first), wrap(second))
        stacked = stacked.toarray() if kind == "sparse" else np.asarray(stacked)
    except ValueError as refused:
        if "rounded" not in str(refused):
            raise
        return
    for part, kept in ((first, stacked[:3]), (second, stacked[3:])):
        if part.dtype.kind == "f":
            assert_array_equal(kept.astype(np.float64), part.astype(np.float64))
        else:
            assert [[int(v) for v in row] for row in kept.tolist()] == part.tolist()


def test_large_integers_are_rounded_in_no_container():
    pl = pytest.importorskip("polars")
    large, half = [2**53 + 1], [0.5]
    columns = [
        lambda v: pd.DataFrame({"a": v}), lambda v: pd.Series(v), lambda v: pl.DataFrame({"a": v}),
        lambda v: pd.DataFrame({"a": pd.array(v)}),
        lambda v: pd.DataFrame({"a": pd.array([*v, None])}), lambda v: sp.lil_matrix([v]),
    ]  # fmt: skip
    for make in columns:
        for first, second in ((large, half), (half, large)):
            with pytest.raises(ValueError, match=r"Integers.*would be rounded.*Convert one"):
                stack_rows(make(first), make(second))
    for second in (pd.DataFrame({"a": large, "b": half}), np.array([large + large])):
        with pytest.raises(ValueError, match="would be rounded"):
            stack_rows(np.array([[0.5, 0.5]]), second)
    mixed = pd.DataFrame({"a": ["x"]})
    assert stack_rows(pd.DataFrame({"a": large}), mixed)["a"].tolist() == [*large, "x"]
    assert stack_rows(pl.DataFrame({"a": large}), pl.DataFrame({"a": [None]}))["a"][0] == large[0]


def test_tensors_are_not_cast_to_the_first_dtype():
    stacked = stack_rows(torch.tensor([[1]]), torch.tensor([[5.56]], dtype=torch.float64))
    assert stacked.tolist() == [[1.0], [5.56]]


@pytest.mark.parametrize("kind", ["frame", "list", "tensor", "csr", "polars", "dataset", "words"])
def test_other_containers_become_what_is_labelled_or_are_refused(table, kind):
    X, y = table
    pl = pytest.importorskip("polars")
    rows = {
        "frame": pd.DataFrame(X),
        "list": X.tolist(),
        "tensor": torch.as_tensor(X),
        "csr": sp.csr_matrix(X),
        "polars": pl.DataFrame(X),
        "dataset": TensorDataset(torch.as_tensor(X)),
        "words": X.astype(str),
    }[kind]
    learner = ActiveLearner(logistic(), "random").fit(X[:20], y[:20])
    if kind == "words":
        with pytest.raises(ValueError, match="Text"):
            learner.teach(rows, y)
        assert len(learner.X_labeled_) == 20
        return
    learner.teach(rows, y)
    assert type(learner.X_labeled_) is np.ndarray
    assert_array_equal(learner.X_labeled_, np.concatenate([X[:20], X]))


def test_images_of_another_layout_are_refused_with_the_way_out(digits):
    X = np.repeat(digits[0][:40], 3, axis=1)
    for rows, hint in (
        (X.transpose(0, 2, 3, 1), "transpose"),
        (X[:, 0], r"rows of shape \(8, 8\)"),
    ):
        with pytest.raises(ValueError, match=hint):
            stack_rows(X, rows)
    with pytest.raises(ValueError, match=r"X\[:, None\]"):
        stack_rows(X[:, :1], X[:, 0])


def test_images_and_items_of_datasets_join_arrays(digits):
    image = pytest.importorskip("PIL.Image")
    X, y = digits[0][:60], digits[1][:60]
    raw = (X * 255).round().astype(np.uint8)
    pictures = [image.fromarray(row[0]) for row in raw]
    net = AdversarialNetClassifier(
        torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10)),
        attack=None,
        max_epochs=1,
        random_state=0,
    )
    for rows in (pictures[40:], TensorDataset(torch.as_tensor(raw[40:]), torch.as_tensor(y[40:]))):
        learner = ActiveLearner(net, "random", random_state=0).fit(X[:40], y[:40])
        learner.teach(rows, y[40:])
        assert_array_equal(learner.X_labeled_[40:], raw[40:] / np.float32(255))


# -- what is kept is a copy ---------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap", [np.array, torch.tensor, pd.DataFrame, sp.csr_matrix, np.ndarray.tolist]
)
def test_the_callers_arrays_may_change_afterwards(table, wrap):
    X, y = table
    given_X, given_y, weights = wrap(X[:40].copy()), y[:40].copy(), np.ones(40)
    learner = ActiveLearner(logistic(), "random", random_state=0)
    learner.fit(given_X, given_y, sample_weight=weights)
    other = clone(learner).fit(wrap(X[:40]), y[:40], sample_weight=np.ones(40))
    new = wrap(X[40:50].copy())
    learner.teach(new, y[40:50])
    for rows in (given_X, new):
        if isinstance(rows, list):
            for row in rows:
                row[:] = [0.0] * 4
        elif hasattr(rows, "iloc"):
            rows.iloc[:] = 0
        else:
            rows[:] = 0
    given_y[:], weights[:] = 0, 9
    other.teach(wrap(X[40:50]), y[40:50])
    for each in (learner, other):
        each.teach(wrap(X[50:60]), y[50:60])
    assert_array_equal(learner.predict_proba(wrap(X)), other.predict_proba(wrap(X)))
    made = ActiveLearner.from_fitted(logistic().fit(X, y), given := X.copy(), y)
    given[:] = 0
    assert made.X_labeled_.any()


# -- labels -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "holes", [["", "a"], [None, "a"], [np.nan, "a"], [pd.NA, "a"], [np.nan, 1.0]]
)
def test_what_is_no_label_is_no_class(table, holes):
    X, _ = table
    y = np.array((holes * 15)[:30], dtype=object)
    y = y.astype(float) if holes[1] == 1.0 else y
    match = r"15 of 30 samples \(at 0, 2, 4, 6, 8, …\).*unlabelled"
    good = np.array([holes[1], "b" if isinstance(holes[1], str) else holes[1] * 2] * 15)
    for make in (ActiveLearner, Committee):
        with pytest.raises(ValueError, match=match):
            make(logistic()).fit(X[:30], y)
        learner = make(logistic()).fit(X[:30], good)
        with pytest.raises(ValueError, match=match):
            learner.teach(X[30:60], y)
    with pytest.raises(ValueError, match=match):
        BudgetedLearner(logistic(), budget=20).fit(X[:30], y)
    plain = np.array(["", "a"] * 15)
    with pytest.raises(ValueError, match="''"):
        ActiveLearner(logistic()).fit(X[:30], plain)


# -- labelled rows in the pool ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["array", "float32", "frame", "csr", "tensor", "list", "memmap"])
def test_rounds_over_the_whole_pool_buy_each_row_once(table, kind, tmp_path):
    X, y = table
    np.save(tmp_path / "pool.npy", X)
    pool = {
        "array": X,
        "float32": X.astype(np.float32),
        "frame": pd.DataFrame(X, columns=list("abcd")),
        "csr": sp.csr_matrix(X),
        "tensor": torch.as_tensor(X),
        "list": X.tolist(),
        "memmap": np.load(tmp_path / "pool.npy", mmap_mode="r"),
    }[kind]
    first = pool.iloc[:20] if kind == "frame" else pool[:20]
    learner = ActiveLearner(logistic(), "random", random_state=0).fit(first, y[:20])
    bought = list(range(20))
    for _ in range(12):
        idx, rows = learner.query(pool, n=8)
        assert_array_equal(learner.excluded_, sorted(bought))
        learner.teach(rows, y[idx])
        bought += idx.tolist()
    assert len(set(bought)) == 116
    with pytest.raises(ValueError, match=r"in the pool \(4\), got 5: of its 120 rows, 116 are"):
        learner.query(pool, n=5)
    assert len(learner.query(pool, n=4)[0]) == 4
    assert len(learner.query(pool, n=120, exclude_labeled=False)[0]) == 120
    assert len(learner.query(pool, n=120, candidates=np.arange(120))[0]) == 120
    assert_array_equal(learner.excluded_, [])


def test_items_of_a_dataset_are_told_by_position(digits):
    X, y = torch.as_tensor(digits[0][:100].reshape(100, -1)), digits[1][:100]
    pool = TensorDataset(X)
    learner = ActiveLearner(mlp(max_epochs=1), "random", random_state=0)
    learner.fit(Subset(pool, range(20)), y[:20])
    bought = list(range(20))
    for _ in range(4):
        idx, rows = learner.query(pool, n=20)
        learner.teach(rows, y[idx])
        bought += idx.tolist()
    assert len(set(bought)) == 100
    assert learner.query(TensorDataset(X), n=100)[0].size == 100  # another object
    again = learner.fit(ConcatDataset([Subset(Subset(pool, [4, 7, 9]), [2, 0])] * 5), [0, 1] * 5)
    again.query(pool, n=1)
    assert_array_equal(again.excluded_, [4, 9])


def test_a_pool_is_read_a_few_columns_first(monkeypatch):
    from skactive.utils import row_keys as module

    rng = np.random.default_rng(0)
    X = rng.normal(size=(50_000, 20))
    keyed, inner = [], module._batch_keys

    def counted(batch, pixels):
        keyed.append(len(batch))
        return inner(batch, pixels)

    monkeypatch.setattr(module, "_batch_keys", counted)
    found = rows_among(X, X[::500])
    assert_array_equal(np.flatnonzero(found), np.arange(0, 50_000, 500))
    assert sum(keyed) < 300


# -- keys ---------------------------------------------------------------------------------


def test_timestamps_a_second_apart_are_different_rows():
    X = 1.7e9 + np.arange(100.0)[:, None]
    y = np.arange(100) % 2
    assert len(set(row_keys(X))) == 100
    learner = ActiveLearner(logistic(), "random", random_state=0).fit(X[:2], y[:2])
    learner.query(X, n=98)
    assert_array_equal(learner.excluded_, [0, 1])
    split = EvaluationSplit(X, y, exclude=X[:2], random_state=0)
    assert 40 <= len(split.evaluation) <= 60


def test_equal_rows_have_equal_keys_whatever_holds_them():
    pl = pytest.importorskip("polars")
    X = np.array([[1, 0, -3], [2, 255, 7], [0, 0, 0]])
    wanted = list(row_keys(X))
    assert len(set(wanted)) == 3
    others = [
        X.astype(np.int16), X.astype(np.float32), np.asfortranarray(X, dtype=float), X.tolist(),
        X.astype(object), torch.as_tensor(X), torch.as_tensor(X).bfloat16(), sp.csr_matrix(X),
        sp.coo_matrix(X), pd.DataFrame(X), pd.DataFrame(X).astype(object), pl.DataFrame(X),
        pd.DataFrame(X).astype("Int64"), TensorDataset(torch.as_tensor(X)),
        X[:, :, None], X * -1.0 * -1,
    ]  # fmt: skip
    for other in others:
        assert list(row_keys(other)) == wanted, type(other)
        assert rows_among(other, X).all()
        assert rows_among(X, other).all()
    assert list(row_keys(np.uint8([[255, 0]]))) == list(row_keys(np.float32([[1, 0]])))
    assert list(row_keys(np.uint8([[255]]), pixels=False)) == list(row_keys([[255.0]]))


def test_rows_of_many_lengths_have_the_key_that_each_has_alone():
    images = [np.ones((2, 2)), np.zeros((2, 2)), np.ones((3, 3))]
    held = np.empty(3, dtype=object)
    held[:] = images
    lists = [
        [["good", "film"], ["bad", "film"], ["dull"], []],
        [[1, 2], [3.5, 4], [5]],
        images,
        [[1, [2, 3]], [4, 5], [[6]]],
        [["a", 1], ["a", "1"], ["a"]],
    ]
    for rows in [*lists, held]:
        wanted = [next(row_keys(rows[i : i + 1])) for i in range(len(rows))]
        assert list(row_keys(rows)) == wanted
        assert len(set(wanted)) == len(rows)
        assert list(row_keys(rows[:2])) == wanted[:2]
        assert rows_among(rows, rows[:2]).tolist() == [i < 2 for i in range(len(rows))]
        assert rows_among(rows[:2], rows).all()
    assert list(row_keys(held)) == list(row_keys(images))
    assert list(row_keys(np.stack(images[:2]))) == list(row_keys(images))[:2]
    raw = [np.uint8([255, 0]), np.uint8([255])]
    assert list(row_keys(raw)) == list(row_keys([[1, 0], [1]]))
    assert list(row_keys(raw, pixels=False)) == list(row_keys([[255, 0], [255]]))


@pytest.mark.parametrize("labelled", [[0, 1, 4, 5], [0, 1, 2, 3]])
def test_labelled_texts_are_found_whatever_lengths_the_others_have(labelled):
    texts = ["good film", "bad film", "good acting here", "dull", "bad plot", "good plot", "fine"]
    texts, y = [text.split() for text in texts], np.array([1, 0, 1, 0, 0, 1, 1])
    model = make_pipeline(CountVectorizer(analyzer=list), logistic())
    learner = ActiveLearner(model, "random", random_state=0)
    learner.fit([texts[i] for i in labelled], y[labelled]).query(texts, n=3)
    assert_array_equal(learner.excluded_, labelled)


def test_keys_of_mixed_missing_wide_and_huge_values():
    frame = pd.DataFrame(
        {"word": ["a", "b", None], "n": [1, 2, 3], "at": pd.to_datetime([0, 1, 2], unit="s")}
    )
    assert len(set(row_keys(frame))) == 3
    assert list(row_keys(frame)) == list(row_keys(frame.astype({"n": float})))
    assert list(row_keys([[np.nan, 1]])) == list(row_keys(np.array([[None, 1.0]], dtype=object)))
    huge = np.array([[2**60], [2**60 + 1]])
    assert len(set(row_keys(huge))) == 2
    assert next(row_keys(huge)) == next(row_keys(huge.astype(float)))
    wide = sp.random(20, 10_000, 0.01, random_state=0, format="csr")
    assert list(row_keys(wide)) == list(row_keys(wide.toarray()))
    assert rows_among(frame, frame.iloc[[2, 0]]).tolist() == [True, False, True]
    holed = np.array([[np.nan, 1.0], [np.nan, 2.0], [3.0, 1.0]])
    assert rows_among(holed, holed[:1]).tolist() == [True, False, False]


@given(arrays(np.float32, (8, 3), elements=st.floats(-2, 2, width=32)), st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_rows_are_found_as_by_comparing_each_with_each(X, n):
    known = X[:n].astype(np.float64)
    by_hand = [any((row == other).all() for other in known) for row in X]
    assert rows_among(X, known).tolist() == by_hand


# -- pickles ------------------------------------------------------------------------------


def test_the_pool_is_not_pickled(table):
    X, y = table
    pool = np.random.default_rng(1).random((100_000, 4))
    learner = ActiveLearner(logistic(), "margin", random_state=0).fit(X, y)
    size = len(pickle.dumps(learner))
    learner.query(pool, n=3)
    assert len(pickle.dumps(learner)) < size + 2_000
    assert len(pickle.dumps(copy.deepcopy(learner))) < size + 2_000
    learner.set_params(query_strategy=CEAL(threshold=0.3)).query(pool, n=3)
    n_pseudo = len(learner._pending.pseudo[1])
    assert n_pseudo > 0
    again = pickle.loads(pickle.dumps(learner))
    for each in (learner, again):
        each.teach(pool[:3], [0, 1, 1])
        assert each.history_[-1]["pseudo"] == n_pseudo
    assert_array_equal(learner.estimator_.coef_, again.estimator_.coef_)


def test_a_pool_that_was_left_out_is_asked_for(images):
    X, _, y = images
    learner = ActiveLearner(mlp(unlabeled="rst", max_epochs=1), "random", use_pool=True)
    learner.fit(X[:50], y[:50])
    pickle.loads(pickle.dumps(learner)).teach(X[50:55], y[50:55])  # there was none yet
    idx, rows = learner.query(X, n=5)
    again = pickle.loads(pickle.dumps(learner))
    with pytest.raises(ValueError, match="Query the pool again"):
        again.teach(rows, y[idx])
    assert len(again.y_labeled_) == 50
    again.query(X, n=5)
    assert again.teach(rows, y[idx]).history_[-1]["pseudo"] == 245


def test_a_scaled_pipeline_keeps_its_numbers(table):
    X, y = table
    pipe = make_pipeline(StandardScaler(), logistic())
    learner = ActiveLearner(pipe, "margin", random_state=0).fit(X[:30].astype(np.float32), y[:30])
    learner.teach(X[30:40], y[30:40])
    assert learner.X_labeled_.dtype == np.float64
    assert_array_equal(learner.X_labeled_[30:], X[30:40])


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([dt.timedelta(hours=1), dt.timedelta(days=400)], "m8[us]"),
        ([np.timedelta64(1, "h"), pd.Timedelta(5, "ns")], "m8[ns]"),
        ([pd.Timestamp(1), pd.Timestamp(2)], "M8[ns]"),  # a nanosecond apart
        ([dt.date(2020, 1, 1), np.datetime64("2021-01-01")], "M8[s]"),
        ([dt.datetime(2020, 1, 1), pd.NaT], "M8[us]"),
        ([np.datetime64("NaT"), np.datetime64("2021-01-01")], "M8[s]"),
        ([np.timedelta64("NaT"), dt.timedelta(1)], "m8[s]"),
    ],
)
def test_times_as_objects_are_those_of_a_column(values, column):
    exact = [v.to_numpy() if hasattr(v, "to_numpy") else v for v in values]
    objects = pd.DataFrame({"x": [1.0, 2.0], "t": pd.Series(values, dtype=object)})
    typed = pd.DataFrame({"x": [1.0, 2.0], "t": np.array(exact, dtype=column)})
    keys = list(row_keys(objects))
    assert keys == list(row_keys(typed))
    assert len(set(keys)) == 2


def test_times_of_day_are_told_apart():
    frame = pd.DataFrame({"x": [1.0] * 3, "t": [dt.time(1), dt.time(2), dt.time(1)]})
    first, second, third = row_keys(frame)
    assert first == third != second


def test_tables_of_two_libraries_and_names_of_two_types_are_told_apart(table):
    X, y = table
    pl = pytest.importorskip("polars")
    learner = ActiveLearner(LogisticRegression()).fit(pd.DataFrame(X, columns=[*"abcd"]), y)
    with pytest.raises(ValueError, match=r"are a polars DataFrame.* Pass a pandas DataFrame"):
        learner.teach(pl.DataFrame(X[:2], schema=[*"abcd"]), y[:2])
    learner = ActiveLearner(LogisticRegression()).fit(pl.DataFrame(X, schema=[*"abcd"]), y)
    with pytest.raises(ValueError, match=r"are a pandas DataFrame.* Pass a polars DataFrame"):
        learner.teach(pd.DataFrame(X[:2], columns=[*"abcd"]), y[:2])
    stacked = stack_rows(pd.DataFrame(X), pd.DataFrame(X[:, ::-1], columns=[3, 2, 1, 0]))
    assert_array_equal(stacked, np.r_[X, X])
    with pytest.raises(ValueError, match=r"have columns \['0', '1', .* there \[0, 1,"):
        stack_rows(pd.DataFrame(X), pd.DataFrame(X, columns=[*"0123"]))
