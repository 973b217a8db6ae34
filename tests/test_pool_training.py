"""Learning from the unlabelled pool: what is trained on, on which labels, and bad input."""

import copy
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import torch
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.semi_supervised import SelfTrainingClassifier
from skorch.callbacks import Callback
from skorch.dataset import ValidSplit
from torch.nn import functional as F

from skactive import ActiveLearner, AdversarialNetClassifier, BudgetedLearner
from skactive.attacks import FGSM, PGD
from skactive.callbacks import EMA, BestEpoch
from skactive.learners._labeled_set import LabeledSet
from skactive.losses import RST, TRADES, UATFT, UATKL, Adversarial, UATPlusPlus, divergence
from skactive.metrics import robust_accuracy_score
from skactive.nets._batches import BatchIterator
from skactive.nets._objective import Objective
from skactive.nets._pool import PoolBatches
from skactive.nets._samples import Samples
from skactive.utils.indexing import Rows
from tests.models import SmallCNN, SmallMLP

ATTACK = PGD(eps=0.1, steps=3)
KINDS = ["rst", "uat-ft", "uat-kl", "uat++"]


def cnn(**params):
    params = {"attack": ATTACK, "max_epochs": 2, "lr": 0.01, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


def mlp(**params):
    params = {"attack": FGSM(eps=0.05), "max_epochs": 3, "lr": 0.02, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:60], y[:60], X[60:600], X[600:800], y[600:800]


@pytest.fixture(scope="module")
def table(images):
    X, y, pool, *_ = images
    return X.reshape(60, -1), y, pool.reshape(len(pool), -1)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.state_dict().values()])


def test_the_pool_buys_robustness_at_no_label(images):
    X, y, pool, X_test, y_test = images
    settings = {"max_epochs": 60, "batch_size": 40}
    alone = cnn(**settings).fit(X, y)
    helped = cnn(**settings, unlabeled="rst").fit(X, y, X_unlabeled=pool)
    robust = [robust_accuracy_score(net, X_test, y_test, PGD(eps=0.1)) for net in (alone, helped)]
    assert robust[1] > robust[0] + 0.05
    assert (alone.n_pseudo_labels_, helped.n_pseudo_labels_) == (0, len(pool))


