"""The pool against the papers' recipe: MNIST at 5,000 labels, Fashion-MNIST at 6,000.

LeNet-5 on 32×32 images, ε = .3. A first random fifth of the labels trains a net cleanly; it is
asked once for the other four fifths, and then trained adversarially:

- ``papers``: on the labels alone, from the clean weights, with BIM-40 (α = .01) for ten epochs;
- ``pool``: robust self-training on labels and the rest of the 60,000 images, `--updates` updates
  with PGD-`--steps`, the radius growing over the first fifth, learning rates of one cycle.

Rows are written as they end; run the same command again to go on.

    python examples/headline_mnist.py --strategies random dre entropy --updates 2000
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from recipes_mnist import report
from skorch.callbacks import LRScheduler
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.attacks import PGD, AutoAttack
from skactive.callbacks import EpsWarmup
from skactive.datasets import load_dataset
from skactive.metrics import robust_accuracy_score, robustness_report
from skactive.networks import LeNet5

EPS = 0.3
LABELS = {"mnist": 5000, "fashion_mnist": 6000}
COLUMNS = [
    "dataset", "labels", "recipe", "seed", "pool", "updates", "n_test", "accuracy", "pgd50",
    "autoattack", "version", "apgd", "fit_cpu_s", "eval_cpu_s",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="mnist", choices=list(LABELS))
    add("--strategies", nargs="+", default=["random", "dre", "entropy"])
    add("--recipes", nargs="+", default=["pool", "papers"], choices=["pool", "papers"])
    add("--seeds", nargs="+", type=int, default=[0])
    add("--updates", type=int, default=2000)
    add("--steps", type=int, default=7, help="steps of the training attack")
    add("--lr", type=float, default=6e-3, help="highest learning rate of the cycle")
    add("--fraction", type=float, default=0.7, help="share of the pool in a batch")
    add("--n-test", type=int, default=1000, help="images that are attacked; accuracy is on all")
    add("--version", default="standard", choices=["fast", "standard"], help="of AutoAttack")
    add("--out", type=Path, default=Path("headline.csv"))
    add("--keep", type=Path, metavar="FOLDER", help="save each net there")
    add("--report", type=Path, help="only print the table of that file")
    return parser.parse_args()


def settings(args, recipe, n_labels):
    """Parameters of the net for the adversarial stage."""
    if recipe == "papers":
        attack = PGD(EPS, 0.01, 40, random_start=False)
        return {"attack": attack, "max_epochs": 10, "warm_start": True}
    per_epoch = -(-n_labels // round(100 * (1 - args.fraction)))
    epochs = -(-args.updates // per_epoch)
    cycle = LRScheduler(
        OneCycleLR, step_every="batch", max_lr=args.lr, total_steps=1 + epochs * per_epoch
    )
    return {
        "attack": PGD(EPS, steps=args.steps),
        "max_epochs": epochs,
        "callbacks": [EpsWarmup(0.2), ("cycle", cycle)],
    }


def train(args, data, strategy, recipe, seed):
    """The learner after its only query, taught adversarially."""
    n_labels = LABELS[args.dataset]
    rng = np.random.default_rng(seed)
    start = rng.choice(len(data.X_train), n_labels // 5, replace=False)
    rest = np.setdiff1d(np.arange(len(data.X_train)), start)
    net = AdversarialNetClassifier(
        LeNet5, attack=None, random_state=seed, bounds=(0, 1),
        unlabeled="rst", unlabeled_fraction=args.fraction,
    )  # fmt: skip
    learner = ActiveLearner(
        net,
        strategy,
        use_pool=recipe == "pool",
        warm_start=recipe == "papers",
        random_state=seed,
    )
    learner.fit(data.X_train[start], data.y_train[start])
    idx, rows = learner.query(data.X_train, n_labels - len(start), candidates=rest)
    stage = settings(args, recipe, n_labels)
    stage.pop("warm_start", None)
    learner.set_params(**{f"estimator__{name}": value for name, value in stage.items()})
    return learner.teach(rows, data.y_train[idx])


def evaluate(args, learner, data):
    X, y = data.X_test[: args.n_test], data.y_test[: args.n_test]
    pgd = PGD(EPS, 0.01, 50, stop_when_fooled=True)
    found = robustness_report(learner, X, y, AutoAttack(EPS, version=args.version))
    white_box = list(found.survivors.values())[-2]
    return {
        "accuracy": learner.score(data.X_test, data.y_test),
        "pgd50": robust_accuracy_score(learner, X, y, pgd),
        "apgd": white_box,
        "autoattack": found.robust_accuracy,
    }


def run(args, data, strategy, recipe, seed):
    started = time.process_time()
    learner = train(args, data, strategy, recipe, seed)
    fitted = time.process_time()
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        name = f"{args.dataset}-{recipe}-{strategy}-{seed}.skactive"
        learner.estimator_.save(args.keep / name)
    scores = evaluate(args, learner, data)
    history = learner.estimator_.history
    return {
        "dataset": args.dataset,
        "labels": learner.history_[-1]["n_labels"],
        "recipe": f"{recipe}, {strategy}",
        "seed": seed,
        "pool": learner.history_[-1]["pseudo"],
        "updates": sum(row["train_batch_count"] for row in history),
        "n_test": args.n_test,
        "version": args.version,
        **scores,
        "fit_cpu_s": round(fitted - started, 1),
        "eval_cpu_s": round(time.process_time() - fitted, 1),
    }


def main():
    args = parse()
    if args.report:
        return report(args.report)
    torch.set_num_threads(1)
    data = load_dataset(args.dataset, size=32, random_state=0)
    known = list(csv.DictReader(args.out.open())) if args.out.exists() else []
    keys = ("dataset", "recipe", "seed", "version", "n_test")
    done = {tuple(row[key] for key in keys) for row in known}
    tasks = [
        (strategy, recipe, seed)
        for seed in args.seeds
        for recipe in args.recipes
        for strategy in args.strategies
        if (args.dataset, f"{recipe}, {strategy}", str(seed), args.version, str(args.n_test))
        not in done
    ]
    with args.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for task in tqdm(tasks, desc=args.dataset):
            writer.writerow(run(args, data, *task))
            file.flush()
    return report(args.out)


if __name__ == "__main__":
    main()
