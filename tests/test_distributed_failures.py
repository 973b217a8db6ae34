"""What may go wrong with a pool in partitions: killed workers, broken files, bad input."""

import contextlib
import os
import signal
import sys
import threading
import types
from functools import partial

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skactive import ActiveLearner
from skactive.distributed import partitioned
from skactive.exceptions import PartitionError
from skactive.strategies import ScoringStrategy

da = pytest.importorskip("dask.array")
dd = pytest.importorskip("dask.dataframe")
pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")
dask = pytest.importorskip("dask")
N = 600


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(N, 5, n_informative=4, n_redundant=0, n_classes=3, random_state=1)
    return X.astype(np.float32), y


@pytest.fixture
def learner(data):
    X, y = data
    tree = DecisionTreeClassifier(max_depth=4, random_state=0)
    return ActiveLearner(tree, "margin", random_state=3).fit(X[:40], y[:40])


def refuses(learner, pool, message, error=ValueError, **params):
    """A query fails with these words, and the learner stays as it was."""
    before = dict(vars(learner))
    with pytest.raises(error, match=message) as raised:
        learner.query(pool, **{"n": 5, **params})
    assert vars(learner) == before
    return raised.value


def frame(data, n_partitions=4):
    return dd.from_pandas(pd.DataFrame(data[0], columns=list("abcde")), npartitions=n_partitions)


def in_parts(data, read, sizes=(200, 150, 250)):
    """A dask array whose chunks a function reads: ``read(number, rows)``."""
    X = data[0]
    ends = np.cumsum(sizes)
    blocks = [
        da.from_delayed(
            dask.delayed(read, pure=False)(number, X[end - size : end]), (size, 5), X.dtype
        )
        for number, (size, end) in enumerate(zip(sizes, ends, strict=True))
    ]
    return da.concatenate(blocks)


def test_chunks_of_unknown_size_are_named(data, learner):
    X = da.from_array(data[0], chunks=(200, -1))
    refuses(learner, X[X[:, 0] > 0], "unknown chunk sizes.*compute_chunk_sizes")


def test_a_partition_with_other_columns_is_named(data, learner):
    parts = [pd.DataFrame(data[0][i::3], columns=list("abcde")) for i in range(3)]
    parts[1] = parts[1].rename(columns={"c": "z"})
    meta = parts[0].iloc[:0]
    pool = dd.from_map(lambda number: parts[number], range(3), meta=meta, enforce_metadata=False)
    found = refuses(learner, pool, r"Partition 1 .* lacks \['c'\], and has \['z'\]", PartitionError)
    assert found.partition == 1


def test_files_with_other_columns_are_named(data, learner, tmp_path):
    import pyarrow.dataset as datasets
    import pyarrow.parquet as parquet

    for number, names in enumerate(("abcde", "abcde", "abcd")):
        table = pa.table({name: data[0][:50, i] for i, name in enumerate(names)})
        parquet.write_table(table, tmp_path / f"{number}.parquet")
    refuses(learner, datasets.dataset(tmp_path), "Partition 2 .*2.parquet", PartitionError)


floats = pa.list_(pa.float32())


def tensors(lists):
    kind = pa.fixed_shape_tensor(pa.float32(), [3])
    return pa.ExtensionArray.from_storage(kind, pa.array(lists, type=pa.list_(pa.float32(), 3)))


@pytest.mark.parametrize(
    ("column", "row", "message"),
    [
        (pa.array([None, [1, 2, 3]], type=floats), 0, "a null in place of a list"),
        (pa.array([[1, 2, 3], None], type=floats), 1, "a null in place of a list"),
        (pa.array([None, None], type=floats), 0, "a null in place of a list"),
        (pa.array([[1, 2], None], type=pa.list_(pa.float32(), 2)), 1, "a null in place of a list"),
        (pa.array([[1], None], type=pa.large_list(pa.int8())), 1, "a null in place of a list"),
        (
            pa.array([[[1], [2]], [[3], None]], type=pa.list_(floats)),
            1,
            "a null in place of a list",
        ),
        (tensors([[1, 2, 3], None]), 1, "a null in place of a tensor"),
        (tensors([[1, 2, 3], [1, None, 3]]), 1, "a null within a tensor"),
        (pa.array([[1, 2], [3, 4], [5]]), 2, "a list of another length than the first"),
        (pa.array([[[1, 2], [3, 4]], [[5, 6], [7]]]), 1, "a list of another length than the first"),
    ],
)
def test_lists_that_make_no_array_are_named(column, row, message):
    """Whatever came before them in the table, and wherever they stand in a chunk."""
    table = pa.table({"id": np.arange(len(column)), "image": column})
    expected = rf"column 'image' of the pool has {message}, first in row {row} of those read"
    for pool in (table, pa.concat_tables([table, table]), pa.concat_tables([table, table])[1:]):
        pool = partitioned(pool).named("id")
        start = len(pool) - len(column)
        with pytest.raises(ValueError, match=expected):
            pool.take(np.arange(start, len(pool)))
        with pytest.raises(ValueError, match="column 'image' of the pool has") as raised:
            pool.map(lambda part, payload: len(part))
        assert raised.value.__notes__ == ["This was in partition 0 of the pool."]


