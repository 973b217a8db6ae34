"""Pools in partitions: the picks of memory, over Dask, Ray, Arrow, Hugging Face and xarray."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from skactive import ActiveLearner, Committee
from skactive.distributed import partitioned
from skactive.exceptions import CapabilityError
from skactive.kernels.best_of_parts import Best
from skactive.kernels.selection import top_k
from skactive.strategies import (
    CEAL,
    DRE,
    EPIG,
    MCP,
    ClassBalanced,
    CoreSet,
    RandomSampling,
    ScoringStrategy,
    Subsample,
)
from skactive.utils.indexing import take_rows

da = pytest.importorskip("dask.array")
N = 900
SIZES = (1, 0, 211, 13, 400, 0, 275)  # odd ones, an empty one, one row


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(N, 6, n_informative=4, n_classes=3, random_state=0)
    return X.astype(np.float32), y


def in_chunks(X):
    return da.from_array(X, chunks=(SIZES, *X.shape[1:]))


def learner(data, strategy, estimator=None, **params):
    X, y = data
    # A tree has few different probabilities: many ties.
    estimator = (
        DecisionTreeClassifier(max_depth=4, random_state=0) if estimator is None else estimator
    )
    kind = ActiveLearner
    if estimator == "committee":
        kind, estimator = Committee, DecisionTreeClassifier(max_depth=4, max_features=2)
    return kind(estimator, strategy, random_state=3, **params).fit(X[:40], y[:40])


def same_picks(data, pool, strategy, n=30, candidates=None, own=None, estimator=None):
    """Ask about a pool in memory and in partitions; the picks."""
    asked = [learner(data, strategy, estimator) for _ in range(2)]
    own = candidates if own is None else own
    expected = asked[0].query(data[0], n, candidates=candidates, return_scores=True)
    found = asked[1].query(pool, n, candidates=own, return_scores=True)
    np.testing.assert_array_equal(found[0], expected[0])
    np.testing.assert_array_equal(np.asarray(found[1]), expected[1])
    if expected[2] is not None:
        np.testing.assert_array_equal(found[2], expected[2])
    np.testing.assert_array_equal(asked[1].excluded_, asked[0].excluded_)
    return found


@pytest.mark.parametrize("n", [1, 7, 100, 500])
@pytest.mark.parametrize("n_values", [1, 3, 50, 10**6])
@pytest.mark.parametrize("n_parts", [1, 5, 40])
def test_the_best_of_parts_in_any_tree_are_those_of_all(n, n_values, n_parts):
    rng = np.random.default_rng([n, n_values, n_parts])
    scores = rng.integers(n_values, size=500).astype(float)
    cuts = np.sort(rng.integers(501, size=n_parts - 1))
    parts = np.split(scores, cuts)
    starts = np.concatenate([[0], cuts])
    every = [Best.of(part, n, i, rows=part.__getitem__) for i, part in enumerate(parts)]
    while len(every) > 1:  # whichever two come next
        i, j = sorted(rng.choice(len(every), 2, replace=False))
        second = every.pop(j)
        every[i] = every[i].merged(second, take=take_rows)
    one, other = (np.random.default_rng(5) for _ in range(2))
    number, at, found = every[0].picked(one)
    expected = top_k(scores, n, other)
    np.testing.assert_array_equal(starts[number] + at, expected)
    np.testing.assert_array_equal(found, scores[expected])
    assert one.bit_generator.state == other.bit_generator.state
    for entries in every[0].entries:
        if entries.rows is not None:
            np.testing.assert_array_equal(entries.rows, parts[entries.part][entries.at])


@pytest.mark.parametrize("strategy", ["margin", "entropy", "gini", "least_confidence"])
@pytest.mark.parametrize("candidates", ["all", "some", "mask", "backwards"])
def test_scores_by_partition_give_the_picks_of_memory(data, strategy, candidates):
    X = data[0]
    chosen = {
        "all": None,
        "some": np.arange(0, N, 2),
        "mask": np.arange(N) % 3 > 0,
        "backwards": np.arange(N)[::-3],
    }[candidates]
    own = da.from_array(chosen, chunks=77) if candidates == "mask" else None
    same_picks(data, in_chunks(X), strategy, candidates=chosen, own=own)
    same_picks(data, in_chunks(X), strategy, estimator=LogisticRegression(max_iter=500))


@pytest.mark.parametrize("allocation", ["proportional", "ceil_tail", "equal"])
@pytest.mark.parametrize("n_bins", [1, 50, 400])
@pytest.mark.parametrize("n", [3, 120, 700])
def test_histograms_of_parts_give_the_picks_of_memory(data, allocation, n_bins, n):
    X = data[0]
    strategy = DRE(n_bins, allocation=allocation)
    for estimator in (None, LogisticRegression(max_iter=500)):
        same_picks(data, in_chunks(X), strategy, n, estimator=estimator)
        if n < 200:
            backwards = np.arange(N)[::-2]
            same_picks(data, in_chunks(X), strategy, n, backwards, estimator=estimator)


class Distances(DRE):
    """Boundaries that some rows have not."""

    def _caps_infinite(self):
        return True

    def _values(self, query):
        first = query.X.materialise()[:, 0].astype(np.float64)
        return np.where(first > 1, np.inf, first)


@pytest.mark.parametrize(
    "strategy",
    [
        MCP(),
        CEAL(threshold=0.3),
        RandomSampling(),
        Distances(),
        Subsample(CoreSet(), size=200),
        Subsample("mcp", size=0.3),
    ],
    ids=lambda strategy: type(strategy).__name__,
)
@pytest.mark.parametrize("candidates", ["all", "mask", "backwards"])
def test_what_is_exact_over_partitions(data, strategy, candidates):
    chosen = {"all": None, "mask": np.arange(N) % 3 > 0, "backwards": np.arange(N)[::-2]}[
        candidates
    ]
    for n in (1, 60):
        same_picks(data, in_chunks(data[0]), strategy, n, chosen)


def test_targets_are_drawn_of_the_whole_pool(data):
    asked = [learner(data, EPIG(n_targets=20), "committee") for _ in range(2)]
    expected = asked[0].query(data[0], 20, return_scores=True)
    found = asked[1].query(in_chunks(data[0]), 20, return_scores=True)
    # Products of matrices, which round by the place of a row in its batch.
    np.testing.assert_allclose(found[2], expected[2], rtol=1e-12)


def test_what_is_kept_tells_its_size(data):
    from dask.sizeof import sizeof

    from skactive.distributed._task import Visited
    from skactive.strategies._parts import _Values

    held = _Values(0, None, np.zeros(10_000), None, np.zeros(10_000, np.uint8))
    assert 90_000 < sizeof(Visited({}, held)) < 92_000  # or a worker never puts it on disk


def test_pseudo_labels_are_those_of_memory(data):
    asked = [learner(data, CEAL(threshold=0.3)) for _ in range(2)]
    for one, pool in zip(asked, (data[0], in_chunks(data[0])), strict=True):
        index, X = one.query(pool, 10)
        one.teach(X, data[1][index])
    assert asked[0].history_[-1]["pseudo"] == asked[1].history_[-1]["pseudo"] > 0
    expected, found = (one.predict_proba(data[0]) for one in asked)
    np.testing.assert_array_equal(found, expected)


class OwnScore(ScoringStrategy):
    """A user's strategy: it works at once."""

    def _score(self, model, X, rng):
        return model.predict_proba(X)[:, 0]


