"""Strategies that look at many rows at once, over pools in partitions: two rounds, and races."""

import numpy as np
import pytest
from sklearn.datasets import load_digits, make_blobs, make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import NearestNeighbors

from skactive import ActiveLearner, AdversarialNetClassifier, Committee
from skactive.exceptions import CapabilityError
from skactive.kernels.proposals import Proposals
from skactive.strategies import (
    BADGE,
    DFAL,
    EGL,
    EPIG,
    BatchBALD,
    ClusterMargin,
    CoreSet,
    DiverseDRE,
    PowerBALD,
    ProbCover,
    RobustCoreSet,
    TypiClust,
    UHerding,
    all_strategies,
)
from skactive.utils.indexing import take_rows
from tests.models import SmallMLP

dask = pytest.importorskip("dask", reason="dask is not installed")
da = pytest.importorskip("dask.array", reason="dask is not installed")


@pytest.fixture(autouse=True)
def one_thread():
    with dask.config.set(scheduler="synchronous"):
        yield


SIZES = (1, 0, 31, 13, 40, 0, 35)
TWO_ROUNDS = [CoreSet(), RobustCoreSet(outliers=2), BADGE(), TypiClust(), ProbCover(), UHerding(),
              DiverseDRE(n_bins=5)]  # fmt: skip


def name(strategy):
    return type(strategy).__name__


def in_chunks(X, sizes=SIZES):
    return da.from_array(X, chunks=(sizes, *X.shape[1:]))


def same_picks(estimator, X, y, strategy, n, sizes, **query):
    asked = [ActiveLearner(estimator, strategy, random_state=3).fit(X[:20], y[:20]) for _ in "ab"]
    expected = asked[0].query(X, n, return_scores=True, **query)
    found = asked[1].query(in_chunks(X, sizes), n, return_scores=True, **query)
    np.testing.assert_array_equal(found[0], expected[0])
    if expected[2] is not None and found[2] is not None:
        np.testing.assert_allclose(found[2], expected[2], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(found[1].compute() if hasattr(found[1], "compute") else found[1],
                                  expected[1])  # fmt: skip
    assert asked[1].teach(found[1], y[found[0]]) is asked[1]


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(sum(SIZES), 6, n_informative=4, n_classes=3, random_state=0)
    return X.astype(np.float32), y


@pytest.mark.parametrize("strategy", TWO_ROUNDS, ids=name)
def test_two_rounds_are_one_where_the_proposals_hold_everything(table, strategy):
    same_picks(LogisticRegression(max_iter=500), *table, strategy, 40, SIZES)


@pytest.mark.parametrize("strategy", [CoreSet(), DiverseDRE(n_bins=5)], ids=name)
def test_candidates_keep_their_order(table, strategy):
    backwards = np.arange(len(table[0]))[::-2]
    same_picks(LogisticRegression(max_iter=500), *table, strategy, 40, SIZES, candidates=backwards)


@pytest.mark.parametrize("strategy", [*TWO_ROUNDS, PowerBALD()], ids=name)
def test_few_of_many_rows(strategy):
    X, y = make_blobs(900, 4, centers=12, random_state=1)
    X = X.astype(np.float32)
    sizes = (301, 0, 1, 98, 500)
    model = LogisticRegression(max_iter=500)
    if isinstance(strategy, PowerBALD):
        model = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=2, random_state=0)
    learner = ActiveLearner(model, strategy, random_state=0).fit(X[:200], y[:200])
    picks, rows = learner.query(in_chunks(X, sizes), n=8)
    assert len(set(picks.tolist())) == 8
    assert min(picks) >= 200  # the others are labelled
    again, _ = learner.query(in_chunks(X, sizes), n=8)
    np.testing.assert_array_equal(picks, again)
    np.testing.assert_array_equal(np.asarray(rows), X[picks])


@pytest.mark.parametrize("seed", range(5))
def test_k_center_in_two_rounds_is_within_four_times_the_best(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(600, 3)) * rng.exponential(size=3)
    n, strategy = 12, CoreSet(embedding="input", random_state=seed)
    cuts = np.sort(rng.integers(1, 600, 5))
    sizes = tuple(int(size) for size in np.diff([0, *cuts, 600]))
    picks = strategy.query(None, in_chunks(X, sizes), n)
    greedy = strategy.query(None, X, n + 1)

    def radius(chosen):
        return NearestNeighbors(n_neighbors=1).fit(X[chosen]).kneighbors(X)[0].max()

    # n + 1 rows of greedy are pairwise as far apart as the last of them: OPT is half of that.
    best = radius(greedy[:n]) / 2
    assert radius(picks) <= 4 * best + 1e-9