@pytest.mark.parametrize("make", [pa.array, lambda rows: pa.array(rows, pa.list_(pa.int16(), 3))])
def test_null_numbers_in_lists_are_nan_as_those_of_columns(make):
    table = pa.table({"x": make([[0, 0, 0], [1, None, 3], [4, 5, 6]])})
    for pool, start in ((table, 0), (table[1:], 1), (pa.concat_tables([table, table]), 0)):
        found = partitioned(pool).take([1 - start, 2 - start])
        np.testing.assert_array_equal(found, [[1, np.nan, 3], [4, 5, 6]])


def broken(number, rows):
    if number == 1:
        raise OSError("disk gone")
    return rows


@pytest.mark.parametrize("strategy", ["margin", "dre", "mcp", "ceal"])
def test_a_partition_that_cannot_be_read_is_named(data, learner, strategy):
    learner.set_params(query_strategy=strategy)
    found = refuses(
        learner,
        in_parts(data, broken),
        "Partition 1 .*3 could not .*OSError: disk gone",
        PartitionError,
    )
    assert found.partition == 1


def test_a_file_that_cannot_be_read_is_named(data, learner, tmp_path):
    import pyarrow.dataset as datasets
    import pyarrow.parquet as parquet

    for number in range(3):
        table = pa.table({name: data[0][:50, i] for i, name in enumerate("abcde")})
        parquet.write_table(table, tmp_path / f"{number}.parquet")
    pool = datasets.dataset(tmp_path)
    pool = partitioned(pool)
    whole = (tmp_path / "1.parquet").read_bytes()
    (tmp_path / "1.parquet").write_bytes(b"\0" * (len(whole) - 400) + whole[-400:])
    assert refuses(learner, pool, "Partition 1 of the pool's 3", PartitionError).partition == 1


class Failing(ScoringStrategy):
    """Fails on what is in the last partition."""

    def _score(self, model, X, rng):
        if len(X) == 250:
            raise ZeroDivisionError("no such score")
        return np.zeros(len(X))


def test_a_strategy_that_fails_says_in_which_partition(data, learner):
    learner.set_params(query_strategy=Failing())
    pool = in_parts(data, lambda number, rows: rows)
    error = refuses(learner, pool, "no such score", ZeroDivisionError)
    assert error.__notes__ == ["This was in partition 2 of the pool."]


def test_a_pool_that_is_too_small_says_how_many_are_left(data, learner):
    pool = da.from_array(data[0], chunks=(100, -1))
    refuses(learner, pool, r"\(560\), got 561: of its 600 rows, 40 are labelled", n=561)
    refuses(learner, pool, r"between 1 and the number of candidates in the pool, got 0", n=0)
    refuses(learner, frame(data), "n must be an integer", TypeError, n=2.5)


@pytest.mark.parametrize("strategy", ["margin", "dre", "mcp", "ceal", "coreset", "random"])
def test_a_pool_of_which_all_is_labelled_says_so(data, learner, strategy):
    learner.set_params(query_strategy=strategy)
    pool = da.from_array(data[0][:40], chunks=(15, -1))
    refuses(learner, pool, "of its 40 rows, 40 are labelled already", n=1)
    refuses(learner, pool[:0], "candidate", n=1)


@pytest.mark.parametrize("strategy", ["margin", "dre", "random"])
def test_chunks_of_another_length_than_they_say_are_named(data, learner, strategy):
    """Else positions would be those of other rows."""
    learner.set_params(query_strategy=strategy)
    pool = in_parts(data, lambda number, rows: rows[: 120 + number * 30])
    found = refuses(learner, pool, "Partition 0 .* has 120 rows.*200", PartitionError, n=50)
    assert found.partition == 0


