"""DeepFool's distances against torchattacks', foolbox's and ART's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
import torchattacks
from scipy.stats import spearmanr

from skactive.attacks import DeepFool

from .subject import images, train
from .timing import Peer, Row, absent, installed, paired, run_alone

_BATCHED = {"foolbox": 8, "art": 8}


def by_torchattacks(module, X, label) -> torch.Tensor:
    """Distances; infinite where the class has not changed."""
    moved = torchattacks.DeepFool(module, steps=50, overshoot=0.02)(X, label)
    return _distances(module, X, moved, label)


def by_foolbox(module, X, label) -> torch.Tensor:
    import foolbox

    model = foolbox.PyTorchModel(module, bounds=(0, 1))
    attack = foolbox.attacks.L2DeepFoolAttack(steps=50, overshoot=0.02)
    moved, _, _ = attack(model, X, label, epsilons=None)
    return _distances(module, X, moved, label)


def by_art(module, X, label) -> torch.Tensor:
    from art.attacks.evasion import DeepFool as ARTDeepFool
    from art.estimators.classification import PyTorchClassifier

    model = PyTorchClassifier(
        module,
        loss=torch.nn.CrossEntropyLoss(),
        input_shape=tuple(X.shape[1:]),
        nb_classes=10,
        clip_values=(0, 1),
    )
    attack = ARTDeepFool(
        model, max_iter=50, epsilon=0.02, nb_grads=10, batch_size=128, verbose=False
    )
    with contextlib.redirect_stderr(None):
        moved = torch.as_tensor(attack.generate(X.numpy()))
    return _distances(module, X, moved, label)


def _distances(module, X, moved, label) -> torch.Tensor:
    with torch.no_grad():
        fooled = module(moved).argmax(dim=1) != label
    return (moved - X).flatten(1).norm(dim=1).masked_fill(~fooled, float("inf"))


def agree(ours: torch.Tensor, theirs: torch.Tensor) -> str:
    assert torch.isfinite(ours).all(), f"{(~torch.isfinite(ours)).sum()} of ours are infinite"
    both = torch.isfinite(theirs).numpy()
    rank = spearmanr(ours.numpy()[both], theirs.detach().numpy()[both]).statistic
    said = f"Spearman {rank:.4f}, infinite: 0 of ours, {np.sum(~both)} of theirs"
    assert rank >= 0.999, said
    return said


def rows(quick: bool) -> Iterator[Row]:
    n = 16 if quick else 128
    data = images(n)
    module = train(data).module_.eval()
    X = torch.as_tensor(data.X_test[:n])
    label = module(X).argmax(dim=1)
    peers = [Peer("torchattacks", lambda: by_torchattacks(module, X, label), 25, agree)]
    for name, run in (("foolbox", by_foolbox), ("art", by_art)):
        if installed(name):
            peers.append(Peer(name, lambda run=run: run(module, X, label), _BATCHED[name], agree))
        else:
            yield absent(f"DeepFool norms, {n} images", name, _BATCHED[name])
    yield from paired(
        f"DeepFool norms, {n} images",
        lambda: DeepFool()(module, X).distance,
        peers,
        rounds=3,
        budget=60,
    )


if __name__ == "__main__":
    run_alone(rows)
