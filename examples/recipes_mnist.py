"""What each training recipe is worth in robustness at few labels, with the pool and without.

LeNet-5 on 32×32 MNIST, ε = .3; every recipe has the same labels, pool and, except ``papers``, the
same number of updates. Rows are written as they end; run the same command again to go on.

    python examples/recipes_mnist.py --labels 300 --seeds 0 1 2 --out recipes.csv
    python examples/recipes_mnist.py --report recipes.csv
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from skactive import AdversarialNetClassifier
from skactive.attacks import FGSM, PGD, AutoAttack
from skactive.callbacks import AWP, EMA, SWA, EpsWarmup, OverfittingGuard
from skactive.datasets import load_dataset
from skactive.losses import MART, TRADES, UATKL, UATPlusPlus
from skactive.metrics import robust_accuracy_score
from skactive.networks import LeNet5
from skactive.utils.reports import markdown_table

EPS = 0.3
RECIPES = {
    "papers": "papers",  # clean start, then BIM-40 with α = .01 for 10 epochs
    "pgd": {},
    "fgsm-rs": {"attack": FGSM(EPS, random_start=True), "callbacks": [OverfittingGuard("restore")]},
    "trades": {"loss": TRADES(beta=2.0)},
    "mart": {"loss": MART(beta=2.0)},
    "awp": {"callbacks": [AWP(0.01)]},
    "ema": {"callbacks": [EMA()]},
    "swa": {"callbacks": [SWA()]},
    "smoothing": {"criterion__label_smoothing": 0.1, "optimizer__weight_decay": 5e-4},
    "rst": {"unlabeled": "rst"},
    "rst+trades": {"unlabeled": "rst", "loss": TRADES(beta=2.0)},
    "uat-kl": {"unlabeled": UATKL(beta=2.0)},
    "uat++": {"unlabeled": UATPlusPlus(beta=2.0)},
    "rst+ema": {"unlabeled": "rst", "callbacks": [EMA()]},
    "rst+awp+ema": {"unlabeled": "rst", "callbacks": [AWP(0.005), EMA()]},
    "oracle": {},  # pgd with the true labels of the pool
}
COLUMNS = [
    "dataset", "labels", "recipe", "seed", "pool", "updates", "n_test", "accuracy", "pgd50",
    "autoattack", "version", "teacher_accuracy", "fit_cpu_s", "eval_cpu_s",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="mnist", choices=["mnist", "fashion_mnist"])
    add("--labels", type=int, default=300)
    add("--pool", type=int, default=20000, help="unlabelled images")
    add("--updates", type=int, default=300)
    add("--steps", type=int, default=8, help="steps of the training attack, of 2.5 · ε / steps")
    add("--lr", type=float, default=3e-3)
    add("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--n-test", type=int, default=300)
    add("--version", default="fast", choices=["fast", "standard"], help="of AutoAttack")
    add("--out", type=Path, default=Path("recipes.csv"))
    add("--report", type=Path, help="only print the table of that file")
    return parser.parse_args()


def epochs_for(args, n, params):
    """Epochs of as many updates as asked for."""
    share = 0.5 if params.get("unlabeled") else 1.0
    return -(-args.updates // -(-n // round(100 * share)))


def train_as_papers(X, y, seed):
    """The DRE authors' recipe: from a cleanly trained net, BIM for ten epochs."""
    net = AdversarialNetClassifier(LeNet5, attack=None, warm_start=True, random_state=seed)
    net.fit(X, y).set_params(attack=PGD(EPS, 0.01, 40, random_start=False))
    return net.fit(X, y)


def train(args, recipe, X, y, pool, y_pool, seed):
    if RECIPES[recipe] == "papers":
        return train_as_papers(X, y, seed)
    if recipe == "oracle":
        X, y = np.concatenate([X, pool]), np.concatenate([y, y_pool])
    params = {"attack": PGD(EPS, steps=args.steps), **RECIPES[recipe]}
    params["callbacks"] = [EpsWarmup(0.4), *params.get("callbacks", [])]
    net = AdversarialNetClassifier(
        LeNet5, lr=args.lr, random_state=seed, max_epochs=epochs_for(args, len(X), params), **params
    )
    return net.fit(X, y, X_unlabeled=pool if "unlabeled" in params else None)


def run(args, data, recipe, seed):
    order = np.random.default_rng(seed).permutation(len(data.X_train))
    labelled, rest = order[: args.labels], order[args.labels : args.labels + args.pool]
    started = time.process_time()
    pool, y_pool = data.X_train[rest], data.y_train[rest]
    net = train(args, recipe, data.X_train[labelled], data.y_train[labelled], pool, y_pool, seed)
    fitted = time.process_time()
    X, y = data.X_test, data.y_test
    attacks = {
        "pgd50": PGD(EPS, 0.01, 50, stop_when_fooled=True),
        "autoattack": AutoAttack(EPS, version=args.version),
    }
    teacher = getattr(net, "teacher_", None)
    return {
        "dataset": args.dataset,
        "labels": args.labels,
        "recipe": recipe,
        "seed": seed,
        "pool": len(rest),
        "updates": sum(row["train_batch_count"] for row in net.history),
        "n_test": len(X),
        "accuracy": net.score(X, y),
        **{name: robust_accuracy_score(net, X, y, attack) for name, attack in attacks.items()},
        "version": args.version,
        "teacher_accuracy": "" if teacher is None else teacher.score(X, y),
        "fit_cpu_s": round(fitted - started, 1),
        "eval_cpu_s": round(time.process_time() - fitted, 1),
    }


def report(path):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    head = ["data", "labels", "recipe", "accuracy", "PGD-50", "AutoAttack", "seeds", "CPU s"]
    body = []
    for key in dict.fromkeys((row["dataset"], int(row["labels"]), row["recipe"]) for row in rows):
        group = [r for r in rows if (r["dataset"], int(r["labels"]), r["recipe"]) == key]
        shown = [_mean(group, name) for name in ("accuracy", "pgd50", "autoattack")]
        cost = statistics.mean(float(row["fit_cpu_s"]) for row in group)
        body.append([*key, *shown, len(group), f"{cost:.0f}"])
    print(markdown_table(head, body))


def _mean(rows, name):
    values = [100 * float(row[name]) for row in rows]
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def main():
    args = parse()
    if args.report:
        return report(args.report)
    torch.set_num_threads(1)
    data = load_dataset(args.dataset, size=32, n_test=args.n_test, random_state=0)
    known = list(csv.DictReader(args.out.open())) if args.out.exists() else []
    done = {(r["dataset"], int(r["labels"]), r["recipe"], int(r["seed"])) for r in known}
    tasks = [(recipe, seed) for seed in args.seeds for recipe in args.recipes]
    tasks = [task for task in tasks if (args.dataset, args.labels, *task) not in done]
    with args.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for recipe, seed in tqdm(tasks, desc=f"{args.dataset}, {args.labels} labels"):
            writer.writerow(run(args, data, recipe, seed))
            file.flush()
    return report(args.out)


if __name__ == "__main__":
    main()
