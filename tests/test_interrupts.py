"""Ctrl-C at any line of a pass over a net, and the net afterwards."""

import signal
import sys

import numpy as np
import pytest
import torch
from skorch import NeuralNetClassifier
from torch import nn

from skactive.attacks import PGD, TorchAttack
from skactive.metrics import robust_accuracy_score
from skactive.strategies import resolve_strategy
from skactive.utils.alone import ALONE
from tests.models import SmallCNN


def interrupted_at(line, function):
    """Run `function` with Ctrl-C at the n-th line of ours or of contextlib; how many there were."""
    count = 0

    def trace(frame, event, arg):
        nonlocal count
        path = frame.f_code.co_filename
        if "/skactive/" not in path and "contextlib" not in path:
            return None
        if event == "line":
            count += 1
            if count == line:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        function()
    except KeyboardInterrupt:
        pass
    finally:
        sys.settrace(before)
    return count


def sampled_lines(function, n):
    """Numbers of up to `n` of the lines that `function` executes, evenly spread."""
    return np.unique(np.linspace(1, interrupted_at(0, function), n).astype(int)).tolist()


def state(module):
    return (
        [sub.training for sub in module.modules()],
        [(p.requires_grad, p.grad is None) for p in module.parameters()],
        [len(sub._forward_hooks) + len(sub._forward_pre_hooks) for sub in module.modules()],
        [sorted(sub.__dict__) for sub in module.modules()],
        [value.tolist() for value in module.state_dict().values()],
    )


def query(name):
    strategy = resolve_strategy(name)
    strategy.set_params(random_state=0)
    return lambda net, X, y: strategy.query(net, X, 3)


PASSES = {
    **{
        name: query(name)
        for name in ("entropy", "badge", "bald", "egl", "dfal", "low_input_gradient")
    },
    "many rows": lambda net, X, y: query("margin")(net, np.tile(X, (110, 1, 1, 1)), y),
    "torchattacks": lambda net, X, y: robust_accuracy_score(net, X, y, TorchAttack("FFGSM")),
    "attack": lambda net, X, y: robust_accuracy_score(net, X, y, PGD(eps=0.1, steps=2)),
}


@pytest.mark.parametrize("kind", PASSES)
def test_an_interrupted_pass_leaves_the_net_as_it_was(digits, kind):
    X, y = digits[0][:10], digits[1][:10]
    torch.manual_seed(0)
    net = NeuralNetClassifier(
        SmallCNN, criterion=nn.CrossEntropyLoss, max_epochs=1, verbose=0, train_split=None
    ).fit(X, y)
    net.module_[1].eval()
    before, generator = state(net.module_), torch.random.get_rng_state()
    for line in sampled_lines(lambda: PASSES[kind](net, X, y), 60):
        interrupted_at(line, lambda: PASSES[kind](net, X, y))
        assert state(net.module_) == before, line
        assert torch.equal(torch.random.get_rng_state(), generator), line
        assert torch.is_grad_enabled(), line
        assert not torch.is_inference_mode_enabled(), line
        assert not ALONE._is_owned(), line