@pytest.mark.parametrize("loss", ["adversarial", "trades", "mart"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_with_every_loss_trains_and_repeats(images, kind, loss):
    X, y, pool, *_ = images
    made = [cnn(unlabeled=kind, loss=loss).fit(X, y, X_unlabeled=pool[:100]) for _ in range(2)]
    assert torch.equal(weights(made[0]), weights(made[1]))
    assert not torch.equal(weights(made[0]), weights(cnn(loss=loss).fit(X, y)))
    assert (made[0].teacher_ is None) == (kind == "uat-kl")
    assert int(made[0].module_[1].num_batches_tracked) == 2 * 2  # two batches of 50 an epoch


def test_marked_rows_and_x_unlabeled_are_the_same(images):
    X, y, pool, *_ = images
    marked = np.concatenate([y, np.full(len(pool), -1)])
    one = cnn(unlabeled="rst").fit(np.concatenate([X, pool]), marked)
    other = cnn(unlabeled="rst").fit(X, y, X_unlabeled=pool)
    assert torch.equal(weights(one), weights(other))
    assert_array_equal(one.classes_, np.unique(y))


def test_among_strings_the_number_is_the_mark(table):
    X, y, pool = table
    names = np.array(["a", "b"])[y % 2]
    marked = np.concatenate([names.astype(object), np.full(len(pool), -1, dtype=object)])
    net = mlp(unlabeled="rst").fit(np.concatenate([X, pool]), marked)
    assert_array_equal(net.classes_, ["a", "b"])
    assert net.n_pseudo_labels_ == len(pool)
    words = np.where(y % 2, "-1", "b")
    assert_array_equal(mlp(unlabeled="rst").fit(X, words).classes_, ["-1", "b"])


class Pickling(Callback):
    def on_epoch_end(self, net, **kwargs):
        self.copy_ = pickle.dumps(net)


def test_a_net_can_be_pickled_while_it_trains(table):
    X, y, pool = table
    net = mlp(unlabeled="rst", callbacks=[EMA(), ("pickling", Pickling())])
    net.fit(X, y, X_unlabeled=pool)
    assert pickle.loads(dict(net.callbacks_)["pickling"].copy_).predict(X).shape == y.shape


def test_minus_one_as_a_class_is_not_misread(table):
    X, y, _ = table
    signs = np.where(y < 5, -1, 1)
    assert_array_equal(mlp(attack=None).fit(X, signs).classes_, [-1, 1])
    declared = mlp(attack=None, unlabeled="rst", classes=[-1, 1]).fit(X, signs)
    assert declared.n_pseudo_labels_ == 0
    assert_array_equal(declared.classes_, [-1, 1])
    with pytest.raises(ValueError, match=r"classes=\[-1, 1\]"):
        mlp(attack=None, unlabeled="rst").fit(X, signs)
    with pytest.raises(ValueError, match="All samples are unlabelled"):
        mlp(attack=None, unlabeled="rst").fit(X, np.full(len(X), -1))


def test_strings_bytes_and_frames_as_a_pool(table):
    X, y, pool = table
    names = np.array(["a", "b"])[y % 2]
    net = mlp(unlabeled="rst").fit(X, names, X_unlabeled=pool)
    assert net.n_pseudo_labels_ == len(pool)
    assert set(net.predict(pool[:20])) <= {"a", "b"}
    as_bytes = mlp(unlabeled="rst").fit(X, names, X_unlabeled=(pool * 255).astype(np.uint8))
    assert as_bytes.n_pseudo_labels_ == len(pool)
    frame = mlp(unlabeled="rst").fit(
        pd.DataFrame(X).add_prefix("f"), names, X_unlabeled=pd.DataFrame(pool).add_prefix("f")
    )
    assert torch.equal(weights(frame), weights(net))


def test_batches_hold_each_pool_point_once_before_any_again(table):
    X, y, pool = table
    net = mlp(unlabeled="rst", unlabeled_fraction=0.75, unlabeled_weight=0.5).fit(X, y)
    labels = np.arange(len(pool)) % 10
    batches = PoolBatches(net, Rows(pool), labels, seed=0)
    assert batches.labelled_share(40, 60) == 10
    labelled = [[torch.from_numpy(X[:10]), torch.from_numpy(y[:10])]] * 18
    seen = []
    for inputs, targets, weight, n_pool in batches.beside(labelled):
        assert n_pool == 30
        assert_array_equal(weight, [1.0] * 10 + [0.5] * 30)
        rows = [int(np.flatnonzero((pool == row.numpy()).all(axis=1))[0]) for row in inputs[10:]]
        assert_array_equal(targets[10:], labels[rows])
        seen += rows
    distinct = [int(np.flatnonzero((pool == row).all(axis=1))[0]) for row in pool]
    assert sorted(seen) == sorted(distinct)  # 18 × 30 = 540, the whole pool


@pytest.mark.parametrize("labelled", [3, 60])
def test_all_points_alike_come_once_in_an_epoch(table, labelled):
    X, y, pool = table
    X, y, as_is = X[:labelled], y[:labelled], np.arange(labelled) == 0
    net = mlp(unlabeled="rst", unlabeled_fraction="data", batch_size=40, classes=np.arange(10))
    net.fit(X, y, X_unlabeled=pool, as_is=as_is)
    n_all = labelled + len(pool)
    assert [len(epoch["batches"]) for epoch in net.history] == [math.ceil(n_all / 40)] * 3
    labels = np.arange(len(pool)) % 10
    batches = PoolBatches(net, Rows(pool), labels, seed=0)
    dataset = Samples(X, y, None, as_is).dataset()
    seen, shares = [], []
    batches.of(dataset, lambda data: BatchIterator(data, 40, shuffle=True))
    for inputs, targets, weight, mask, n_pool in batches:
        assert len(inputs) == len(targets) == len(weight) == len(mask)
        assert len(inputs) == 40 or len(seen) + len(inputs) == n_all
        cut = len(inputs) - n_pool
        assert weight.tolist() == [1.0] * len(inputs)
        for row, target, flag in zip(inputs[:cut], targets[:cut], mask[:cut], strict=True):
            at = int(np.flatnonzero((row.numpy() == X).all(axis=1))[0])
            assert (y[at], as_is[at]) == (target, flag)
        assert not mask[cut:].any()
        rows = [int(np.flatnonzero((pool == row.numpy()).all(axis=1))[0]) for row in inputs[cut:]]
        assert_array_equal(targets[cut:], labels[rows])
        seen += [row.numpy().tobytes() for row in inputs]
        shares.append(cut)
    assert sorted(seen) == sorted(row.tobytes() for row in np.concatenate([X, pool]))
    assert sum(shares) == labelled
    assert len(set(shares)) > 1  # by chance, not by share


@pytest.mark.parametrize("loss", ["adversarial", "trades", "mart"])
@pytest.mark.parametrize("kind", KINDS)
def test_batches_without_a_label_train_too(images, kind, loss):
    X, y, pool, *_ = images
    params = {"unlabeled": kind, "loss": loss, "unlabeled_fraction": "data", "batch_size": 20}
    made = [
        cnn(**params, classes=np.arange(10), max_epochs=1).fit(X[:4], y[:4], X_unlabeled=pool[:120])
        for _ in range(2)
    ]
    assert torch.equal(weights(made[0]), weights(made[1]))
    assert np.isfinite(made[0].history[-1]["train_loss"])


@pytest.mark.parametrize(
    "params",
    [
        {"iterator_train": torch.utils.data.DataLoader},
        {"train_split": ValidSplit(5)},
        {"callbacks": [BestEpoch("clean", validation_fraction=0.2)]},
    ],
)
def test_points_alike_with_loaders_and_validation(table, params):
    X, y, pool = table
    net = mlp(unlabeled="rst", unlabeled_fraction="data", **params)
    net.fit(X, y, X_unlabeled=pool)
    held_out = 0 if "iterator_train" in params else 12
    sizes = [batch.get("train_batch_size", 0) for batch in net.history[-1]["batches"]]
    assert sum(sizes) == 600 - held_out


def test_points_of_a_dataset_alike(images):
    X, y, pool, *_ = images
    data = torch.utils.data.TensorDataset(torch.from_numpy(X[:5]), torch.from_numpy(y[:5]))
    params = {"unlabeled": "rst", "unlabeled_fraction": "data", "batch_size": 10}
    nets = [
        cnn(**params).fit(*given, X_unlabeled=pool[:60], y_unlabeled=np.resize(y[:5], 60))
        for given in ((data,), (X[:5], y[:5]))
    ]
    assert torch.equal(weights(nets[0]), weights(nets[1]))


def test_pseudo_labels_made_once_serve_several_nets(table):
    X, y, pool = table
    names = np.array(list("abcdefghij"))[y]
    teacher = LogisticRegression(max_iter=200).fit(X, names)
    labels = teacher.predict(pool)
    net = mlp(unlabeled="rst").fit(X, names, X_unlabeled=pool, y_unlabeled=labels)
    assert (net.teacher_, net.n_pseudo_labels_) == (None, len(pool))
    frozen = mlp(unlabeled="rst", teacher=FrozenEstimator(teacher))
    assert clone(frozen).teacher.estimator is teacher
    assert torch.equal(weights(net), weights(clone(frozen).fit(X, names, X_unlabeled=pool)))
    marked = np.concatenate([names.astype(object), np.full(len(pool), -1, dtype=object)])
    both = mlp(unlabeled="rst").fit(np.concatenate([X, pool]), marked, y_unlabeled=labels)
    assert torch.equal(weights(net), weights(both))
    other = mlp(unlabeled="rst").fit(X, names, X_unlabeled=pool, y_unlabeled=labels[::-1])
    assert not torch.equal(weights(net), weights(other))
    net.partial_fit(X, names, X_unlabeled=pool, y_unlabeled=labels)
    assert len(net.history) == 6


@pytest.mark.parametrize(
    ("params", "given", "message"),
    [
        ({}, {"y_unlabeled": [0] * 540}, "without a pool"),
        ({}, {"pool": True, "y_unlabeled": [0] * 5}, "inconsistent numbers of samples"),
        ({}, {"pool": True, "y_unlabeled": [99] * 540}, r"does not know: \[99\]"),
        ({}, {"pool": True, "y_unlabeled": [[0, 1]] * 540}, "1d array"),
        ({"unlabeled": "uat-kl"}, {"pool": True, "y_unlabeled": [0] * 540}, "learns without"),
        ({"unlabeled_fraction": "all"}, {"pool": True}, "unlabeled_fraction"),
    ],
)
def test_labels_for_the_pool_that_do_not_fit_are_refused(table, params, given, message):
    X, y, pool = table
    net = mlp(**{"unlabeled": "rst", **params})
    given = dict(given)
    if given.pop("pool", False):
        given["X_unlabeled"] = pool
    with pytest.raises(ValueError, match=message):
        net.fit(X, y, **given)
    assert not net.__sklearn_is_fitted__()


@pytest.mark.parametrize("kind", [RST(), UATFT(), UATKL(beta=3.0), UATPlusPlus(beta=3.0)])
@pytest.mark.parametrize("loss", [Adversarial(), TRADES(beta=3.0)])
def test_losses_are_those_of_the_papers(table, kind, loss):
    X, y, pool = (torch.from_numpy(part) for part in table)
    net = mlp(unlabeled=kind, loss=loss).fit(table[0], table[1])
    inputs, targets = torch.cat([X, pool[:40]]), torch.cat([y, y[:40]])
    moved = inputs + 0.05 * torch.randn(inputs.shape)
    _, found = Objective(net, 40).losses(inputs, moved, targets)
    clean, adv = net.module_(inputs), net.module_(moved)
    ce = F.cross_entropy(adv, targets, reduction="none")
    kl = 3.0 * divergence(clean, adv)
    trades = F.cross_entropy(clean, targets, reduction="none") + kl
    whole = trades if isinstance(loss, TRADES) else ce
    expected = {RST: whole, UATFT: ce, UATKL: kl, UATPlusPlus: ce + kl}[type(kind)]
    torch.testing.assert_close(found, torch.cat([whole[:60], expected[60:]]))


def test_the_target_of_the_divergence_is_fixed(table):
    X, y, pool = (torch.from_numpy(part) for part in table)
    net = mlp(unlabeled="uat-kl").fit(table[0], table[1])
    net.module_.zero_grad()
    inputs = torch.cat([X, pool[:40]])
    # At the clean point the divergence and its gradient in the attacked branch vanish; the loss
    # of the pool would still pull if the clean branch were not fixed at another point.
    _, found = Objective(net, 40).losses(inputs, inputs, torch.cat([y, y[:40]]))
    gradients = torch.autograd.grad(found[60:].sum(), net.module_.parameters())
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-5


def test_a_teacher_of_any_kind_gives_the_labels(table):
    X, y, pool = table
    teacher = LogisticRegression(max_iter=200)
    net = mlp(unlabeled="rst", teacher=teacher).fit(X, y, X_unlabeled=pool)
    assert isinstance(net.teacher_, LogisticRegression)
    assert not hasattr(teacher, "coef_")
    assert net.set_params(teacher__C=0.5).teacher.C == 0.5
    assert net.get_params()["teacher__C"] == 0.5
    with pytest.raises(ValueError, match="teacher is None"):
        mlp().set_params(teacher__C=1.0)


def test_a_teacher_that_is_no_classifier_is_refused(table):
    X, y, pool = table
    with pytest.raises(TypeError, match="teacher must be a classifier, such as FixMatch"):
        mlp(unlabeled="rst", teacher="fixmatch").fit(X, y, X_unlabeled=pool)


def test_the_teacher_never_sees_the_validation_samples(table):
    X, y, pool = table
    net = mlp(
        unlabeled="rst",
        teacher=KNeighborsClassifier(1),
        callbacks=[BestEpoch("clean")],
        max_epochs=2,
    ).fit(X, y, X_unlabeled=pool)
    assert net.teacher_.n_samples_fit_ == len(X) - net.n_validation_labels_ == 54


def test_clone_pickle_warm_start_partial_fit_and_search(table):
    X, y, pool = table
    net = mlp(unlabeled="uat++", warm_start=True).fit(X, y, X_unlabeled=pool)
    assert clone(net).get_params()["unlabeled"] == "uat++"
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert_array_equal(twin.predict(pool), net.predict(pool))
    net.fit(X, y, X_unlabeled=pool).partial_fit(X, y, X_unlabeled=pool)
    assert len(net.history) == 9
    search = GridSearchCV(mlp(), {"unlabeled": ["rst", "uat-kl"]}, cv=2)
    search.fit(X, y % 2, X_unlabeled=pool)
    assert search.best_estimator_.history[-1]["batches"][0]["train_batch_size"] > 50
    marked = np.concatenate([y % 2, np.full(len(pool), -1)])
    assert mlp(unlabeled="rst").fit(np.concatenate([X, pool]), marked).n_pseudo_labels_ == 540


def test_sample_weight_of_labelled_rows_counts(table):
    X, y, pool = table
    weight = np.linspace(0.1, 2, len(X))
    marked = np.concatenate([y, np.full(len(pool), -1)])
    both = np.concatenate([X, pool])
    nets = [
        mlp(unlabeled="rst").fit(both, marked, sample_weight=np.r_[weight, np.full(540, filler)])
        for filler in (1, 5)
    ]
    assert torch.equal(weights(nets[0]), weights(nets[1]))
    plain = mlp(unlabeled="rst").fit(both, marked)
    assert not torch.equal(weights(nets[0]), weights(plain))


def bad(**params):
    return lambda X, y, pool: mlp(**params).fit(X, y, X_unlabeled=pool)


@pytest.mark.parametrize(
    ("run", "message"),
    [
        (bad(), "unlabeled is None"),
        (bad(unlabeled="magic"), "no unlabeled loss 'magic'"),
        (bad(unlabeled="rst", unlabeled_fraction=1.0), "unlabeled_fraction"),
        (bad(unlabeled="rst", unlabeled_weight=0), "unlabeled_weight"),
        (bad(unlabeled="uat-kl", attack=None), "needs an attack"),
        (bad(unlabeled="rst", criterion=torch.nn.MultiMarginLoss), "loss of each sample"),
        (lambda X, y, pool: bad(unlabeled="rst")(X, y, pool * 3), "values in"),
        (lambda X, y, pool: bad(unlabeled="uat-kl")(X, y, pool[:, :5]), "features"),
        (lambda X, y, pool: bad(unlabeled="rst")(X, np.where(y > 4, -1, y), pool), "two ways"),
    ],
)
def test_bad_input_is_refused_before_training(table, run, message):
    with pytest.raises(ValueError, match=message):
        run(*table)


def test_a_failed_training_leaves_the_net_as_it_was(table):
    X, y, pool = table
    net = mlp(unlabeled="rst").fit(X, y)
    before, steps = weights(net), len(net.history)
    broken = pool.copy()
    broken[-1, 0] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        net.partial_fit(X, y, X_unlabeled=broken)
    assert torch.equal(before, weights(net))
    assert len(net.history) == steps
    net.partial_fit(X, y, X_unlabeled=pool)


class Stumbling(PGD):
    """Fails in its third call."""

    calls = 0

    def _perturb(self, *args):
        Stumbling.calls += 1
        if Stumbling.calls == 3:
            raise RuntimeError("stumbled")
        return super()._perturb(*args)


def test_an_attack_that_fails_half_way_is_undone(table):
    X, y, _ = table
    net = mlp(batch_size=20).fit(X, y)
    before = weights(net)
    net.set_params(attack=Stumbling(eps=0.05, steps=1), callbacks__overfitting_guard=None)
    Stumbling.calls = 0
    with pytest.raises(RuntimeError, match="stumbled"):
        net.partial_fit(X, y)
    assert torch.equal(before, weights(net))
    assert len(net.history) == 3
    Stumbling.calls = 0
    fresh = mlp(
        attack=Stumbling(eps=0.05, steps=1), batch_size=20, callbacks__overfitting_guard=None
    )
    with pytest.raises(RuntimeError, match="stumbled"):
        fresh.fit(X, y)
    assert not fresh.__sklearn_is_fitted__()


# -- the learner hands the pool on ---------------------------------------------------------


def query_and_teach(learner, X, y, n=10):
    idx, rows = learner.query(X, n)
    return learner.teach(rows, y[idx]), idx


def test_the_learner_hands_on_what_is_not_labelled(digits):
    X, y = digits[0][:400].reshape(400, -1), digits[1][:400]
    learner = ActiveLearner(mlp(unlabeled="rst"), "random", use_pool=True, random_state=0)
    learner.fit(X[:50], y[:50])
    assert learner.history_[-1]["pseudo"] == 0  # no pool was seen yet
    same = len(X) - len(np.unique(X, axis=0))
    assert same == 0
    query_and_teach(learner, X, y)  # the whole of X: labelled rows are found by content
    first = learner.history_[-1]
    assert first["pseudo"] == len(X) - first["n_labels"]
    unlabeled = np.arange(200, 400)
    idx, rows = learner.query(X, 20, candidates=unlabeled)
    learner.teach(rows[:5], y[idx[:5]])  # what was not answered is still unlabelled
    taught = {row.tobytes() for row in learner.X_labeled_}
    assert learner.history_[-1]["pseudo"] == sum(
        row.tobytes() not in taught for row in X[unlabeled]
    )


@pytest.mark.parametrize("warm_start", [False, True])
def test_a_learner_with_its_pool_is_a_net_with_that_pool(digits, warm_start):
    X, y = digits[0][:300].reshape(300, -1), digits[1][:300]
    net = mlp(unlabeled="uat-ft")
    learner = ActiveLearner(net, "margin", use_pool=True, warm_start=warm_start, random_state=0)
    learner.fit(X[:50], y[:50])
    by_hand = copy.deepcopy(learner.estimator_)
    learner, idx = query_and_teach(learner, X[50:], y[50:])
    rest = np.delete(X[50:], idx, axis=0)
    if warm_start:
        by_hand.partial_fit(learner.X_labeled_, learner.y_labeled_, X_unlabeled=rest)
    else:
        by_hand.fit(learner.X_labeled_, learner.y_labeled_, X_unlabeled=rest)
    assert torch.equal(weights(learner.estimator_), weights(by_hand))
    assert_array_equal(pickle.loads(pickle.dumps(learner)).predict(X), learner.predict(X))
    assert clone(learner).use_pool


@pytest.mark.filterwarnings("ignore:y contains no unlabeled samples")  # in round 0
@pytest.mark.parametrize(
    "estimator",
    [
        SelfTrainingClassifier(LogisticRegression(max_iter=200)),
        make_pipeline(FunctionTransformer(), mlp(unlabeled="rst", max_epochs=30)),
    ],
)
def test_scikit_learns_own_and_pipelines_get_marked_rows(digits, estimator):
    X, y = digits[0][:300].reshape(300, -1), digits[1][:300]
    learner = ActiveLearner(estimator, "entropy", use_pool=True, random_state=0)
    learner.fit(X[:50], y[:50])
    learner, _ = query_and_teach(learner, X[50:], y[50:])
    assert learner.history_[-1]["pseudo"] == 240
    assert_array_equal(learner.estimator_.classes_, np.arange(10))
    assert learner.score(X[50:], y[50:]) > 0.5
    names = np.array(list("abcdefghij"))[y]
    learner.fit(X[:50], names[:50].astype(object))
    learner, _ = query_and_teach(learner, X[50:], names[50:].astype(object))
    assert learner.history_[-1]["pseudo"] == 240
    assert set(learner.estimator_.classes_) == set("abcdefghij")
    learner.fit(X[:50], y[:50] - 1)
    idx, rows = learner.query(X[50:], 5)
    with pytest.raises(ValueError, match="-1 is a class"):
        learner.teach(rows, y[50:][idx] - 1)
    learner.fit(X[:50], y[:50] > 4)
    idx, rows = learner.query(X[50:], 5)
    with pytest.raises(ValueError, match="labels are booleans"):
        learner.teach(rows, y[50:][idx] > 4)


def test_who_does_not_learn_from_a_pool_is_told(digits):
    X, y = digits[0][:100].reshape(100, -1), digits[1][:100]
    with pytest.raises(TypeError, match="LogisticRegression does not learn from unlabelled"):
        ActiveLearner(LogisticRegression(), "random", use_pool=True).fit(X, y)
    with pytest.raises(ValueError, match="unlabeled='rst'"):
        ActiveLearner(mlp(), "random", use_pool=True).fit(X, y)


def test_a_pool_of_words_is_told_apart_by_content():
    pool = pd.DataFrame({"word": ["a", "b", "c", "b"], "n": [1, 2, 3, 2]})
    left = LabeledSet(pool.iloc[[1]], np.zeros(1)).left_of(Rows(pool))
    assert_array_equal(left.indices, [0, 2])
    assert LabeledSet(pool, np.zeros(4)).left_of(Rows(pool)) is None
    sparse = sp.csr_matrix(np.eye(3))
    left = LabeledSet(sparse[[0]], np.zeros(1)).left_of(Rows(sparse))
    assert_array_equal(left.indices, [1, 2])


def test_a_budgeted_search_compares_pool_and_no_pool(digits):
    X, y = digits[0][:200].reshape(200, -1), digits[1][:200]
    model = BudgetedLearner(
        mlp(unlabeled="rst"), "random", n_initial=40, n_per_query=20, budget=60, random_state=0
    )
    search = GridSearchCV(model, {"use_pool": [False, True]}, cv=2).fit(X, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    fitted = clone(model).set_params(use_pool=True).fit(X, y)
    assert list(fitted.learning_curve_["pseudo"]) == [0, 140]
