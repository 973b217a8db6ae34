"""Test selection and adversarial retraining: the ledger, the split, the report, bad input."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import load_digits
from skactive.exceptions import CapabilityError, DataLeakageError
from skactive.metrics import make_robust_scorer
from skactive.retraining import (
    EvaluationSplit,
    RetrainingReport,
    adversarial_examples,
    retraining_report,
)
from skactive.strategies import DRE, CoreSet
from tests.models import SmallCNN

ATTACK = PGD(eps=0.1, steps=3)


@pytest.fixture(scope="module")
def digits():
    return load_digits()


def cnn(**params):
    params = {"attack": ATTACK, "max_epochs": 3, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, optimizer=torch.optim.Adam, lr=0.01, **params)


@pytest.fixture(scope="module")
def learner(digits):
    return ActiveLearner(cnn(), "margin", random_state=0).fit(
        digits.X_train[:200], digits.y_train[:200]
    )


def copied(learner):
    import copy

    return copy.deepcopy(learner)


def weights(learner):
    return [p.detach().clone() for p in learner.estimator_.module_.parameters()]


# -- adversarial examples -----------------------------------------------------------------


def test_examples_are_those_of_the_attack_in_order(learner, digits):
    X, y = digits.X_test[:50], digits.y_test[:50]
    made = adversarial_examples(learner, X, y, batch_size=16)
    assert made.shape == X.shape
    assert made.dtype == np.float32
    assert np.abs(made - X).max() <= 0.1 + 1e-6
    assert 0 <= made.min() <= made.max() <= 1
    assert learner.score(made, y) < learner.score(X, y)
    assert_array_equal(made, adversarial_examples(learner, X, y, batch_size=16))
    net = learner.estimator_
    direct = ATTACK(
        net.module_,
        torch.as_tensor(X),
        torch.as_tensor(y),
        generator=torch.Generator().manual_seed(0),
    )
    assert direct.shape == made.shape
    fixed = PGD(eps=0.1, steps=3, random_start=False)
    wanted = fixed(net.module_, torch.as_tensor(X), torch.as_tensor(y)).numpy()
    assert_allclose(adversarial_examples(learner, X, y, fixed), wanted, atol=1e-6)


def test_examples_of_bytes_and_frames(learner, digits):
    X = (digits.X_test[:20] * 255).astype(np.uint8)
    made = adversarial_examples(learner, X, digits.y_test[:20], "fgsm", eps=0.1)
    assert np.abs(made - X / 255).max() <= 0.1 + 1e-6


@pytest.mark.parametrize(
    ("estimator", "error", "match"),
    [
        (LogisticRegression(max_iter=1000), CapabilityError, "gradients"),
        (make_pipeline(StandardScaler(), LogisticRegression()), CapabilityError, "gradients"),
    ],
)
def test_examples_need_a_net(estimator, error, match):
    X, y = load_iris(return_X_y=True)
    with pytest.raises(error, match=match):
        adversarial_examples(estimator.fit(X, y), X, y, "pgd")


def test_examples_need_an_attack_known_labels_and_an_input_of_their_own(learner, digits):
    X, y = digits.X_train[:60], digits.y_train[:60]
    plain = cnn(attack=None, max_epochs=1).fit(X, y)
    with pytest.raises(ValueError, match="say which one"):
        adversarial_examples(plain, X, y)
    with pytest.raises(ValueError, match=r"does not know: \[77\]"):
        adversarial_examples(learner, X, np.full(60, 77))
    pipe = make_pipeline(None, cnn(max_epochs=1)).fit(X, y)
    with pytest.raises(CapabilityError, match="Pass the net alone"):
        adversarial_examples(pipe, X, y)


# -- retraining ---------------------------------------------------------------------------


@pytest.mark.parametrize("warm_start", [True, False])
@pytest.mark.parametrize("mix", ["adversarial", "both", "clean"])
def test_the_ledger_counts_what_was_bought_and_made(learner, digits, mix, warm_start):
    trained = copied(learner)
    idx = trained.select_tests(digits.X_test, budget=0.05)
    n = round(0.05 * len(digits.X_test))
    assert len(set(idx.tolist())) == n
    X, y = digits.X_test[idx], digits.y_test[idx]
    seen = {}
    fit = AdversarialNetClassifier.partial_fit if warm_start else AdversarialNetClassifier.fit

    def spy(self, X, y, *args, **kwargs):
        seen["X"], seen["y"], seen["epochs"] = np.asarray(X), y, self.max_epochs
        return fit(self, X, y, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdversarialNetClassifier, fit.__name__, spy)
        assert trained.retrain(X, y, mix=mix, epochs=2, warm_start=warm_start) is trained
    row = trained.history_[-1]
    assert (row["round"], row["n_taught"], row["n_labels"]) == (1, n, 200 + n)
    assert row["adversarial"] == (0 if mix == "clean" else n)
    assert len(seen["X"]) == 200 + (2 * n if mix == "both" else n)
    assert seen["epochs"] == 2
    assert trained.estimator_.max_epochs == 3
    assert_array_equal(seen["X"][:200], digits.X_train[:200])
    if mix == "clean":
        assert_array_equal(seen["X"][200:], X)
    else:
        assert_array_equal(seen["X"][-n:], trained.X_twins_)
        delta = np.abs(trained.X_twins_ - X)
        assert 0 < delta.max() <= 0.1 + 1e-6
        assert_array_equal(seen["y"][-n:], y)
    assert_array_equal(trained.X_labeled_[200:], X)
    assert len(trained.estimator_.history) == (5 if warm_start else 2)
    trained.teach(digits.X_test[:5], digits.y_test[:5])
    assert trained.history_[-1]["n_labels"] == 205 + n


def test_warm_goes_on_from_the_present_weights(learner, digits):
    X, y = digits.X_test[:20], digits.y_test[:20]
    still = copied(learner).set_params(estimator__lr=0.0)
    still.retrain(X, y, epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(weights(still), weights(learner), strict=True))
    fresh = copied(learner).retrain(X, y, epochs=1, warm_start=False)
    assert not any(torch.equal(a, b) for a, b in zip(weights(fresh), weights(learner), strict=True))


def test_the_same_seed_gives_the_same_model(learner, digits):
    X, y = digits.X_test[:20], digits.y_test[:20]
    first, second = (copied(learner).retrain(X, y, epochs=1) for _ in range(2))
    assert_array_equal(first.X_twins_, second.X_twins_)
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second), strict=True))


def test_bytes_and_twins_are_stacked_as_numbers_of_one_range(digits):
    images = (digits.X_train[:100] * 255).astype(np.uint8)
    trained = ActiveLearner(cnn(max_epochs=1), random_state=0).fit(images, digits.y_train[:100])
    tests = (digits.X_test[:10] * 255).astype(np.uint8)
    seen = {}
    partial_fit = AdversarialNetClassifier.partial_fit

    def spy(self, X, y, *args, **kwargs):
        seen["X"] = np.asarray(X)
        return partial_fit(self, X, y, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AdversarialNetClassifier, "partial_fit", spy)
        trained.retrain(tests, digits.y_test[:10])
    assert seen["X"].max() <= 1
    assert_allclose(seen["X"][:100], images / np.float32(255))
    assert trained.X_labeled_.dtype == np.uint8


@pytest.mark.parametrize("warm_start", [True, False])
def test_any_classifier_is_retrained_on_the_samples_themselves(warm_start):
    X, y = load_iris(return_X_y=True)
    for frame in (False, True):
        data = pd.DataFrame(X, columns=list("abcd")) if frame else X
        rows = data.iloc if frame else data
        trained = ActiveLearner(SGDClassifier(loss="log_loss", random_state=0), "margin")
        trained.fit(rows[::5], y[::5])
        idx = trained.select_tests(data, budget=10)
        trained.retrain(rows[idx], y[idx], mix="clean", warm_start=warm_start)
        assert trained.history_[-1]["n_labels"] == 40
    with pytest.raises(ValueError, match="no max_epochs"):
        trained.retrain(rows[idx], y[idx], mix="clean", epochs=3)
    with pytest.raises(CapabilityError, match="gradients.*mix='clean'"):
        trained.retrain(rows[idx], y[idx], "pgd")


def test_a_net_of_a_frame_is_retrained_on_its_examples():
    from tests.models import SmallMLP

    X, y = load_iris(return_X_y=True)
    frame = pd.DataFrame((X / X.max(axis=0)).astype(np.float32), columns=list("abcd"))
    net = AdversarialNetClassifier(SmallMLP(4, 3), attack=ATTACK, max_epochs=2, random_state=0)
    trained = ActiveLearner(net, "margin", random_state=0).fit(frame[::5], y[::5])
    trained.retrain(frame[1::5], y[1::5], mix="both")
    assert trained.history_[-1]["adversarial"] == 30
    assert list(trained.X_labeled_.columns) == list("abcd")


def test_sample_weights_stay_beside_the_labelled_set():
    X, y = load_iris(return_X_y=True)
    trained = ActiveLearner(LogisticRegression(max_iter=500)).fit(X[::5], y[::5], np.full(30, 2.0))
    trained.retrain(X[1::5], y[1::5], mix="clean", warm_start=False)
    assert_array_equal(trained.sample_weight_, [*np.full(30, 2.0), *np.ones(30)])
    wanted = LogisticRegression(max_iter=500).fit(
        trained.X_labeled_, trained.y_labeled_, trained.sample_weight_
    )
    assert_allclose(trained.estimator_.coef_, wanted.coef_)


def test_a_learner_around_a_model_that_is_trained_already(digits):
    net = cnn().fit(digits.X_train[:200], digits.y_train[:200])
    made = ActiveLearner.from_fitted(
        net, digits.X_train[:200], digits.y_train[:200], "dre", random_state=0
    )
    assert made.estimator_ is net
    assert made.history_[0]["n_labels"] == 200
    before = [p.clone() for p in net.module_.parameters()]
    idx = made.select_tests(digits.X_test, 0.05)
    made.retrain(digits.X_test[idx], digits.y_test[idx], epochs=1)
    assert all(torch.equal(a, b) for a, b in zip(before, net.module_.parameters(), strict=True))
    assert made.estimator_ is not net
    idx, rows = made.query(digits.X_test, n=3)
    made.teach(rows, digits.y_test[idx])
    assert made.history_[-1]["round"] == 2
    with pytest.raises(NotFittedError):
        ActiveLearner.from_fitted(clone(net), digits.X_train[:20], digits.y_train[:20])
    with pytest.raises(ValueError, match="never seen"):
        ActiveLearner.from_fitted(net, digits.X_train[:2], np.array([3, 99]))


# -- bad input ----------------------------------------------------------------------------


def some(labels, label):
    labels = labels.astype(object)
    labels[1] = label
    return labels


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda t, X, y: t.retrain(X, y[:-1]), "same number of samples"),
        (lambda t, X, y: t.retrain(X, some(y, None)), "None for 1 of 8"),
        (lambda t, X, y: t.retrain(X, np.where(np.arange(8) == 2, np.nan, y)), "NaN"),
        (lambda t, X, y: t.retrain(X, np.where(y == y[0], -1, y)), r"never seen in fit: \[-1\]"),
        (lambda t, X, y: t.retrain(X, None), "requires y"),
        (lambda t, X, y: t.retrain(X[:, :, :4], y), "rows of shape"),
        (
            lambda t, X, y: t.retrain(X, y, mix="adverse"),
            "'mix' parameter of ActiveLearner.retrain must be a str among",
        ),
        (lambda t, X, y: t.retrain(X, y, epochs=0), "epochs must be"),
        (lambda t, X, y: t.retrain(X, y, PGD(eps=-1)), r"'eps'.*must be"),
        (lambda t, X, y: t.retrain(X * 3, y), "values in"),
        (lambda t, X, y: t.select_tests(X, 0), "budget"),
        (lambda t, X, y: t.select_tests(X, 1.5), "budget"),
        (lambda t, X, y: t.select_tests(X, 9), "budget"),
        (lambda t, X, y: t.select_tests(X[:, :, :4], 2), "rows of shape"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_has_changed(learner, digits, call, match):
    trained = copied(learner)
    with pytest.raises(ValueError, match=match):
        call(trained, digits.X_test[:8], digits.y_test[:8])
    assert len(trained.history_) == 1
    assert len(trained.X_labeled_) == 200
    assert all(torch.equal(a, b) for a, b in zip(weights(trained), weights(learner), strict=True))


def test_an_unfitted_learner_selects_and_retrains_nothing(digits):
    cold = ActiveLearner(cnn(), "margin")
    with pytest.raises(NotFittedError):
        cold.select_tests(digits.X_test)
    with pytest.raises(NotFittedError):
        cold.retrain(digits.X_test, digits.y_test)


# -- the split ----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_parts_share_nothing_and_keep_the_classes(digits, seed):
    split = EvaluationSplit(digits.X_test, digits.y_test, share=0.3, random_state=seed)
    both = np.concatenate([split.candidates, split.evaluation])
    assert_array_equal(np.sort(both), np.arange(len(digits.X_test)))
    shares = [np.mean(split.y_evaluation == c) / np.mean(digits.y_test == c) for c in range(10)]
    assert_allclose(shares, 1, atol=0.1)
    again = EvaluationSplit(digits.X_test, digits.y_test, share=0.3, random_state=seed)
    assert_array_equal(split.candidates, again.candidates)


def test_equal_rows_are_in_the_same_part():
    X = np.repeat(np.arange(50.0), 3)[:, None]
    y = np.repeat(np.arange(50) % 2, 3)
    split = EvaluationSplit(X, y, random_state=0)
    assert not set(split.X_candidates.ravel()) & set(split.X_evaluation.ravel())
    known = EvaluationSplit(X, y, exclude=np.arange(10.0)[:, None], random_state=0)
    assert not set(known.X_evaluation.ravel()) & set(range(10))


def test_a_selected_sample_in_the_evaluation_set_is_an_error(learner, digits):
    split = EvaluationSplit(
        digits.X_test, digits.y_test, exclude=learner.X_labeled_, random_state=0
    )
    assert split.score(learner) == learner.score(split.X_evaluation, split.y_evaluation)
    robust = split.score(learner, make_robust_scorer(ATTACK))
    assert robust < split.score(learner)
    honest = copied(learner).retrain(*split.label([0, 1, 2]), epochs=1)
    split.score(honest)
    assert split.n_labels == 3
    leaking = copied(learner).retrain(digits.X_test[:40], digits.y_test[:40], epochs=1)
    n_leaked = len(set(range(40)) & set(split.evaluation.tolist()))
    for call in (split.score, split.check):
        with pytest.raises(DataLeakageError, match=f"{n_leaked} of the"):
            call(leaking)
    with pytest.raises(DataLeakageError):
        split.check(split.X_evaluation[:1].astype(np.float64))


@pytest.mark.parametrize("to", [np.copy, np.float64, pd.DataFrame, lambda X: X / np.float32(255)])
@pytest.mark.parametrize("back", [False, True])
def test_bytes_are_known_again_as_numbers_and_as_pixels(to, back):
    X = np.random.default_rng(0).integers(0, 256, (60, 6), dtype=np.uint8)
    y = (X[:, 0] > 127).astype(int)
    taught, tested = (to(X), X) if back else (X, to(X))
    learner = ActiveLearner(RandomForestClassifier(2), random_state=0).fit(taught[:20], y[:20])
    split = EvaluationSplit(tested, y, exclude=taught[:20], random_state=0)
    assert set(range(20)) <= set(split.candidates)
    split.check(learner)
    split = EvaluationSplit(tested, y, random_state=0)
    n_leaked = (split.evaluation < 20).sum()
    for leaking in (learner, taught[:20]):
        with pytest.raises(DataLeakageError, match=f"{n_leaked} of the"):
            split.check(leaking)


def test_bytes_are_not_taken_for_pixels_of_other_bytes():
    split = EvaluationSplit(np.uint8([[0], [1]]), [0, 1], exclude=[[0]], share=1e-6)
    assert split.X_evaluation == 1
    split.check(np.uint8([[255]]))


@pytest.mark.parametrize("model", [RandomForestClassifier(5), LogisticRegression(max_iter=500)])
def test_an_estimator_that_does_not_tell_its_training_data_measures_nothing(model):
    X, y = load_iris(return_X_y=True)
    split = EvaluationSplit(X[::2], y[::2], exclude=X[1::2], random_state=0)
    with pytest.raises(NotFittedError):
        split.score(model)
    model.fit(X[1::2], y[1::2])
    with pytest.raises(TypeError, match=r"does not tell .* ActiveLearner\.from_fitted"):
        split.score(model)
    known = ActiveLearner.from_fitted(model, X[1::2], y[1::2])
    assert split.score(known) == model.score(split.X_evaluation, split.y_evaluation)


@pytest.mark.parametrize(
    ("indices", "match"),
    [
        ([0, 0], "distinct"),
        ([-1], "another test set"),
        ([10_000], "another test set"),
        ([0.5], "integers"),
        ([[1]], "1-d"),
    ],
)
def test_indices_that_are_no_candidates(digits, indices, match):
    split = EvaluationSplit(digits.X_test, digits.y_test, random_state=0)
    with pytest.raises(ValueError, match=match):
        split.label(indices)
    assert split.n_labels == 0


def test_splits_that_cannot_be():
    X, y = np.zeros((4, 2)), np.zeros(4)
    with pytest.raises(ValueError, match="leaves"):
        EvaluationSplit(X, y)
    with pytest.raises(ValueError, match="share"):
        EvaluationSplit(X, y, share=1.0)
    with pytest.raises(ValueError, match="same number"):
        EvaluationSplit(X, y[:3])


# -- the report ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def report(digits):
    learners = [
        ActiveLearner(cnn(max_epochs=2, random_state=s), random_state=s).fit(
            digits.X_train[:100], digits.y_train[:100]
        )
        for s in (0, 1)
    ]
    return retraining_report(
        learners,
        digits.X_test,
        digits.y_test,
        strategies=["random", "margin"],
        budgets=[0.05, 20],
        attacks={"PGD": ATTACK, "FGSM": "fgsm"},
        eps=0.1,
        epochs=1,
    )


def test_a_row_for_each_seed_strategy_and_budget(report, digits):
    assert len(report.rows) == 2 + 2 * 2 * 2
    assert report.metrics == ["accuracy", "PGD", "FGSM"]
    n_candidates = len(EvaluationSplit(digits.X_test, digits.y_test, random_state=0).candidates)
    for row in report.rows:
        assert isinstance(row["budget"], int) == (row["budget"] == 20)
        wanted = {0.0: 0, 0.05: round(0.05 * n_candidates), 20.0: 20}[row["budget"]]
        assert row["n_selected"] == wanted
        assert 0 <= row["PGD"] <= row["accuracy"] <= 1
    selected = {(r["strategy"], r["seed"]): r["accuracy"] for r in report.rows if r["budget"] == 20}
    assert len(set(selected.values())) > 1


def test_intervals_are_students_and_gains_are_paired(report):
    rows = {(r["strategy"], r["budget"], r["metric"]): r for r in report.summary(0.9)}
    mine = [r["PGD"] for r in report.rows if r["strategy"] == "margin" and r["budget"] == 20]
    base = [r["PGD"] for r in report.rows if r["strategy"] == "baseline"]
    found = rows["margin", 20.0, "PGD"]
    low, high = stats.t.interval(0.9, 1, loc=np.mean(mine), scale=stats.sem(mine))
    assert_allclose([found["mean"], found["low"], found["high"]], [np.mean(mine), low, high])
    gains = np.subtract(mine, base)
    low, high = stats.t.interval(0.9, 1, loc=gains.mean(), scale=stats.sem(gains))
    assert_allclose(
        [found["gain"], found["gain_low"], found["gain_high"]], [gains.mean(), low, high]
    )


def test_table_file_and_figure(report, tmp_path):
    import matplotlib

    matplotlib.use("Agg")
    table = report.table
    assert table.splitlines()[0] == (
        "| strategy | accuracy, 5 % | accuracy, 20 | PGD, 5 % | PGD, 20 | FGSM, 5 % | FGSM, 20 |"
    )
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [
        "| baseline",
        "| random",
        "| margin",
    ]
    report.to_csv(tmp_path / "report.csv")
    assert RetrainingReport.from_csv(tmp_path / "report.csv") == report
    (tmp_path / "other.csv").write_text("strategy,apfd,seconds\nrandom,0.5,0.01\n")
    with pytest.raises(ValueError, match=r"other\.csv cannot be read .* no column 'budget'"):
        RetrainingReport.from_csv(tmp_path / "other.csv")
    axes = report.plot()
    assert len(axes) == 3
    axes[0].figure.savefig(tmp_path / "report.png")
    one = RetrainingReport([r for r in report.rows if r["seed"] == 0])
    assert "±" not in one.table
    assert np.isnan(one.summary()[0]["low"])


def test_one_sample_is_not_all_of_them(tmp_path):
    spent = {"seed": 0, "n_selected": 4, "select_time": 0.1, "retrain_time": 1.0}
    given = [("baseline", 0.0, 0.5), ("gini", 1, 0.6), ("gini", 1.0, 0.7), ("gini", 20, 0.8)]
    report = RetrainingReport(
        [{"strategy": s, "budget": b, **spent, "accuracy": score} for s, b, score in given]
    )
    report.to_csv(tmp_path / "report.csv")
    for found in (report, RetrainingReport.from_csv(tmp_path / "report.csv")):
        head, body = found.cells()
        assert head == ["strategy", "accuracy, 1", "accuracy, 100 %", "accuracy, 20"]
        assert body[1] == ["gini", "60.00", "70.00", "80.00"]
    shares = RetrainingReport([row for row in report if row["budget"] in (0.0, 1.0)][::2])
    assert shares.plot()[0].get_xlabel() == "Share of the candidates (%)"


def test_the_learner_is_left_alone_and_jobs_change_nothing(learner, digits):
    before = weights(learner)
    settings = {
        "strategies": ["margin", "random"],
        "budgets": [10],
        "attacks": [],
        "epochs": 1,
    }
    one, two = (
        retraining_report(learner, digits.X_test, digits.y_test, n_jobs=n, **settings)
        for n in (None, 2)
    )
    assert [r["accuracy"] for r in one.rows] == [r["accuracy"] for r in two.rows]
    assert len(learner.history_) == 1
    assert all(torch.equal(a, b) for a, b in zip(before, weights(learner), strict=True))


@pytest.mark.parametrize(
    ("params", "error", "match"),
    [
        ({"budgets": [0.0]}, ValueError, "budget"),
        ({"budgets": [10_000]}, ValueError, "budget"),
        ({"strategies": ["marginn"]}, ValueError, "Did you mean 'margin'"),
        ({"mix": "all"}, ValueError, "'mix' parameter of .* must be"),
        ({"attacks": ["pdg"]}, ValueError, "pdg"),
        ({"strategies": [DRE(), DRE(allocation="ceil_tail")]}, ValueError,
         "strategies must have a name each, got DRE, DRE. Pass a dict"),
        ({"strategies": {"baseline": "random"}}, ValueError, "'baseline' is the model before"),
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_is_refused_before_training(learner, digits, params, error, match):
    with pytest.raises(error, match=match):
        retraining_report(learner, digits.X_test, digits.y_test, **params)


def test_variants_of_a_strategy_have_a_name_each():
    X, y = load_iris(return_X_y=True)
    learner = ActiveLearner(LogisticRegression(max_iter=500), random_state=0).fit(X[::5], y[::5])
    variants = {"of features": CoreSet(embedding="input"), "of outputs": CoreSet(embedding="proba")}
    report = retraining_report(
        learner, X, y, strategies=variants, budgets=[10], attacks=(), mix="clean"
    )
    assert [row["strategy"] for row in report] == ["baseline", "of features", "of outputs"]


@pytest.mark.parametrize("more", [[], ["--full-scale", "--start", "standard", "--attack", "pgd"]])
def test_the_example_prints_its_columns_beside_the_papers(data_root, tmp_path, more):
    import subprocess
    import sys
    from pathlib import Path

    script = Path(__file__).parent.parent / "examples" / "retrain_mnist.py"
    out = tmp_path / "rows.csv"
    small = "--n-train 60 --n-test 100 --epochs 1 --retrain-epochs 1 --steps 1 --eval-steps 1"
    command = [sys.executable, str(script), *small.split(), "--out", str(out)]
    first = subprocess.run(
        [*command, "--seeds", "0", "--strategies", "random", "--budgets", "0.04", *more],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    again = subprocess.run(
        [*command, "--table", str(out)], check=True, capture_output=True, text=True
    ).stdout
    table = [line for line in first.splitlines() if line.startswith("|")]
    assert table == again.splitlines()
    assert table[-1].startswith("| random |")
    assert "74.28" in table[-1]
    resumed = [*command, "--seeds", "0", "1", "--strategies", "random", "--budgets", "0.04", *more]
    before = out.read_text()
    told = subprocess.run([*resumed, "--resume"], check=True, capture_output=True, text=True).stdout
    assert "seed 0: trained" not in told
    assert "seed 1: trained" in told
    assert out.read_text().startswith(before)
