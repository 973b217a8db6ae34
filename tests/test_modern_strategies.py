"""Modern batch strategies against literal implementations of their definitions."""

import itertools
import time
from typing import ClassVar

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import rel_entr
from scipy.stats import chisquare
from sklearn.datasets import load_iris, make_blobs
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from skactive import ActiveLearner
from skactive.exceptions import CapabilityError
from skactive.kernels import badge, batch_bald, coverage
from skactive.kernels.badge import badge_select
from skactive.kernels.batch_bald import batch_bald_select, epig_scores, gumbel_top_k
from skactive.kernels.uncertainty import entropy, mutual_information
from skactive.strategies import (
    CEAL,
    ClassBalanced,
    ClusterMargin,
    Combine,
    CoreSet,
    FunctionStrategy,
    MaxEntropy,
    ProbCover,
    QueryStrategy,
    RobustCoreSet,
    ScoringStrategy,
    Selection,
    Subsample,
    TypiClust,
    UHerding,
)
from skactive.strategies._coverage import _smallest_distance


def rng(seed=0):
    return np.random.default_rng(seed)


# -- BADGE ----------------------------------------------------------------------------------------


def test_badge_samples_by_the_distances_of_the_gradients_written_out():
    proba = rng().dirichlet([1.0] * 3, size=12)
    embedding = rng(1).normal(size=(12, 4))
    residual = proba.copy()
    residual[np.arange(12), proba.argmax(axis=1)] -= 1
    gradients = (residual[:, :, None] * embedding[:, None, :]).reshape(12, -1)
    first = np.linalg.norm(gradients, axis=1).argmax()
    squared = np.square(gradients - gradients[first]).sum(axis=1)
    counts = np.zeros(12)
    for seed in range(3000):
        picks = badge_select(proba, embedding, 2, rng(seed))
        assert picks[0] == first
        counts[picks[1]] += 1
    assert counts[first] == 0
    others = np.arange(12) != first
    expected = 3000 * squared[others] / squared[others].sum()
    assert chisquare(counts[others], expected).pvalue > 1e-3


@pytest.mark.parametrize(("pending", "tries"), [(64, 48), (1, 1), (2, 0)])
def test_badge_draws_later_picks_by_the_same_law(pending, tries, monkeypatch):
    monkeypatch.setattr(badge, "_MOST_PENDING", pending)
    monkeypatch.setattr(badge, "_MOST_TRIES", tries)
    proba = rng().dirichlet([1.0] * 3, size=6)
    embedding = rng(1).normal(size=(6, 4)).astype(np.float32)
    residual = proba.copy()
    residual[np.arange(6), proba.argmax(axis=1)] -= 1
    gradients = (residual[:, :, None] * embedding[:, None, :]).reshape(6, -1)
    squared = np.square(gradients[:, None] - gradients).sum(axis=2)
    first = np.linalg.norm(gradients, axis=1).argmax()
    expected = {}
    for a, b in itertools.permutations(np.delete(np.arange(6), first), 2):
        after = np.minimum(squared[first], squared[a])
        expected[a, b] = squared[first, a] / squared[first].sum() * after[b] / after.sum()
    draws = [tuple(badge_select(proba, embedding, 4, rng(seed))[1:3]) for seed in range(4000)]
    counts = [draws.count(pair) for pair in expected]
    assert chisquare(counts, 4000 * np.array(list(expected.values()))).pvalue > 1e-3