def test_cluster_margin_is_that_of_memory(table):
    same_picks(LogisticRegression(max_iter=500), *table, ClusterMargin(factor=4), 7, SIZES)


@pytest.fixture(scope="module")
def net():
    return AdversarialNetClassifier(
        SmallMLP, attack=None, max_epochs=15, lr=0.01, random_state=0, batch_size=20
    )


@pytest.fixture(scope="module")
def images():
    X, y = load_digits(return_X_y=True)
    return (X[:400] / 16).astype(np.float32), y[:400]


@pytest.mark.parametrize(
    "strategy",
    [
        DFAL(),
        DFAL("all"),
        DFAL("all", exhaustive=True),
        DFAL("all", adversarial_twins=True),
        EGL(),
        EGL("input"),
        EGL("last_layer"),
        EGL(exhaustive=True),
        EPIG(),
        EPIG(n_targets=7),
        BatchBALD(n_passes=4),
    ],
    ids=repr,
)
def test_net_strategies_pick_as_in_memory(net, images, strategy):
    sizes = (3, 0, 1, 196, 100, 100)
    if isinstance(strategy, BatchBALD):
        sizes = (5,) * 80  # all are proposed
    same_picks(net, *images, strategy, 5, sizes)


def test_a_shared_bound_spares_most_attacks(net, images, monkeypatch):
    X, y = images
    learner = ActiveLearner(net, DFAL("all"), random_state=0).fit(X[:20], y[:20])
    attacked = []
    from skactive.attacks import DeepFool

    real = DeepFool.__call__
    monkeypatch.setattr(
        DeepFool, "__call__",
        lambda self, module, X, **kw: attacked.append(len(X)) or real(self, module, X, **kw),
    )  # fmt: skip
    learner.query(in_chunks(X, (20,) * 20), n=5)
    shared = sum(attacked)
    attacked.clear()
    for start in range(0, 400, 20):
        DFAL("all").query(learner.estimator_, X[start : start + 20], n=5)
    assert shared < sum(attacked) / 2


def test_what_needs_ranks_of_all_rows_says_so(net, images):
    X, y = images
    learner = ActiveLearner(net, PowerBALD("softrank"), random_state=0).fit(X[:20], y[:20])
    with pytest.raises(CapabilityError, match="PowerBALD"):
        learner.query(in_chunks(X, (200, 200)), n=5)


def test_merged_in_any_tree_the_sample_is_uniform_and_proposals_stay():
    rng = np.random.default_rng(0)
    counts = np.zeros(60)
    for trial in range(400):
        parts = np.split(np.arange(60), [7, 7, 30])
        every = [
            Proposals.of(i, np.arange(min(2, len(part))), len(part), 10,
                         np.random.default_rng([trial, i]), part.__getitem__)
            for i, part in enumerate(parts) if len(part)
        ]  # fmt: skip
        while len(every) > 1:
            i, j = sorted(rng.choice(len(every), 2, replace=False))
            second = every.pop(j)
            every[i] = every[i].merged(second, take=take_rows)
        (merged,) = every
        number, at = merged.where()
        rows = np.concatenate([piece.rows for piece in merged.pieces])
        np.testing.assert_array_equal(np.array([0, 7, 7, 30])[number] + at, rows)
        sampled = np.concatenate([piece.keys < np.inf for piece in merged.pieces])
        assert sampled.sum() == 10
        assert {0, 1, 7, 8, 30, 31} <= set(rows.tolist())
        counts[rows[sampled]] += 1
    assert np.abs(counts / 400 - 1 / 6).max() < 0.1


@pytest.mark.parametrize("name", sorted(all_strategies()))
def test_every_strategy_reads_partitions(net, images, name):
    X, y = images
    X, y = X[:120], y[:120]
    if name in ("vote_entropy", "consensus_entropy", "max_disagreement"):
        learner = Committee(LogisticRegression(max_iter=200), query_strategy=name, random_state=0)
    else:
        learner = ActiveLearner(net, name, random_state=0)
    learner.fit(X[:30], y[:30])
    picks, rows = learner.query(in_chunks(X, (50, 0, 1, 69)), n=4)
    assert len(set(picks.tolist())) == 4
    assert picks.min() >= 30
    np.testing.assert_array_equal(np.asarray(rows), X[picks])