def test_partitions_that_change_between_passes_are_named(data, learner):
    rows = [pd.DataFrame(data[0][i::3], columns=list("abcde")) for i in range(3)]
    reads = []

    def shrinking(number):
        reads.append(number)
        return rows[number] if len(reads) <= 3 else rows[number][:7]

    pool = dd.from_map(shrinking, range(3), meta=rows[0][:0])
    learner.set_params(query_strategy="dre")
    with dask.config.set(scheduler="synchronous"):
        refuses(learner, pool, "has 7 rows.*200. Positions need", PartitionError)


def test_masks_of_another_length_are_refused(data, learner):
    pool = da.from_array(data[0], chunks=(100, -1))
    refuses(learner, pool, "one entry per row", candidates=np.ones(N - 1, bool))
    refuses(learner, pool, "one entry per row", candidates=da.ones(N - 1, dtype=bool))
    refuses(learner, pool, "names a column", TypeError, candidates="ok")
    refuses(learner, frame(data), "must be a column", candidates="ok")
    series = frame(data, 3)["a"] > 0
    refuses(learner, frame(data), "the pool's 4 partitions", candidates=series)
    refuses(learner, frame(data), "must be a column of the pool", ids="name")
    refuses(learner, pool, "ids must name each of the 600", ids=np.arange(5))


def test_a_module_of_the_users_own_called_distributed_is_left_alone(data, learner, monkeypatch):
    """Training scripts often have one, and `python train.py` puts their folder first."""
    monkeypatch.setitem(sys.modules, "distributed", types.ModuleType("distributed"))
    pool = da.from_array(data[0], chunks=(300, -1))
    np.testing.assert_array_equal(learner.query(pool, 3)[0], learner.query(data[0], 3)[0])


def test_rows_of_another_shape_are_refused(data, learner):
    refuses(learner, da.ones((20, 4), chunks=10), "rows of shape")
    refuses(learner, frame(data)["a"], "dask Series", TypeError)


@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")
def test_learning_from_a_pool_that_is_not_in_memory_is_refused(data):
    from sklearn.semi_supervised import SelfTrainingClassifier

    X, y = data
    inner = SelfTrainingClassifier(LogisticRegression())
    own = ActiveLearner(inner, "margin", use_pool=True).fit(X[:40], y[:40])
    refuses(own, da.from_array(X, chunks=(100, -1)), "use_pool=True")


def test_no_row_is_read_twice_in_a_pass(data):
    X, y = data
    learner = ActiveLearner(LogisticRegression(), "margin", random_state=3).fit(X[:40], y[:40])
    reads, lock = [], threading.Lock()

    def counted(number, rows):
        with lock:
            reads.append(number)
        return rows

    learner.query(in_parts(data, counted), 20)
    assert sorted(reads) == [0, 1, 2]  # labelled rows are left out on the way, picks come along
    reads.clear()
    learner.set_params(query_strategy="dre").query(in_parts(data, counted), 2)
    assert len(reads) <= 3 + 2  # a pass for the entropies, and the partitions of the picks


# -- on clients ----------------------------------------------------------------------------


@pytest.fixture
def threads():
    """Clients of clusters of one thread each."""
    distributed = pytest.importorskip("distributed")
    with contextlib.ExitStack() as stack:
        yield lambda **params: stack.enter_context(
            distributed.Client(processes=False, n_workers=1, threads_per_worker=1, timeout=120,
                               dashboard_address="127.0.0.1:0", **params)
        )  # fmt: skip


@pytest.mark.timeout(580)
@pytest.mark.parametrize("another_is_active", [False, True])
def test_the_client_that_holds_a_pool_is_asked(data, learner, threads, another_is_active):
    if another_is_active:
        threads()
    pool = threads(set_as_default=False).persist(da.from_array(data[0], chunks=(100, -1)))
    for strategy in ("margin", "dre"):
        learner.set_params(query_strategy=strategy)
        expected, _ = learner.query(data[0], 20)
        np.testing.assert_array_equal(learner.query(pool, 20)[0], expected)


@pytest.mark.timeout(580)
def test_a_scheduler_that_was_chosen_goes_before_the_client(data, learner, threads):
    threads()
    where = []

    def noted(number, rows):
        where.append(threading.current_thread())
        return rows

    with dask.config.set(scheduler="synchronous"):
        learner.query(in_parts(data, noted), 20)
    assert set(where) == {threading.current_thread()}


