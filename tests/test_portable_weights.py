"""Weights and modules for other programs."""

import json

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM
from skactive.exceptions import DamagedFileError
from tests.models import SmallCNN, SmallMLP

safetensors = pytest.importorskip("safetensors.torch")


@pytest.fixture(scope="module")
def images(digits):
    return digits[0][:120], np.array([f"digit {label}" for label in digits[1][:120]])


def cnn(**params):
    params = {"attack": FGSM(eps=0.1), "max_epochs": 2, "random_state": 0, **params}
    return AdversarialNetClassifier(SmallCNN, **params)


def test_weights_go_to_other_programs_and_come_back(images, tmp_path):
    X, y = images
    net = cnn().fit(X, y)
    net.save_weights(tmp_path / "net.safetensors")
    stored = safetensors.load_file(tmp_path / "net.safetensors")
    assert stored.keys() == net.module_.state_dict().keys()
    plain = SmallCNN().eval()
    plain.load_state_dict(stored)
    with torch.no_grad():
        assert_array_equal(plain(torch.as_tensor(X)).argmax(1), net.predict_proba(X).argmax(1))
    fresh = cnn(random_state=1).load_weights(tmp_path / "net.safetensors")
    assert_array_equal(fresh.predict(X), net.predict(X))
    other = cnn(random_state=2).fit(X, y).load_weights(tmp_path / "net.safetensors")
    assert_array_equal(other.predict_proba(X), net.predict_proba(X))
    assert not other.optimizer_.state
    other.partial_fit(X, y)


def test_weights_that_do_not_fit_change_nothing(images, tmp_path):
    X, y = images
    net = cnn().fit(X, y)
    net.save_weights(tmp_path / "a")
    table = AdversarialNetClassifier(SmallMLP, attack=None, max_epochs=1)
    flat = X.reshape(len(X), -1)
    table.fit(flat, y)
    before = table.predict_proba(flat)
    with pytest.raises(ValueError, match="do not fit the module SmallMLP: .*1.bias"):
        table.load_weights(tmp_path / "a")
    table.fit(flat, np.arange(len(y)) % 10)
    with pytest.raises(ValueError, match="is of a net with the classes"):
        table.load_weights(tmp_path / "a")
    assert before.shape == table.predict_proba(flat).shape
    safetensors.save_file(net.module_.state_dict(), tmp_path / "bare")
    with pytest.raises(NotFittedError):
        cnn().load_weights(tmp_path / "bare")
    assert_array_equal(cnn().fit(X, y).load_weights(tmp_path / "bare").predict(X), net.predict(X))
    (tmp_path / "a").write_bytes((tmp_path / "a").read_bytes()[:100])
    with pytest.raises(DamagedFileError, match="is no safetensors file, or damaged"):
        cnn().load_weights(tmp_path / "a")
    with pytest.raises(NotFittedError):
        cnn().save_weights(tmp_path / "b")
    with pytest.raises(FileNotFoundError):
        cnn().load_weights(tmp_path / "c")


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"module": SmallMLP}, "do not fit the module SmallMLP"),
        ({"classes": range(10)}, "is of a net with the classes"),
    ],
)
def test_a_net_that_is_not_fitted_stays_so_where_a_file_is_refused(
    images, tmp_path, params, message
):
    X, y = images
    cnn().fit(X, y).save_weights(tmp_path / "a")
    net = cnn().set_params(**params)
    before = dict(vars(net))
    with pytest.raises(ValueError, match=message):
        net.load_weights(tmp_path / "a")
    assert vars(net) == before
    with pytest.raises(NotFittedError):
        net.predict(X)


def logits_of(net, X):
    with torch.no_grad():
        return net.module_.eval()(torch.as_tensor(X)).numpy()


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_torch_exports_the_module_with_what_it_expects(images, tmp_path):
    X, y = images
    net = cnn().fit(X, y)
    net.export(tmp_path / "net.pt2")
    files = {"skactive.json": ""}
    program = torch.export.load(tmp_path / "net.pt2", extra_files=files)
    for n in (1, 2, 7):
        found = program.module()(torch.as_tensor(X[:n])).detach().numpy()
        assert_allclose(found, logits_of(net, X[:n]), rtol=1e-4, atol=1e-5)
    told = json.loads(files["skactive.json"])
    assert told["classes"] == net.classes_.tolist()
    assert told["input_shape"] == [1, 8, 8]
    assert told["input_range"] == [0.0, 1.0]
    with pytest.raises(ValueError, match=r"must end in \.pt2 or \.onnx"):
        net.export(tmp_path / "net.h5")
    with pytest.raises(ValueError, match="does not know the shape"):
        AdversarialNetClassifier.from_module(SmallCNN(), classes=range(10)).export(
            tmp_path / "a.pt2"
        )


@pytest.mark.filterwarnings("ignore")
def test_onnx_computes_the_same(images, tmp_path):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxscript")
    X, y = images
    net = cnn().fit(X, y)
    net.export(tmp_path / "net.onnx")
    model = onnx.load(tmp_path / "net.onnx")
    told = json.loads({entry.key: entry.value for entry in model.metadata_props}["skactive"])
    assert told["output"] == "logits"
    run = reference.ReferenceEvaluator(model)
    for n in (1, 5):
        (found,) = run.run(None, {model.graph.input[0].name: X[:n]})
        assert_allclose(found, logits_of(net, X[:n]), rtol=1e-3, atol=1e-4)
