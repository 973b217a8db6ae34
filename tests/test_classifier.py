"""The adversarially trained net: contract, training, labels, random numbers, errors."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.dataset import Dataset, ValidSplit
from skorch.helper import predefined_split
from torch import nn

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, TorchAttack
from skactive.callbacks import BestEpoch
from skactive.metrics import robust_accuracy_score
from tests.models import SmallCNN, SmallMLP

IMPOSSIBLE = {
    "check_no_attributes_set_in_init": "skorch sets history_ and others in its constructor",
    "check_sample_weight_equivalence_on_dense_data": "float32 sums differ by 1e-7, the check's "
    "tolerance; see test_sample_weight_counts",
}


def tabular(**params):
    params = {"attack": None, "max_epochs": 60, "lr": 0.02, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallMLP, **params)


@parametrize_with_checks([tabular()], expected_failed_checks=lambda estimator: IMPOSSIBLE)
def test_sklearn_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def images(digits):
    X, y = digits
    return X[:300], y[:300], X[300:500], y[300:500]


def cnn(**params):
    params = {"attack": None, "max_epochs": 2, "lr": 0.01, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.module_.state_dict().values()])


@pytest.mark.parametrize("labels", [lambda y: y, lambda y: np.array(list("abcdefghij"))[y]])
def test_a_stratified_validation_part_is_held_out_and_counted(images, labels):
    X, y, *_ = images
    net = cnn(train_split=ValidSplit(5, stratified=True), max_epochs=1).fit(X, labels(y))
    assert "valid_loss" in net.history[0]
    assert net.n_validation_labels_ == 60
    assert cnn(max_epochs=1).fit(X, labels(y)).n_validation_labels_ == 0


@pytest.mark.parametrize("labels", [lambda y: y, lambda y: np.array(list("abcdefghij"))[y]])
def test_a_validation_set_of_ones_own_is_read_and_counted(images, labels):
    X, y, X_valid, y_valid = images
    given = Dataset(X_valid, labels(y_valid))
    net = cnn(train_split=predefined_split(given)).fit(X, labels(y))
    assert net.n_validation_labels_ == len(y_valid)
    proba = net.predict_proba(X_valid)[np.arange(len(y_valid)), y_valid]
    assert_allclose(net.history[-1, "valid_loss"], -np.log(proba).mean(), rtol=1e-4)


def test_adversarial_training_buys_robustness(images):
    X, y, X_test, y_test = images
    attack = PGD(eps=0.1, steps=5)
    standard = cnn(max_epochs=15).fit(X, y)
    robust = cnn(max_epochs=15, attack=attack).fit(X, y)
    score = {
        name: robust_accuracy_score(net, X_test, y_test, PGD(eps=0.1, steps=10))
        for name, net in (("standard", standard), ("robust", robust))
    }
    assert standard.score(X_test, y_test) > 0.8
    assert score["robust"] > score["standard"] + 0.2


@pytest.mark.parametrize(
    "attack", [None, PGD(eps=0.1, steps=2), TorchAttack("FFGSM", eps=0.1, alpha=0.12)]
)
def test_two_fits_are_equal_bit_by_bit_and_the_globals_untouched(images, attack):
    X, y, *_ = images
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first = cnn(attack=attack).fit(X, y)
    second = cnn(attack=attack).fit(X, y)
    assert torch.equal(weights(first), weights(second))
    assert not torch.equal(weights(first), weights(cnn(attack=attack, random_state=1).fit(X, y)))
    assert torch.equal(before, torch.random.get_rng_state())
    assert_array_equal(numpy_before, np.random.get_state()[1])


def test_partial_fit_goes_on_and_repeats(images):
    X, y, *_ = images

    def run():
        net = cnn().fit(X, y)
        net.partial_fit(X, y)
        return net

    net = run()
    assert torch.equal(weights(net), weights(run()))
    step = next(iter(net.optimizer_.state.values()))["step"]
    assert step == 2 * 2 * 3  # two calls, two epochs, three batches: the optimiser went on
    assert len(net.history) == 4
    net.fit(X, y)
    assert next(iter(net.optimizer_.state.values()))["step"] == 2 * 3


def test_warm_start_keeps_weights_and_optimiser(images):
    X, y, *_ = images
    net = cnn(warm_start=True).fit(X, y).fit(X, y)
    assert next(iter(net.optimizer_.state.values()))["step"] == 12


@pytest.mark.parametrize("loss", ["adversarial", "trades", "mart"])
def test_batchnorm_sees_each_batch_once(images, loss):
    X, y, *_ = images
    net = cnn(attack=PGD(eps=0.1, steps=3), loss=loss, max_epochs=1).fit(X, y)
    assert int(net.module_[1].num_batches_tracked) == 3


@pytest.mark.parametrize("loss", ["trades", "mart"])
def test_other_losses_train_and_are_robust(images, loss):
    X, y, X_test, y_test = images
    net = cnn(attack=PGD(eps=0.1, steps=4), loss=loss, max_epochs=15)
    net.set_params(loss__beta=3.0).fit(X, y)
    assert net.loss.beta == 3.0
    assert net.score(X_test, y_test) > 0.6
    assert robust_accuracy_score(net, X_test, y_test, PGD(eps=0.1)) > 0.25


def test_training_equals_a_hand_written_loop(images):
    X, y, *_ = images
    net = cnn(attack=FGSM(eps=0.1), max_epochs=1, iterator_train__shuffle=False, lr=0.1,
              optimizer=torch.optim.SGD)  # fmt: skip
    net.fit(X, y)
    start = cnn(attack=None, max_epochs=0).fit(X, y)
    module = copy.deepcopy(start.module_)
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for rows in (slice(0, 100), slice(100, 200), slice(200, 300)):
        x, target = torch.as_tensor(X[rows]), torch.as_tensor(y[rows])
        module.eval()
        x_grad = x.clone().requires_grad_(True)
        nn.functional.cross_entropy(module(x_grad), target, reduction="sum").backward()
        attacked = (x + 0.1 * x_grad.grad.sign()).clamp(0, 1)
        module.train()
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(attacked), target).backward()
        optimizer.step()
    for key, value in module.state_dict().items():
        torch.testing.assert_close(value, net.module_.state_dict()[key], rtol=1e-4, atol=1e-5)


def test_attack_parameters_are_set_searched_and_cloned(images):
    X, y, *_ = images
    attack = PGD(eps=0.1, steps=1)
    net = cnn(attack=attack, max_epochs=1)
    assert net.get_params()["attack__eps"] == 0.1
    assert clone(net).set_params(attack__eps=0.2).attack.eps == 0.2
    assert attack.eps == 0.1
    net.fit(X, y)
    before = weights(net)
    net.set_params(attack__eps=0.3)
    assert torch.equal(before, weights(net))
    net.partial_fit(X, y)
    assert net.attack_.eps == 0.3
    search = GridSearchCV(cnn(attack="pgd", max_epochs=1), {"attack__eps": [0.01, 0.1]}, cv=2)
    search.fit(X[:60], y[:60] % 2)
    assert search.best_estimator_.attack_.eps in (0.01, 0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: cnn(attack=PGD()).set_params(attack__epss=0.1), "Invalid parameter 'epss'.*eps"),
        (lambda: cnn(attack=TorchAttack("PGD")).set_params(attack__epss=1), "no parameter epss"),
        (lambda: cnn(attack=TorchAttack("PGD", epss=1)), "no parameter epss; it has eps"),
        (lambda: cnn(attack="pgd", attack__epss=0.1), "attack__epss is no constructor argument"),
        (lambda: cnn(attack=None).set_params(attack__eps=0.1), "attack is None"),
        (lambda: cnn(attack="pdg"), "There is no attack 'pdg'. Did you mean 'pgd'"),
        (lambda: cnn(attack=PGD(eps=-1)), "'eps' parameter of PGD must be a positive"),
        (lambda: cnn(attack=PGD(steps=0)), "'steps' parameter of PGD must be an int in"),
        (lambda: cnn(loss="mrat"), "There is no loss 'mrat'. Did you mean 'mart'"),
        (lambda: cnn(loss="trades"), "needs an attack"),
        (lambda: cnn(callbacks=[BestEpoch("best")]), "'monitor' parameter"),
        (lambda: cnn(callbacks=[BestEpoch("robust")]), "needs an attack"),
        (lambda: cnn(max_epoch=3), "max_epoch"),
        (
            lambda: cnn(callbacks=[BestEpoch("clean", validation_fraction=1.5)]),
            "validation_fraction",
        ),
        (lambda: cnn(callbacks=[BestEpoch("clean", patience=0)]), "patience"),
        (lambda: cnn(random_state=-1), "random_state"),
    ],
)
def test_bad_parameters_are_refused_before_training(images, make, message):
    X, y, *_ = images
    with pytest.raises(ValueError, match=message):
        make().fit(X, y)


@pytest.mark.parametrize(
    "labels", [list("abcdefghij"), [f"n{i}" for i in range(10)], range(10, 20)]
)
def test_labels_of_any_kind(images, labels):
    X, y, X_test, _ = images
    named = np.asarray(labels, dtype=object if isinstance(labels[0], str) else None)[y]
    net = cnn().fit(X, named)
    assert_array_equal(net.classes_, np.unique(named))
    assert set(net.predict(X_test)) <= set(named)
    assert_array_equal(net.predict(X_test), net.classes_[net.predict_proba(X_test).argmax(1)])


def test_declared_classes_and_those_that_never_shrink(images):
    X, y, X_test, _ = images
    known = y < 8
    net = cnn(classes=range(10)).fit(X[known], y[known])
    assert net.predict_proba(X_test).shape == (200, 10)
    net.partial_fit(X[y == 9], y[y == 9])
    assert_array_equal(net.classes_, range(10))
    small = cnn().fit(X[known], y[known])
    assert small.module_[-1].out_features == 8
    with pytest.raises(ValueError, match=r"does not know: \[8, 9\].*classes="):
        small.partial_fit(X, y)
    assert small.predict_proba(X_test).shape == (200, 8)


@pytest.mark.parametrize("mode", ["clean", "robust"])
def test_the_best_epoch_is_kept_and_its_labels_counted(images, mode):
    X, y, X_test, y_test = images
    net = cnn(attack=PGD(eps=0.1, steps=2), callbacks=[BestEpoch(mode, patience=20)], max_epochs=6)
    net.fit(X, y)
    assert net.n_validation_labels_ == 30
    scores = net.history[:, f"valid_{mode}_acc"]
    assert len(scores) == 6
    given = clone(net).set_params(callbacks__best_epoch__data=(X_test, y_test)).fit(X, y)
    assert given.n_validation_labels_ == 200
    if mode == "clean":
        best = max(given.history[:, "valid_clean_acc"])
        assert given.score(X_test, y_test) == pytest.approx(best)


def test_patience_ends_training_early(images):
    X, y, *_ = images
    net = cnn(callbacks=[BestEpoch("clean", patience=2)], max_epochs=40, lr=1e-8).fit(X, y)
    assert len(net.history) == 3


def test_skorch_callbacks_still_stop_the_training(images):
    from skorch.callbacks import EarlyStopping

    X, y, *_ = images
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=10)
    net = cnn(callbacks=[stop], max_epochs=20).fit(X, y)
    assert len(net.history) < 20


class Interrupting(SmallCNN):
    """Interrupts the fifth training batch."""

    calls = 0

    def forward(self, X):
        if self.training:
            Interrupting.calls += 1
            if Interrupting.calls == 5:
                raise KeyboardInterrupt
        return super().forward(X)


def test_ctrl_c_reaches_the_script_and_leaves_a_usable_net(images):
    X, y, X_test, _ = images
    net = AdversarialNetClassifier(Interrupting, attack=None, random_state=0)
    with pytest.raises(KeyboardInterrupt):
        net.fit(X, y)
    assert net.predict(X_test).shape == (200,)
    net.partial_fit(X, y)


def test_prediction_is_batched_and_leaves_the_mode(images):
    X, y, X_test, _ = images
    net = cnn().fit(X, y)
    net.module_.train()
    whole = net.predict_proba(X_test)
    assert net.module_.training
    net.set_params(iterator_valid__batch_size=7)
    assert_allclose(whole, net.predict_proba(X_test), rtol=1e-4, atol=1e-6)
    assert_allclose(whole.sum(axis=1), 1, rtol=1e-5)


def test_bytes_tensors_datasets_and_frames_are_read(images):
    X, y, *_ = images
    reference = cnn().fit((X * 255).round().astype(np.uint8) / np.float32(255), y)
    from_bytes = cnn().fit((X * 255).round().astype(np.uint8), y)
    assert torch.equal(weights(reference), weights(from_bytes))
    plain = cnn().fit(X, y)
    pairs = torch.utils.data.TensorDataset(torch.as_tensor(X), torch.as_tensor(y))
    assert torch.equal(weights(plain), weights(cnn().fit(pairs)))
    assert torch.equal(weights(plain), weights(cnn().fit(torch.as_tensor(X), torch.as_tensor(y))))
    pd = pytest.importorskip("pandas")
    flat = X.reshape(300, -1)
    frame = pd.DataFrame(flat, columns=[f"p{i}" for i in range(64)])
    net = tabular(max_epochs=1).fit(frame, y)
    assert_array_equal(net.feature_names_in_, frame.columns)
    assert torch.equal(weights(net), weights(tabular(max_epochs=1).fit(flat, y)))


def test_sample_weight_counts(images):
    X, y, *_ = images
    first = y < 5
    ones = cnn().fit(X, y, sample_weight=np.ones(300))
    assert_allclose(weights(ones), weights(cnn().fit(X, y)), rtol=1e-3, atol=1e-4)
    repeated = cnn(max_epochs=5, batch_size=600).fit(np.r_[X, X[first]], np.r_[y, y[first]])
    weighted = cnn(max_epochs=5, batch_size=600)
    weighted.fit(X, y, sample_weight=1 + first)
    assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=0.1)
    net = cnn(max_epochs=10).fit(X, y, sample_weight=first.astype(float))
    assert set(net.predict(X)) <= set(range(5))
    with pytest.raises(ValueError, match="sample_weight must hold"):
        cnn().fit(X, y, sample_weight=np.ones(3))


@pytest.mark.parametrize("how", ["pickle", "deepcopy"])
def test_copies_predict_and_train_the_same(images, how):
    X, y, X_test, _ = images
    net = cnn(attack=PGD(eps=0.1, steps=1)).fit(X, y)
    other = pickle.loads(pickle.dumps(net)) if how == "pickle" else copy.deepcopy(net)
    assert_array_equal(net.predict_proba(X_test), other.predict_proba(X_test))
    assert torch.equal(weights(net.partial_fit(X, y)), weights(other.partial_fit(X, y)))


def test_in_pipelines_and_cross_validation():
    X, y = make_classification(200, 8, random_state=0)
    pipe = make_pipeline(MinMaxScaler(clip=True), tabular(attack=PGD(eps=0.05, steps=2)))
    assert cross_val_score(pipe, X, y, cv=2).mean() > 0.7


def test_a_last_batch_of_one_sample_is_trained_on(images):
    X, y, *_ = images
    net = cnn(max_epochs=1).fit(X[:201], y[:201])
    assert int(net.module_[1].num_batches_tracked) == 2


class WithSoftmax(SmallCNN):
    def forward(self, X):
        return super().forward(X).softmax(dim=1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X, y: (X + 0.5, y), r"X has values in .* works in \[0, 1\].*bounds="),
        (lambda X, y: (np.where(X > 0.9, np.nan, X), y), "NaN"),
        (lambda X, y: (np.where(X > 0.9, np.inf, X), y), "infinity"),
        (lambda X, y: (X[:10], y), "inconsistent numbers of samples"),
        (lambda X, y: (X[:0], y[:0]), "0 sample"),
        (lambda X, y: (X, None), "requires y to be passed"),
        (lambda X, y: (X, np.linspace(0, 1, len(y))), "Unknown label type"),
    ],
)
def test_bad_data_is_refused_before_training(images, change, message):
    X, y, *_ = images
    with pytest.raises(ValueError, match=message):
        cnn(attack=PGD()).fit(*change(X, y))


def test_modules_that_do_not_fit_are_refused_before_training(images):
    X, y, *_ = images
    flat = X.reshape(300, -1)
    with pytest.raises(ValueError, match="returns probabilities.*Remove the softmax"):
        AdversarialNetClassifier(WithSoftmax, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match=r"logits of shape \(8, 10\).*classes="):
        AdversarialNetClassifier(
            nn.Linear, module__in_features=64, module__out_features=12, random_state=0
        ).fit(flat, y)


def test_prediction_data_that_does_not_fit_is_refused(images):
    X, y, X_test, _ = images
    robust = cnn(attack=PGD(eps=0.1, steps=1)).fit(X, y)
    with pytest.raises(ValueError, match=r"values in \[0, 255\].*works in \[0, 1\]"):
        robust.predict(X_test * 255)
    net = cnn().fit(X, y)
    assert net.predict(X_test * 255).shape == (200,)
    with pytest.raises(ValueError, match=r"\(1, 8, 4\).*\(1, 8, 8\)"):
        net.predict(X_test[..., :4])
    with pytest.raises(ValueError, match="NaN"):
        net.predict(np.where(X_test > 0.9, np.nan, X_test))
    import scipy.sparse as sp

    with pytest.raises(TypeError, match=r"Sparse data.*toarray"):
        tabular(max_epochs=1).fit(X.reshape(300, -1), y).predict(sp.csr_matrix(X[:, 0, 0]))


def test_channels_last_gives_the_same_net(images):
    X, y, X_test, _ = images
    last = cnn(channels_last=True).fit(X, y)
    assert_allclose(last.predict_proba(X_test), cnn().fit(X, y).predict_proba(X_test), atol=1e-2)


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # torch's own, in dynamo
def test_a_compiled_module_trains_and_predicts(images):
    X, y, X_test, _ = images
    compiled = cnn(compile=True, compile__backend="eager", attack=PGD(eps=0.1, steps=1))
    plain = cnn(attack=PGD(eps=0.1, steps=1))
    assert_allclose(
        compiled.fit(X, y).predict_proba(X_test), plain.fit(X, y).predict_proba(X_test), atol=1e-3
    )