HELD = {}  # schedulers, which do not travel, and what was noted of them


def count_held(name, number, rows):
    """Note how many results of partitions are held, as one is read."""
    scheduler, held = HELD[name]
    tasks = list(scheduler.tasks.values())
    held.append(sum("visit" in str(task.key) and task.state == "memory" for task in tasks))
    return rows


@pytest.mark.timeout(580)
def test_partitions_that_are_merged_are_let_go(data, learner, threads):
    """The best rows of all partitions at once may be more than a worker holds."""
    scheduler = threads().cluster.scheduler
    held = []

    pool = in_parts(data, partial(count_held, scheduler.id), (10,) * 60)
    HELD[scheduler.id] = scheduler, held
    learner.query(pool, 5)
    assert len(held) >= 60  # and the partitions of picks that tied with many
    assert max(held) <= 24  # of 60; eight are merged at once


def test_what_is_kept_of_tables_tells_its_size():
    from dask.sizeof import sizeof

    from skactive.distributed._task import Visited

    frame = pd.DataFrame(np.zeros((1000, 10)))
    for rows in (frame, pa.Table.from_pandas(frame)):
        assert 80_000 <= sizeof(Visited({}, [rows])) < 90_000  # or a worker does not spill it


# -- on two workers -----------------------------------------------------------------------


class Unpicklable(ScoringStrategy):
    """Holds a lock."""

    def _score(self, model, X, rng):
        return X.materialise()[:, 0]

    def __reduce__(self):
        raise TypeError("cannot pickle 'lock' object")


class Killing(ScoringStrategy):
    """Kills, once, the worker that scores it."""

    def __init__(self, marker="", *, random_state=None):
        super().__init__(random_state=random_state)
        self.marker = marker

    def _score(self, model, X, rng):
        from distributed import get_worker

        get_worker()  # not in this process
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return model.predict_proba(X)[:, 0]
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(scope="module")
def client():
    distributed = pytest.importorskip("distributed")
    with (
        dask.config.set({"distributed.comm.timeouts.connect": "120s"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50
        ) as cluster,
        distributed.Client(cluster, timeout=120) as client,
    ):
        yield client


class First(ScoringStrategy):
    """What `Killing` says, in memory."""

    def _score(self, model, X, rng):
        return model.predict_proba(X)[:, 0]


@pytest.mark.timeout(580)
def test_two_workers_give_the_picks_of_memory(data, learner, client):
    X = data[0]
    pool = da.from_array(X, chunks=((1, 0, 300, 299), -1))
    for strategy in ("margin", "dre", "mcp", "ceal", "random"):
        learner.set_params(query_strategy=strategy)
        expected, rows = learner.query(X, 25)
        found, own = learner.query(pool, 25)
        np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(own, rows)


@pytest.mark.timeout(580)
def test_a_worker_killed_in_the_middle_changes_no_pick(data, learner, client, tmp_path):
    X = data[0]
    learner.set_params(query_strategy=First())
    expected, _ = learner.query(X, 25)
    marker = tmp_path / "killed"
    learner.set_params(query_strategy=Killing(str(marker)))
    pool = da.from_array(X, chunks=((1, 0, 300, 299), -1))
    found, _ = learner.query(pool, 25)
    assert marker.exists()
    np.testing.assert_array_equal(found, expected)
    client.wait_for_workers(2, timeout=400)  # one was started again and knows nothing
    found, _ = learner.query(pool, 25)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.timeout(580)
def test_failures_on_workers_say_what_it_was(data, learner, client):
    assert (
        refuses(
            learner, in_parts(data, broken), "Partition 1 .*OSError: disk gone", PartitionError
        ).partition
        == 1
    )
    learner.set_params(query_strategy=Unpicklable())
    pool = da.from_array(data[0], chunks=(100, -1))
    refuses(learner, pool, "cannot be pickled.*lock", TypeError)


@pytest.mark.timeout(580)
def test_a_pool_whose_client_was_closed(data, learner):
    distributed = pytest.importorskip("distributed")
    threads = {"processes": False, "n_workers": 1, "dashboard_address": "127.0.0.1:0"}
    with distributed.Client(**threads, set_as_default=False) as other:
        pool = other.persist(da.from_array(data[0], chunks=(100, -1)))
    refuses(learner, pool, "a Dask client that was closed", ConnectionError)