def test_badge_takes_duplicates_only_when_nothing_else_is_left():
    proba = np.repeat(rng().dirichlet([1.0] * 3, size=3), 4, axis=0)
    embedding = np.repeat(rng(1).normal(size=(3, 5)), 4, axis=0)
    picks = badge_select(proba, embedding, 12, rng())
    assert len(set(picks)) == 12
    assert len(set(picks[:3] // 4)) == 3


# -- BatchBALD, EPIG, PowerBALD -------------------------------------------------------------------


def joint_information(proba, subset):
    """I(y_1..y_n; ω) by enumerating all configurations."""
    n_samples, _, n_classes = proba.shape
    joint, conditional = 0.0, 0.0
    for labels in itertools.product(range(n_classes), repeat=len(subset)):
        each = np.prod([proba[:, i, c] for i, c in zip(subset, labels, strict=True)], axis=0)
        joint -= each.mean() * np.log(each.mean())
    for i in subset:
        conditional -= (proba[:, i] * np.log(proba[:, i])).sum() / n_samples
    return joint - conditional


def test_batch_bald_is_exhaustive_greedy_while_exact():
    proba = rng().dirichlet([0.7] * 3, size=(5, 9))
    picks, gains = batch_bald_select(proba, 4, rng(), n_configurations=10_000)
    chosen, total = [], 0.0
    for k in range(4):
        values = [
            joint_information(proba, [*chosen, i]) if i not in chosen else -1 for i in range(9)
        ]
        assert picks[k] == np.argmax(values)
        assert gains[k] == pytest.approx(max(values) - total)
        chosen.append(int(picks[k]))
        total = max(values)


def test_batch_bald_estimate_is_near_the_exact_value():
    proba = rng().dirichlet([0.5] * 3, size=(6, 12))
    exact, exact_gains = batch_bald_select(proba, 5, rng(), n_configurations=10_000)
    estimated, gains = batch_bald_select(proba, 5, rng(3), n_configurations=50)
    assert len(set(estimated)) == 5
    assert gains.sum() == pytest.approx(exact_gains.sum(), rel=0.25)
    assert_array_equal(exact[:2], estimated[:2])


@pytest.mark.parametrize("n_configurations", [20, 300, 5000])
@pytest.mark.parametrize("many", [1, 300])
def test_batch_bald_evaluates_few_points_and_picks_as_if_all(many, n_configurations, monkeypatch):
    base = rng().dirichlet([0.3] * 4, size=400)
    proba = np.stack([[rng(7 * k + i).dirichlet(b * 6 + 0.05) for i, b in enumerate(base)]
                      for k in range(8)])  # fmt: skip
    evaluated = []
    entropy_given = batch_bald._Joint.entropy_given

    def counted(self, proba):
        evaluated.append(proba.shape[1])
        return entropy_given(self, proba)

    monkeypatch.setattr(batch_bald._Joint, "entropy_given", counted)
    monkeypatch.setattr(batch_bald, "_MANY", many)
    lazy, lazy_gains = batch_bald_select(proba, 9, rng(1), n_configurations)
    few = sum(evaluated)
    monkeypatch.setattr(batch_bald, "_FIRST", 10**9)
    evaluated.clear()
    every, gains = batch_bald_select(proba, 9, rng(1), n_configurations)
    assert_array_equal(lazy, every)
    assert_allclose(lazy_gains, gains, rtol=1e-9)
    assert few < sum(evaluated) / 2


@pytest.mark.parametrize("n_configurations", [4, 1000])
def test_batch_bald_with_sure_networks_and_many_picks(n_configurations):
    proba = np.repeat(np.eye(3)[rng().integers(3, size=(6, 20))], 5, axis=1)
    proba[:, ::7] = rng(1).dirichlet([0.01] * 3, size=proba[:, ::7].shape[:2])
    picks, gains = batch_bald_select(proba, 100, rng(), n_configurations)
    assert len(set(picks)) == 100
    assert np.isfinite(gains).all()
    assert gains.sum() < np.log(6) * 1.2  # all there is to know: which network


def test_batch_bald_avoids_what_bald_would_ask_twice():
    proba = rng().dirichlet([0.5] * 2, size=(20, 6))
    proba[:, 1] = proba[:, 0]  # the same point again
    best = mutual_information(proba).argsort()[::-1]
    picks, _ = batch_bald_select(proba, 2, rng())
    if set(best[:2]) == {0, 1}:
        assert set(picks) != {0, 1}


def test_epig_is_the_mean_information_about_targets():
    proba = rng().dirichlet([0.7] * 3, size=(5, 7))
    target = rng(1).dirichlet([0.7] * 3, size=(5, 4))
    for i in range(7):
        total = 0.0
        for t in range(4):
            joint = np.einsum("ka,kb->ab", proba[:, i], target[:, t]) / 5
            independent = np.outer(proba[:, i].mean(axis=0), target[:, t].mean(axis=0))
            total += (joint * np.log(joint / independent)).sum()
        assert epig_scores(proba, target)[i] == pytest.approx(total / 4)


@pytest.mark.parametrize("cached", [1 << 15, 64, 1])
@pytest.mark.parametrize("sure", [False, True])
def test_epig_in_blocks_equals_the_formula_written_out(cached, sure, monkeypatch):
    monkeypatch.setattr(batch_bald, "_CACHED", cached)
    monkeypatch.setattr(batch_bald, "_MOST_COLUMNS", min(cached, 16))
    proba = rng().dirichlet([0.3] * 7, size=(4, 23)).astype(np.float32)
    target = rng(1).dirichlet([0.3] * 7, size=(4, 9)).astype(np.float32)
    if sure:
        proba[:, ::3], target[:, ::2] = np.eye(7)[2], np.eye(7)[rng().integers(7, size=(4, 5))]
    joint = np.einsum("kna,ktb->ntab", proba.astype(float), target.astype(float)) / 4
    outer = np.einsum("na,tb->ntab", *(p.astype(float).mean(axis=0) for p in (proba, target)))
    expected = rel_entr(joint, outer).sum(axis=(2, 3)).mean(axis=1)
    assert_allclose(epig_scores(proba, target), np.maximum(expected, 0), rtol=1e-11, atol=1e-14)


def test_epig_of_a_thousand_classes_takes_little_more_than_its_logarithms():
    proba = rng().dirichlet([0.3] * 1000, size=(10, 2))
    target = rng(1).dirichlet([0.3] * 1000, size=(10, 50))
    pairs = np.full(1_000_000, 0.5)

    def seconds(compute, times=1):
        started = time.process_time()
        for _ in range(times):
            compute()
        return time.process_time() - started

    # A hundred million pairs of labels.
    found, logarithms = (
        seconds(lambda: epig_scores(proba, target)),
        seconds(lambda: np.log(pairs), 100),
    )
    assert found < 4 * logarithms


@pytest.mark.parametrize(
    ("kind", "law"),
    [
        ("power", lambda s: s),
        ("softmax", np.exp),
        ("softrank", lambda s: 1 / (1 + np.argsort(np.argsort(-s)))),
    ],
)
def test_gumbel_draws_by_its_law(kind, law):
    scores = np.array([0.1, 0.4, 0.2, 0.9])
    first = [gumbel_top_k(scores, 2, rng(seed), kind)[0] for seed in range(4000)]
    weights = law(scores)
    expected = 4000 * weights / weights.sum()
    assert chisquare(np.bincount(first, minlength=4), expected).pvalue > 1e-3
    assert_array_equal(gumbel_top_k(scores, 4, rng(), kind, coldness=1e6), [3, 1, 2, 0])


# -- coverage -------------------------------------------------------------------------------------


def test_herding_is_exhaustive_greedy():
    points, labeled = rng().normal(size=(40, 3)), rng(1).normal(size=(3, 3))
    weights = rng(2).random(40)

    def kernel(a, b):
        return np.exp(-np.square(a - b).sum() / 0.8**2)

    covered = np.array([max(kernel(x, u) for x in labeled) for u in points])
    picks, gains = coverage.herding_select(points, labeled, weights, 6, 0.8)
    for k in range(6):
        rows = np.array([[kernel(x, u) for u in points] for x in points])
        values = np.maximum(rows - covered, 0) @ weights
        values[picks[:k]] = -1
        assert picks[k] == values.argmax()
        assert gains[k] == pytest.approx(values.max())
        covered = np.maximum(covered, rows[picks[k]])


def test_prob_cover_is_exhaustive_greedy():
    points, labeled = rng().random((60, 2)), rng(1).random((2, 2))
    near = np.linalg.norm(points[:, None] - points, axis=2) <= 0.2
    uncovered = ~(np.linalg.norm(points[:, None] - labeled, axis=2) <= 0.2).any(axis=1)
    picks = coverage.prob_cover_select(points, labeled, 8, 0.2, rng())
    for pick in picks:
        gains = near[:, uncovered].sum(axis=1)
        assert gains[pick] == gains.max()
        uncovered &= ~near[pick]
    assert len(set(coverage.prob_cover_select(points, labeled, 60, 0.2, rng()))) == 60


def test_the_radius_keeps_balls_pure():
    points, blob = make_blobs(200, centers=4, cluster_std=0.3, random_state=0)
    radius = coverage.purity_radius(points, 4, 0.95, seed=0)
    near = np.linalg.norm(points[:, None] - points, axis=2) <= radius
    pure = [len(np.unique(blob[row])) == 1 for row in near]
    assert np.mean(pure) >= 0.95
    wider = np.linalg.norm(points[:, None] - points, axis=2) <= radius * 1.2
    assert np.mean([len(np.unique(blob[row])) == 1 for row in wider]) <= np.mean(pure)


def test_typiclust_takes_the_middle_of_every_blob_and_leaves_labelled_ones():
    points, blob = make_blobs(300, centers=5, cluster_std=0.5, random_state=1)
    picks = TypiClust(embedding="input", random_state=0).query(None, points, n=5)
    assert len(set(blob[picks])) == 5
    for pick in picks:
        inside = points[blob == blob[pick]]
        spread = np.linalg.norm(inside - inside.mean(axis=0), axis=1)
        assert np.linalg.norm(points[pick] - inside.mean(axis=0)) < np.median(spread)
    more = TypiClust(embedding="input", random_state=0).query(
        None, points, n=3, X_labeled=points[picks[:2]]
    )
    assert set(blob[more]).isdisjoint(blob[picks[:2]])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_distances_of_small_pools_pick_what_neighbour_search_picks(dtype, monkeypatch):
    points = make_blobs(200, 20, centers=5, random_state=2)[0].astype(dtype)
    points[10] = points[11]
    pool, labeled = points[:190], points[190:]

    def picks():
        radius = coverage.purity_radius(pool, 5, 0.95, seed=0)
        covering = coverage.prob_cover_select(pool, labeled, 12, radius, rng())
        return *covering, *coverage.typiclust_select(pool, labeled, 12)

    small = picks()
    monkeypatch.setattr(coverage, "_BLOCK_ENTRIES", 0)
    assert picks() == small


def test_cluster_margin_goes_round_the_clusters():
    cluster = np.array([0] * 6 + [1] * 2 + [2] * 3)
    picks = coverage.round_robin(cluster, 7, rng())
    assert_array_equal(cluster[picks], [1, 2, 0, 1, 2, 0, 2])
    labels = coverage.cluster_labels(make_blobs(500, centers=3, random_state=0)[0], 3, 100, rng())
    assert len(np.unique(labels)) == 3


def rounded_otherwise(points, seed):
    """As a net gives them in batches of another size."""
    noise = 1 + rng(seed).uniform(-3e-7, 3e-7, size=points.shape)
    return (points * noise).astype(np.float32)


@pytest.mark.parametrize(
    "strategy",
    [
        TypiClust(embedding="input", min_size=0, random_state=0),
        ProbCover(radius=1.0, embedding="input", random_state=0),
        ProbCover(embedding="input", n_classes=4, random_state=0),
    ],
)
def test_rounding_of_the_embedding_decides_nothing(strategy):
    grid = np.stack(np.meshgrid(*[np.arange(6.0)] * 2), axis=2).reshape(-1, 2)
    pairs = np.repeat(rng().normal(size=(12, 2)) * 50, 3, axis=0)
    pairs[1::3] += [0.3, 0.4]  # two mutual neighbours, and a third that is far
    pairs[2::3] += [3.0, 9.0]
    # On a grid k-means itself has ties: no law for it there.
    for points in (pairs, grid + 1) if isinstance(strategy, ProbCover) else (pairs,):
        points = points.astype(np.float32)
        picks = strategy.query(None, points, 12)
        for seed in range(15):
            assert_array_equal(strategy.query(None, rounded_otherwise(points, seed), 12), picks)


@pytest.mark.parametrize("temperature", [1e-3, 1e-5])
def test_herding_at_a_low_temperature_asks_the_most_uncertain_first(temperature):
    X = rng().normal(size=(300, 5))
    model = LogisticRegression().fit(X[:200], rng(1).integers(10, size=200))
    logits = np.sort(model.decision_function(X), axis=1)
    strategy = UHerding(temperature=temperature, width=1e-3, random_state=0)
    picks = strategy.query(model, X, 4)
    assert_array_equal(picks, (logits[:, -1] - logits[:, -2]).argsort()[:4])


def test_herding_weighs_alike_what_is_all_certain():
    X = np.repeat(np.arange(4.0), 30)[:, None] + 0.01 * rng().random((120, 1))
    X = np.c_[np.cos(X), np.sin(X)]
    model = DecisionTreeClassifier().fit(X, np.arange(120) // 60)
    picks = UHerding(width=0.1, random_state=0).query(model, X, 4)
    assert set(picks // 30) == {0, 1, 2, 3}


@pytest.mark.parametrize("repeats", [[1, 1, 1], [2, 2, 1], [9, 9, 9], [40, 1, 1]])
@pytest.mark.parametrize("noise", [0, 1e-9])
def test_repeated_labels_do_not_widen_the_kernel(repeats, noise):
    points = np.repeat([[0, 1.0], [0.1, 0.995], [1, 0]], repeats, axis=0)
    points += noise * rng().random(points.shape)
    assert _smallest_distance(points) == pytest.approx(np.hypot(0.1, 0.005), abs=1e-7)


# -- robust core-set ------------------------------------------------------------------------------


def smallest_radius(X, n, n_outliers):
    def radius(subset):
        nearest = np.linalg.norm(X[:, None] - X[list(subset)], axis=2).min(axis=1)
        return np.sort(nearest)[-1 - n_outliers]

    return min(radius(subset) for subset in itertools.combinations(range(len(X)), n))


@pytest.mark.parametrize(("outliers", "left_out"), [(1e-4, 1), (0, 0), (0.0, 0), (2, 2), (0.2, 2)])
def test_a_robust_core_set_leaves_outliers_out(outliers, left_out):
    for seed in range(5):
        X = rng(seed).normal(size=(10, 2))
        X[[2, 7]] += [[40.0, 0.0], [0.0, 90.0]]
        strategy = RobustCoreSet(embedding="input", outliers=outliers, random_state=seed)
        picks = strategy.query(None, X, n=2)
        nearest = np.linalg.norm(X[:, None] - X[picks], axis=2).min(axis=1)
        reached = np.sort(nearest)[-1 - left_out]
        assert reached == pytest.approx(smallest_radius(X, 2, left_out), rel=1e-3)


def test_a_robust_core_set_is_robust_by_default():
    X = np.r_[rng().normal(size=(60, 2)), [[500.0, 500.0]]]
    assert 60 not in RobustCoreSet(embedding="input", random_state=0).query(None, X, n=3)
    assert 60 in CoreSet(embedding="input", random_state=0).query(None, X, n=3)


@pytest.mark.parametrize("strategy", [CoreSet, RobustCoreSet, TypiClust])
def test_distances_in_the_logits_are_those_of_the_decision_function(strategy, iris):
    model, X, _ = iris
    logits = strategy("logits", random_state=0).query(model, X, 5, X_labeled=X[:9])
    assert_array_equal(
        logits,
        strategy(model.decision_function, random_state=0).query(model, X, 5, X_labeled=X[:9]),
    )
    with pytest.raises(CapabilityError, match="needs 'logits', which RandomForest.* does not"):
        strategy("logits").query(RandomForestClassifier().fit(X[:60], X[:60, 0] > 5), X, 3)


# -- wrappers -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    return LogisticRegression(max_iter=500).fit(X[::4], y[::4]), X, y


def test_combined_ranks_are_weighted_means(iris):
    model, X, _ = iris
    alone = MaxEntropy().score_samples(model, X)
    one = Combine(["entropy", "margin"], weights=[1, 0]).score_samples(model, X)
    assert_allclose(np.argsort(one, kind="stable"), np.argsort(alone, kind="stable"))
    for strategies, weights, message in (
        (["mcp"], None, "picks a set"),
        ([], None, "nothing to combine"),
        (["margin"], [1, 2], "one number for each"),
        (["margin"], [-1], "none negative"),
        (["margin", "entropy"], [2, -1], "none negative"),
        (["margin"], [np.nan], "finite"),
        (["batchbald"], None, "BatchBALD picks a set. These do: entropy, gini"),
        (["margin", "powerbald"], None, "PowerBALD picks a set"),
    ):
        with pytest.raises(ValueError, match=message):
            Combine(strategies, weights).query(model, X, 3)


def test_class_balance_gives_small_classes_all_they_have(iris):
    model, X, _ = iris
    predicted = model.predict(X)
    few = np.r_[np.flatnonzero(predicted == 0)[:2], np.flatnonzero(predicted > 0)]
    picks = ClassBalanced("margin", random_state=0).query(model, X[few], n=12)
    assert_array_equal(np.bincount(predicted[few][picks]), [2, 5, 5])


def test_a_first_part_of_balanced_picks_is_balanced(iris):
    model, X, _ = iris
    picks = ClassBalanced("margin", random_state=0).query(model, X, n=12)
    for m in (3, 6, 9):
        assert_array_equal(np.bincount(model.predict(X)[picks[:m]]), np.full(3, m // 3))


def test_a_subsample_passes_extras_on_in_place(iris):
    model, X, _ = iris
    found = Subsample(CEAL(threshold=0.5), size=60, random_state=0).select(
        model, X, 3, candidates=np.arange(40, 150)
    )
    assert found.indices.min() >= 40
    assert found.pseudo_indices.min() >= 40
    expected = model.predict(X[found.pseudo_indices])
    assert_array_equal(found.pseudo_labels, expected)


class Twinning(QueryStrategy):
    """The first rows, every other one with a twin, which is itself; the last row by its class."""

    def _select(self, query):
        rows, first = query.X.materialise(), np.arange(query.n)
        twinned = first % 2 == 0
        last = np.array([len(rows) - 1])
        labels = query.model.predict_proba(query.X)[last].argmax(axis=1)
        return Selection(first, -rows[first, 0], rows[first[twinned]], last, labels, twinned)


@pytest.mark.parametrize("outer", [Subsample, ClassBalanced])
def test_all_that_a_strategy_says_of_its_picks_comes_through_another(outer, iris):
    model, X, _ = iris
    candidates = np.arange(3, 147)
    found = outer(Twinning(), random_state=0).select(model, X, n=11, candidates=candidates)
    assert_array_equal(found.scores, -X[found.indices, 0])
    assert_array_equal(found.twins, X[found.twin_indices])
    assert len(found.twins) in (6, 7)  # classes have 3, 4 and 4 picks
    assert_array_equal(found.pseudo_labels, model.predict(X[found.pseudo_indices]))


def test_class_balance_keeps_the_pseudo_labels_of_all_classes(iris):
    model, X, _ = iris
    found = ClassBalanced(CEAL(threshold=0.5), random_state=0).select(model, X, n=3)
    certain = np.flatnonzero(entropy(model.predict_proba(X)) < 0.5)
    assert_array_equal(found.pseudo_indices, np.setdiff1d(certain, found.indices))


def test_class_balance_has_no_scores_nor_twins_of_rules_without_them(iris):
    model, X, _ = iris
    found = ClassBalanced("mcp", random_state=0).select(model, X, n=6)
    assert vars(found) == vars(Selection(found.indices))


class FirstRows(ScoringStrategy):
    """It scores rows in their order, and notes what it draws."""

    _requires = ()
    drawn: ClassVar[list] = []

    def _score(self, model, X, rng):
        self.drawn.append(int(rng.integers(2**31)))
        return -np.arange(len(X))


@pytest.mark.parametrize(
    "outer",
    [
        lambda inner, **own: Subsample(inner, size=30, **own),
        ClassBalanced,
        lambda inner, **own: Combine(["margin", inner], **own),
        lambda inner, **own: Subsample(ClassBalanced(inner), **own),
    ],
)
def test_a_strategy_within_another_draws_from_its_own_random_state(outer, iris):
    model, X, _ = iris

    def drawn(inner, **own):
        FirstRows.drawn.clear()
        outer(FirstRows(random_state=inner), **own).query(model, X, n=6)
        return tuple(FirstRows.drawn)

    assert len({drawn(0), drawn(0, random_state=1), drawn(0)}) == 1
    assert drawn(1) != drawn(0)
    assert drawn(None, random_state=1) == drawn(None, random_state=1)
    assert len({drawn(None), drawn(None), drawn(None, random_state=1)}) == 3
    state = np.random.RandomState(0)  # goes on from query to query
    assert drawn(state) != drawn(state)


def test_classes_are_asked_with_numbers_of_their_own(iris):
    model, X, _ = iris
    FirstRows.drawn.clear()
    ClassBalanced(FirstRows(random_state=0)).query(model, X, n=6)
    assert len(set(FirstRows.drawn)) == 3


def least_sure(estimator, X, n_instances=1):
    """It asks what only an estimator knows, and what only a learner does."""
    assert estimator.predict(X).shape == (len(X),)
    assert len(estimator.X_training) == len(estimator.y_training) == 15
    return np.argsort(estimator.predict_proba(X).max(axis=1), kind="stable")[:n_instances]


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda function: Subsample(function, size=100),
        ClassBalanced,
        lambda function: ClassBalanced(Subsample(function, size=0.5)),
    ],
)
def test_a_function_within_is_given_the_estimator(wrapped, iris):
    _, X, y = iris
    learner = ActiveLearner(LogisticRegression(), wrapped(FunctionStrategy(least_sure)))
    idx, _ = learner.fit(X[::10], y[::10]).query(X, n=3)
    assert len(set(idx)) == 3


@pytest.mark.parametrize("wrapper", [Subsample, ClassBalanced])
def test_what_a_function_within_returns_is_checked(wrapper, iris):
    model, X, _ = iris
    last = FunctionStrategy(lambda estimator, X, n_instances=1: -1 - np.arange(n_instances))
    with pytest.raises(ValueError, match="FunctionStrategy._select must return distinct"):
        wrapper(last).query(model, X, 6)


def test_nested_parameters_are_searchable():
    strategy = Subsample(UHerding(weighted=False), size=0.5)
    assert strategy.set_params(strategy__width=2.0).strategy.width == 2.0
    assert ClassBalanced(CoreSet()).get_params()["strategy__embedding"] == "penultimate"


@pytest.mark.parametrize(
    "strategy",
    [
        TypiClust(embedding="input"),
        ProbCover(radius=0.3, embedding="input"),
        ProbCover(embedding="input"),
        UHerding(weighted=False, embedding="input", max_points=30),
        Subsample(CoreSet(embedding="input"), size=20),
    ],
)
def test_a_cold_start_needs_no_model(strategy):
    X = rng().random((80, 4))
    picks = strategy.set_params(random_state=0).query(None, X, n=10)
    assert len(set(picks)) == 10


def test_bad_parameters_are_refused(iris):
    model, X, _ = iris
    for strategy in (
        TypiClust(max_clusters=0),
        ProbCover(radius=-1.0),
        UHerding(width=0.0),
        ClusterMargin(factor=0),
        Subsample("margin", size=1.5),
    ):
        with pytest.raises(ValueError, match="must be"):
            strategy.query(model, X, 2)
