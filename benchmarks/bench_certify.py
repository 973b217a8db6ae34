"""Certificates: how long they take, and what they save an attack, which leaves out what is proved.

ConvSmall, trained by IBP on MNIST for a minute; both ways of a report say the same of every sample.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np
import torch

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD, Attack, AutoAttack
from skactive.bounds import Certifier
from skactive.datasets import ImageDataset, load_dataset
from skactive.losses import IBP
from skactive.metrics import RobustnessReport, certified_accuracy_score, robustness_report
from skactive.networks import ConvSmall

from .timing import Peer, Row, paired, run_alone, same_picks, within

SECONDS = 10  # that certifying 10,000 images may take


def images() -> tuple[ImageDataset, float]:
    """MNIST at 28×28 and ε = .3 where it is to be had, else digits and .1."""
    try:
        return load_dataset("mnist", size=28, n_train=10_000), 0.3
    except FileNotFoundError as error:
        print(f"digits instead of MNIST: {error}")
        return load_dataset("digits"), 0.1


def certified_net(data: ImageDataset, eps: float, epochs: int) -> AdversarialNetClassifier:
    torch.set_num_threads(1)
    net = AdversarialNetClassifier(
        ConvSmall, attack=None, loss=IBP(eps), optimizer=torch.optim.Adam, lr=1e-3, batch_size=100,
        max_epochs=epochs, random_state=0,
    )  # fmt: skip
    return net.fit(data.X_train, data.y_train)


def spared(
    net: AdversarialNetClassifier,
    X: np.ndarray,
    y: np.ndarray,
    attack: Attack,
    method: str,
    apart: int = 0,
) -> Iterator[Row]:
    """An attack on all samples, and on those that are not certified; `apart`: by chance."""

    def agree(ours: RobustnessReport, theirs: RobustnessReport) -> str:
        assert ours.certified is not None
        assert (ours.certified <= theirs.correct).all(), "a certified sample was broken"
        differ = int((ours.correct != theirs.correct).sum())
        assert differ <= apart, f"{differ} samples differ"
        shares = (ours.accuracy, ours.robust_accuracy, ours.certified_accuracy)
        return f"{' ≥ '.join(f'{share:.1%}' for share in shares)}; {differ} of {len(y)} differ"

    yield from paired(
        f"{attack.name}, {len(y)} images, after certificates ({method})",
        lambda: robustness_report(net, X, y, attack, certify=method),
        [Peer("all attacked", lambda: robustness_report(net, X, y, attack), None, agree)],
        rounds=3,
        budget=30,
    )


def rows(quick: bool) -> Iterator[Row]:
    data, eps = images()
    net = certified_net(data, eps, 1 if quick else 20)
    n = 200 if quick else len(data.X_test)
    X, y = data.X_test[:n], data.y_test[:n]
    begin = time.process_time()
    score = certified_accuracy_score(net, X, y, eps=eps)
    used = time.process_time() - begin
    label = f"certified accuracy of {n:,} images: {score:.1%}"
    yield within(label, f"{SECONDS} s", SECONDS, used, "CPU s")

    few = torch.as_tensor(X[:500])
    module, labels = net.module_, torch.as_tensor(y[:500], dtype=torch.int64)
    yield from paired(
        "CROWN where intervals prove nothing, 500 images",
        lambda: Certifier(module, eps, method="crown").certified(few, labels).nonzero()[:, 0],
        [Peer("CROWN everywhere",
              lambda: (Certifier(module, eps, method="crown").margins(few, labels) > 0)
              .nonzero()[:, 0], None, same_picks)],
        rounds=3,
    )  # fmt: skip
    n = 20 if quick else 500
    steps = PGD(eps, alpha=eps / 30, steps=50, random_start=False)
    for method in ("ibp", "crown"):
        yield from spared(net, X[:n], y[:n], steps, method)
    n = 10 if quick else 60
    version = "fast" if quick else "standard"
    yield from spared(net, X[:n], y[:n], AutoAttack(eps, version=version), "ibp", apart=1)


if __name__ == "__main__":
    run_alone(rows)
