"""Robust active learning on MNIST, as in the DRE paper, at a scale of your choosing.

LeNet-5 on 32×32 MNIST, 200 labels to start with, 200 more a round, PGD adversarial training at
ε = .3. The model of round 0 is trained standardly and is the same for every strategy; later rounds
go on from its weights (warm start), adversarially or, with ``--mode standard``, not.

    python examples/robust_mnist.py --rounds 4 --mode standard robust --strategy random dre

The results, a row a round with the label ledger, are written to a CSV file as the rounds end. At
the paper's full scale: ``--rounds 24 --epochs 10 --steps 40 --alpha 0.01``.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.datasets import load_mnist
from skactive.metrics import robust_accuracy_score
from skactive.networks import LeNet5

COLUMNS = [
    "mode", "strategy", "seed", "round", "n_labels", "pseudo", "adversarial", "validation",
    "accuracy", "robust_accuracy", "query_time", "fit_time", "eval_time",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--strategy", nargs="+", default=["random", "dre"], help="names of query strategies")
    add("--mode", nargs="+", default=["standard", "robust"], choices=["standard", "robust"])
    add("--seed", nargs="+", type=int, default=[0])
    add("--rounds", type=int, default=4)
    add("--initial", type=int, default=200, help="labels to start with")
    add("--per-round", type=int, default=200, help="labels bought each round")
    add("--epochs", type=int, default=10, help="epochs a round")
    add("--eps", type=float, default=0.3, help="L-inf radius, images in [0, 1]")
    add("--steps", type=int, default=40, help="steps of the training attack")
    add("--alpha", type=float, default=None, help="step size (default 2.5 · eps / steps)")
    add("--eval-steps", type=int, default=50, help="steps of the evaluating PGD attack")
    add("--n-test", type=int, default=1000, help="test images")
    add("--n-pool", type=int, default=None, help="pool size (default: all 60,000)")
    add("--device", default="cpu")
    add("--threads", type=int, default=2)
    add("--out", type=Path, default=Path("robust_mnist.csv"))
    return parser.parse_args()


def progress(total, label):
    """A tqdm bar when tqdm is there, else something that is silent."""
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return type("Silent", (), {"update": lambda self: None, "close": lambda self: None})()
    return tqdm(total=total, desc=label, unit="round")


def start_learner(args, data, strategy, seed, start):
    """A learner after round 0: standard training on the first labels."""
    net = AdversarialNetClassifier(
        LeNet5,
        attack=None,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=100,
        max_epochs=args.epochs,
        device=args.device,
        random_state=seed,
    )
    learner = ActiveLearner(net, strategy, warm_start=True, random_state=seed)
    return learner.fit(data.X_train[start], data.y_train[start])


def evaluate(args, learner, data, seed):
    attack = PGD(eps=args.eps, alpha=0.01, steps=args.eval_steps, stop_when_fooled=True)
    return {
        "accuracy": learner.score(data.X_test, data.y_test),
        "robust_accuracy": robust_accuracy_score(
            learner, data.X_test, data.y_test, attack, random_state=seed
        ),
    }


def run(args, data, mode, strategy, seed):
    """Yield a row for each round."""
    rng = np.random.default_rng(seed)
    start = rng.choice(len(data.X_train), args.initial, replace=False)
    unlabeled = np.ones(len(data.X_train), dtype=bool)
    unlabeled[start] = False
    learner = start_learner(args, data, strategy, seed, start)
    attack = PGD(eps=args.eps, alpha=args.alpha, steps=args.steps, random_start=False)
    if mode == "robust":
        learner.set_params(estimator__attack=attack)
    bar = progress(args.rounds + 1, f"{mode} {strategy} seed {seed}")
    for number in range(args.rounds + 1):
        if number > 0:
            idx, X_new = learner.query(data.X_train, args.per_round, candidates=unlabeled)
            unlabeled[idx] = False
            learner.teach(X_new, data.y_train[idx])
        started = time.perf_counter()
        scores = evaluate(args, learner, data, seed)
        row = {"mode": mode, "strategy": strategy, "seed": seed, **learner.history_[-1], **scores}
        row["eval_time"] = time.perf_counter() - started
        bar.update()
        yield {column: row[column] for column in COLUMNS}
    bar.close()


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    data = load_mnist(size=32, n_train=args.n_pool, n_test=args.n_test, random_state=0)
    last = []
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for seed in args.seed:
            for mode in args.mode:
                for strategy in args.strategy:
                    for row in run(args, data, mode, strategy, seed):
                        writer.writerow(row)
                        file.flush()
                    last.append(row)
    print(f"\nLeNet-5, MNIST, eps {args.eps}, PGD-{args.eval_steps}, {args.n_test} test images")
    print(
        f"{'training':<10} {'strategy':<16} {'seed':>4} {'labels':>6} {'accuracy':>9} {'robust':>7}"
    )
    for row in last:
        print(
            f"{row['mode']:<10} {row['strategy']:<16} {row['seed']:>4} {row['n_labels']:>6} "
            f"{row['accuracy']:>9.1%} {row['robust_accuracy']:>7.1%}"
        )
    print(f"every round: {args.out}")


if __name__ == "__main__":
    main()
