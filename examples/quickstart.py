"""The main job on embedded data, in a few minutes: pick digits to label, train, measure.

Random sampling and DRE, standard and adversarial training, on scikit-learn's 8×8 digits: 100 labels
to start with, 50 more in each of four rounds, accuracy and robust accuracy (PGD) after each.

    python examples/quickstart.py
"""

import argparse
import csv
from pathlib import Path

import numpy as np
import torch

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import load_digits
from skactive.metrics import robust_accuracy_score
from skactive.networks import LeNet5

EPS = 0.15  # L-inf radius; pixels are in [0, 1]


def run(mode, strategy, data, n_rounds, seed):
    net = AdversarialNetClassifier(
        LeNet5,
        attack=PGD(eps=EPS, steps=7) if mode == "adversarial" else None,
        batch_size=50,
        max_epochs=30,
        random_state=seed,
    )
    learner = ActiveLearner(net, strategy, random_state=seed)
    start = np.random.default_rng(seed).choice(len(data.X_train), 100, replace=False)
    learner.fit(data.X_train[start], data.y_train[start])
    unlabeled = np.ones(len(data.X_train), dtype=bool)
    unlabeled[start] = False
    for number in range(n_rounds + 1):
        if number > 0:
            idx, X_new = learner.query(data.X_train, n=50, candidates=unlabeled)
            learner.teach(X_new, data.y_train[idx])
            unlabeled[idx] = False
        accuracy = learner.score(data.X_test, data.y_test)
        robust = robust_accuracy_score(
            learner, data.X_test, data.y_test, PGD(eps=EPS, steps=20), random_state=0
        )
        print(
            f"{mode:<11} {strategy:<7} round {number}: {learner.history_[-1]['n_labels']:>4} "
            f"labels, accuracy {accuracy:.1%}, robust accuracy {robust:.1%}",
            flush=True,
        )
    return accuracy, robust


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, help="also write the last round to this CSV file")
    args = parser.parse_args()
    torch.set_num_threads(min(2, torch.get_num_threads()))
    data = load_digits(random_state=0)
    results = {
        (mode, strategy): run(mode, strategy, data, args.rounds, args.seed)
        for mode in ("standard", "adversarial")
        for strategy in ("random", "dre")
    }
    print(f"\n{100 + 50 * args.rounds} labels, PGD-20 at eps {EPS}:")
    print(f"{'training':<12} {'strategy':<9} {'accuracy':>9} {'robust accuracy':>16}")
    for (mode, strategy), (accuracy, robust) in results.items():
        print(f"{mode:<12} {strategy:<9} {accuracy:>9.1%} {robust:>16.1%}")
    if args.out:
        with args.out.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["training", "strategy", "seed", "accuracy", "robust_accuracy"])
            writer.writerows([*key, args.seed, *scores] for key, scores in results.items())


if __name__ == "__main__":
    main()