class Lottery(ScoringStrategy):
    """One that draws for each row: as random in partitions as in memory."""

    def _score(self, model, X, rng):
        return rng.random(len(X))


def test_a_users_own_strategy_works_at_once(data):
    same_picks(data, in_chunks(data[0]), OwnScore())
    index, _ = learner(data, Lottery()).query(in_chunks(data[0]), 60)
    again, _ = learner(data, Lottery()).query(in_chunks(data[0]), 60)
    np.testing.assert_array_equal(index, again)
    ends = np.cumsum(SIZES)
    within = index - np.concatenate([[0], ends])[np.searchsorted(ends, index, side="right")]
    assert len(set(within.tolist())) > 40  # partitions draw numbers of their own


def test_a_strategy_that_needs_all_rows_says_so(data):
    asked = learner(data, ClassBalanced("margin"))
    with pytest.raises(CapabilityError, match="ClassBalanced looks at all rows.*Subsample"):
        asked.query(in_chunks(data[0]), 5)


# -- other libraries ------------------------------------------------------------------------

COLUMNS = list("abcdef")


def table(data):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(data[0], columns=COLUMNS)
    return frame.assign(id=[f"r{i}" for i in range(N)], ok=np.arange(N) % 2 == 0)


def of_dask(data, tmp_path):
    dd = pytest.importorskip("dask.dataframe")
    return dd.from_pandas(table(data), npartitions=5)


