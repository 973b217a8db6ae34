"""Names that other libraries do not promise to keep: used in one place, and still there."""

import ast
import inspect
import re
import threading
import warnings
from pathlib import Path

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, TunedThresholdClassifierCV
from skorch import NeuralNet, NeuralNetClassifier
from skorch.hf import AccelerateMixin
from torch import nn

import skactive
from skactive.utils import compat

ROOT = Path(skactive.__file__).parent
THE_TWO = {"utils/compat.py", "utils/validation.py"}
# Documented, whatever the underscore: methods of a named tuple, scikit-learn's row indexing, its
# constraints and BaseEstimator's way to show itself; names inside
# CIFAR-10's pickled files and skops' schemas.
DOCUMENTED = {"_replace", "_safe_indexing", "_parameter_constraints"}
IN_FILES = {"datasets/_cifar10.py", "persistence/_sklearn.py"}
PRIVATE = re.compile(r"_[A-Za-z]\w*")


def private_names(tree):
    """Private names that a file defines, and those that it uses: attributes, imports, strings."""
    defined, used = set(), set()
    for node in ast.walk(tree):
        match node:
            case (
                ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
            ):
                defined.add(name)
            case ast.arg(arg=str(name)) | ast.keyword(arg=str(name)):
                defined.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name) | ast.Constant(value=str(name)):
                used.add(name)
            case ast.ImportFrom(level=0, module=module, names=names):
                used.update([*module.split("."), *(alias.name for alias in names)])
            case ast.Import(names=names):
                used.update(part for alias in names for part in alias.name.split("."))
    return defined, {name for name in used if PRIVATE.fullmatch(name)}


TREES = {
    str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8"))
    for path in ROOT.rglob("*.py")
}
FOUND = {path: private_names(tree) for path, tree in TREES.items()}
OWN = {name for defined, _ in FOUND.values() for name in defined}
FILES = {Path(path).stem for path in FOUND} | {Path(path).parent.name for path in FOUND}
# Own methods called so would hide that skorch's and scikit-learn's are meant.
FOREIGN = {
    "_get_param_names",
    "_initialize_accelerator",
    "_metadata_request",
    "_routing_method",
    "_validate_params",
}


@pytest.mark.parametrize("path", sorted(set(FOUND) - THE_TWO - IN_FILES))
def test_no_private_name_of_another_library(path):
    defined, used = FOUND[path]
    own = OWN - FOREIGN | FILES | DOCUMENTED
    foreign = (used - own) | (FOREIGN & (used | defined))
    assert foreign <= compat.PRIVATE_OVERRIDES.get(path, set()), (
        f"{path} uses private names of other libraries: {sorted(foreign)}. Put them into "
        "skactive/utils/compat.py, with a line that says why."
    )


# What breaks when one of them is gone, one test each: its name says it.


@pytest.fixture
def net():
    return NeuralNetClassifier(nn.Linear, module__in_features=4, module__out_features=2)


def test_parameters_would_not_be_validated():
    from sklearn.utils._param_validation import (  # noqa: F401
        HasMethods,
        Interval,
        StrOptions,
        validate_parameter_constraints,
    )


def test_a_search_would_not_be_looked_into():
    model = LogisticRegression()
    searches = [GridSearchCV(model, {}), RandomizedSearchCV(model, {})]
    assert all(map(compat.is_search, searches))
    assert not any(map(compat.is_search, [model, TunedThresholdClassifierCV(model)]))


def test_a_failed_training_could_not_be_undone_and_nets_would_not_change_mode(net):
    net.initialize()
    assert list(compat.parts_of(net)) == [net.module_, net.criterion_]
    assert compat.optimizers_of(net) == [net.optimizer_]
    for training in (True, False):
        compat.set_training(net, training)
        assert net.module_.training is net.criterion_.training is training


def test_sample_weights_of_partial_fit_would_be_routed_as_those_of_fit():
    given = {}

    class Loop(NeuralNet):
        def fit_loop(self, X, y=None, epochs=None, *, _routing_method="fit", **fit_params):
            given.update(fit_params, method=_routing_method)

    compat.fit_loop(Loop(nn.Linear, nn.MSELoss), None, "partial_fit", group=1)
    assert given == {"method": "partial_fit", "group": 1}
    parameters = inspect.signature(NeuralNet.fit_loop).parameters
    assert "_routing_method" in parameters


def test_a_parameter_of_the_attack_given_to_the_net_would_pass_unseen():
    names = compat.given_names(NeuralNet(nn.Linear, nn.MSELoss, attack__eps=1))
    assert names == {"attack__eps"}
    names.add("iterator_train__drop_last")


def test_a_nets_parameters_would_not_be_those_of_its_attack():
    for name in ("_get_param_names", "_validate_params"):
        assert callable(getattr(NeuralNet, name))


def test_several_processes_would_each_train_a_net_of_their_own():
    assert callable(AccelerateMixin._initialize_accelerator)


def test_compiled_modules_would_be_copied_and_run_without_hooks():
    plain = nn.Linear(2, 2)
    compiled = torch.compile(plain)
    assert compat.uncompiled(compiled) is plain
    assert compat.uncompiled(plain) is plain
    in_place = nn.Linear(2, 2)
    in_place.compile()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch is leaving TorchScript
        scripted = torch.jit.script(nn.Linear(2, 2))
    assert all(map(compat.is_compiled, [compiled, in_place, scripted]))
    assert not compat.is_compiled(plain)


def test_a_private_copy_would_not_share_its_weights():
    layer = nn.BatchNorm1d(2)
    parameters, buffers = compat.tensors_of(layer)
    assert list(parameters) == list(layer.parameters())
    assert list(buffers) == list(layer.buffers())
    assert list(compat.tensors_of(nn.Linear(2, 2, bias=False))[0])[1] is None


def test_layers_with_hooks_would_be_folded():
    layer = nn.Linear(2, 2)
    assert not compat.is_hooked(layer)
    for register in (layer.register_forward_hook, layer.register_forward_pre_hook):
        handle = register(lambda *args: None)
        assert compat.is_hooked(layer)
        handle.remove()
    assert compat.is_hooked(nn.utils.parametrizations.orthogonal(layer))


def test_own_backward_passes_would_run_inside_torch_func():
    seen = []

    def square(x):
        seen.append(compat.is_transformed())
        return (x * x).sum()

    square(torch.ones(2))
    torch.func.grad(square)(torch.ones(2))
    assert seen == [False, True]


def test_batch_norms_statistics_would_not_be_renewed():
    kinds = {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm}
    assert set(compat.BATCH_NORMS) == kinds


def test_a_child_of_a_fork_would_wait_for_a_thread_that_it_does_not_have():
    lock = threading.RLock()
    thread = threading.Thread(target=lock.acquire)
    thread.start()
    thread.join()
    assert not lock.acquire(blocking=False)
    compat.free_in_child(lock)
    assert lock.acquire(blocking=False)
    compat.free_in_child(lock)  # its owner: nothing to do
    lock.release()


def test_a_study_would_not_go_on_after_a_killed_worker():
    from concurrent.futures.process import BrokenProcessPool

    assert issubclass(compat.TerminatedWorkerError, BrokenProcessPool)