def of_arrow(data, tmp_path):
    return pytest.importorskip("pyarrow").Table.from_pandas(table(data))


def of_files(data, tmp_path):
    import pyarrow.dataset as datasets
    import pyarrow.parquet as parquet

    whole = of_arrow(data, tmp_path)
    for number, (start, size) in enumerate([(0, 1), (1, 0), (1, 499), (500, 400)]):
        part = whole.slice(start, size)
        parquet.write_table(part, tmp_path / f"{number}.parquet", row_group_size=150)
    return datasets.dataset(tmp_path)


def of_hugging_face(data, tmp_path):
    return pytest.importorskip("datasets").Dataset.from_pandas(table(data))


@pytest.fixture(scope="module")
def ray():
    ray = pytest.importorskip("ray")
    with pytest.MonkeyPatch.context() as patch:
        # Ray's own 15 leaves its workers next to nothing of a machine that has other work.
        patch.setenv("RAY_worker_niceness", "0")
        ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


def ask_about_a_table(data, pool, strategy, named):
    """Ask about a table with a column of ids and one of truth values; taught what came back."""
    frame = table(data)
    X = frame[COLUMNS] if named else frame[COLUMNS].to_numpy()
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    asked = [
        ActiveLearner(tree, strategy, random_state=3).fit(X[:40], data[1][:40]) for _ in range(2)
    ]
    at, rows = asked[0].query(X, 20, candidates=frame["ok"].to_numpy())
    ids, own = asked[1].query(pool, 20, candidates="ok", ids="id")
    assert ids.tolist() == [f"r{i}" for i in at]
    for one, X_new in zip(asked, (rows, own), strict=True):
        one.teach(X_new, data[1][at])
    expected, found = (one.predict_proba(X) for one in asked)
    np.testing.assert_array_equal(found, expected)
    return own


@pytest.mark.parametrize("named", [True, False], ids=["names", "array"])
@pytest.mark.parametrize("kind", [of_dask, of_arrow, of_files, of_hugging_face])
def test_tables_are_asked_by_their_columns(data, tmp_path, kind, named):
    pool = kind(data, tmp_path)
    for strategy in ("margin", "dre"):
        own = ask_about_a_table(data, pool, strategy, named)
    names = own.columns.tolist() if hasattr(own, "iloc") else own.column_names
    assert names == COLUMNS


@pytest.mark.filterwarnings("ignore")  # Ray's own, of its parts among each other
@pytest.mark.timeout(580)
def test_blocks_of_ray_are_asked_where_they_are(data, ray):
    import ray.data

    frame = table(data)
    pool = ray.data.from_pandas([frame[:1], frame[1:1], frame[1:500], frame[500:]])
    own = ask_about_a_table(data, pool, "margin", named=True)
    assert isinstance(own, ray.data.Dataset)
    assert own.columns() == COLUMNS


@pytest.mark.filterwarnings("ignore")
@pytest.mark.timeout(580)
def test_blocks_of_ray_may_be_empty_or_hold_tensors(data, ray):
    import ray.data

    X, y = data
    asked = learner(data, "mcp")
    expected, _ = asked.query(X, 20)
    found, rows = asked.query(ray.data.from_numpy([X[:1], X[1:1], X[1:500], X[500:]]), 20)
    np.testing.assert_array_equal(found, expected)
    asked.teach(rows, y[found])
    frame = table(data)[COLUMNS]
    pool = ray.data.from_pandas([frame[:300], frame[300:]])
    with pytest.raises(TypeError, match="a column of the pool and pass its name"):
        asked.query(pool, 5, candidates=pool)
    kept = pool.filter(lambda row: row["a"] > 1e9)
    with pytest.raises(ValueError, match="no candidate"):
        asked.query(kept, 5)
    with pytest.raises(ValueError, match="without a block"):
        asked.query(ray.data.from_items([]), 5)


@pytest.mark.parametrize("chunks", [None, 211])
def test_arrays_with_names_come_back_with_them(data, chunks):
    xarray = pytest.importorskip("xarray")
    named = xarray.DataArray(data[0], dims=("row", "of"), coords={"row": np.arange(N) * 10})
    pool = named if chunks is None else named.chunk({"row": chunks, "of": 4})
    asked = learner(data, "margin")
    at, rows = asked.query(data[0], 20)
    ids, own = asked.query(pool, 20, ids="row")
    assert ids.tolist() == (at * 10).tolist() == own["row"].values.tolist()
    np.testing.assert_array_equal(own.values, rows)
    asked.teach(own, data[1][at])
    mask = named[:, 0] > 0
    expected, _ = asked.query(data[0], 9, candidates=mask.values)
    found, _ = asked.query(pool, 9, candidates=mask if chunks is None else mask.chunk(77))
    np.testing.assert_array_equal(found, expected)


def test_images_of_a_hugging_face_dataset(data):
    datasets = pytest.importorskip("datasets")
    X = data[0].reshape(N, 1, 2, 3)
    pool = datasets.Dataset.from_dict({"image": X, "label": data[1]})
    flat = make_pipeline(FunctionTransformer(in_rows), DecisionTreeClassifier(random_state=0))
    asked = ActiveLearner(flat, "margin", random_state=3).fit(X[:40], data[1][:40])
    expected, _ = asked.query(X, 20)
    found, own = asked.query(pool, 20)
    np.testing.assert_array_equal(found, expected)
    assert isinstance(own, datasets.Dataset)
    asked.teach(own, own["label"])


def of_xarray(data, tmp_path):
    xarray = pytest.importorskip("xarray")
    return xarray.DataArray(data[0], dims=("row", "of"))


@pytest.mark.parametrize(
    "kind",
    [
        lambda data, tmp_path: in_chunks(data[0]),
        of_xarray,
        lambda data, tmp_path: of_xarray(data, tmp_path).chunk({"row": 211}),
        of_dask,
        of_arrow,
        of_files,
    ],
    ids=["dask", "xarray", "chunked xarray", "dask table", "arrow", "files"],
)
def test_rows_are_taken_as_numpy_takes_them(data, tmp_path, kind):
    pool = partitioned(kind(data, tmp_path))
    whole, ids = pool.take(np.arange(N)), np.arange(N) * 3
    for at in ([-1, 0, -N, N - 1], data[1] == 1, np.zeros(N, bool), slice(-3, None), [], [2, 2]):
        np.testing.assert_array_equal(pool.take(at), whole[at])
        _, names = pool.named(ids).take_named(at)
        np.testing.assert_array_equal(names, ids[at])


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ([N], rf"indices must lie in \[-{N}, {N}\), got values in \[{N}, {N}\]"),
        ([0, -N - 1], rf"got values in \[{-N - 1}, 0\]"),
        (
            np.ones(N - 1, bool),
            rf"mask must have one entry per row, shape \({N},\), got \({N - 1},",
        ),
        ([0.5], "integers, a boolean mask or a slice, got shape .1,. and dtype float64"),
        (3, r"1-d array .*, got shape \(\)"),
    ],
)
def test_what_are_no_positions_of_rows_is_refused(data, at, message):
    for pool in (partitioned(in_chunks(data[0])), partitioned(of_xarray(data, None))):
        for take in (pool.take, pool.take_named):
            with pytest.raises(IndexError, match=message):
                take(at)


def in_rows(X):
    return np.asarray(X, dtype=np.float32).reshape(len(X), -1)


def test_what_cannot_be_a_pool_says_why(data):
    xarray, asked = pytest.importorskip("xarray"), learner(data, "margin")
    with pytest.raises(TypeError, match="Pass one of them"):
        asked.query(xarray.Dataset({"a": ("row", np.ones(3))}), 1)
    datasets = pytest.importorskip("datasets")
    with pytest.raises(TypeError, match="without streaming=True"):
        asked.query(datasets.IterableDataset.from_generator(iter, gen_kwargs={}), 1)


def test_ids_of_a_pool_in_memory(data):
    X, _ = data
    asked = learner(data, "margin")
    at, rows = asked.query(X, 5)
    names = np.arange(N) * 3
    ids, same = asked.query(X, 5, ids=names)
    np.testing.assert_array_equal(ids, names[at])
    np.testing.assert_array_equal(same, rows)
    found, _ = asked.query(in_chunks(X), 5, ids=da.from_array(names, chunks=50))
    np.testing.assert_array_equal(found, names[at])
    with pytest.raises(ValueError, match="names a column"):
        asked.query(X, 5, ids="id")
    with pytest.raises(ValueError, match="must name each of the 900"):
        asked.query(X, 5, ids=names[:7])
    with pytest.raises(ValueError, match="distinct"):
        asked.query(X, 5, ids=np.zeros(N, int))
