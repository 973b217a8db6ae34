"""Proved robustness from few labels: who is asked, what is trained, how much of it is certified.

An oracle labels images of the training set, asked for by a strategy; FixMatch spreads these labels
over the rest; a net is trained on all of it by a recipe, and its certificates are counted on the
whole test set. Attacks are run on the first `--attacked` test images, AutoAttack (standard) on
those that no certificate covers: the others cannot be turned.

- ``papers``: BIM-40 for ten epochs, from a cleanly trained net, on the labels alone;
- ``pgd``: PGD-7 on labels and pool; ``trades``: TRADES likewise;
- ``ibp``: interval bounds on labels and pool;
- ``mtl:0.2``: bounds and an attack, mixed, the bounds with that weight (``mtl``: a half);
- ``crown``: CROWN-IBP.

Rows are written as they end, and pseudo-labels and nets are kept beside them: run the same command
again to go on.

    python examples/certified_mnist.py --labels 100 1000 --seeds 0 1 2 --out certified.csv
    python examples/certified_mnist.py --report certified.csv
"""

import argparse
import csv
import itertools
import os
import platform
import subprocess
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import accuracy_score
from skorch.callbacks import GradientNormClipping, LRScheduler
from torch.optim.lr_scheduler import LambdaLR
from tqdm.auto import tqdm

from skactive import ActiveLearner, AdversarialNetClassifier, __version__
from skactive.attacks import PGD, AutoAttack
from skactive.callbacks import EpsWarmup, IBPInit
from skactive.datasets import load_dataset
from skactive.losses import CROWNIBP, IBP, MTLIBP, TRADES
from skactive.metrics import certified_correct, robust_correct
from skactive.nets import FixMatch
from skactive.networks import ConvMedium, ConvSmall, LeNet5
from skactive.utils.reports import markdown_table

NETS = {
    "lenet5": (LeNet5, {}),
    "conv_small": (ConvSmall, {}),
    "conv_small+threshold": (ConvSmall, {"module__threshold": 0.42}),
    "conv_medium": (ConvMedium, {}),
    "conv_medium+threshold": (ConvMedium, {"module__threshold": 0.42}),
}
RECIPES = ["papers", "pgd", "trades", "ibp", "mtl", "crown"]
COLUMNS = [
    "dataset", "size", "eps", "labels", "strategy", "seed", "net", "recipe", "updates", "lr",
    "precision", "parameters", "pseudo_right", "accuracy", "certified", "pgd50", "autoattack",
    "attacked", "certified_of_attacked", "ask_cpu_s", "fit_cpu_s", "eval_cpu_s", "version",
    "commit", "machine",
]  # fmt: skip
SCORES = {  # and their names in the tables, in the order of their sizes
    "accuracy": "accuracy", "pgd50": "PGD-50", "autoattack": "AutoAttack",
    "certified_of_attacked": "certified of these", "certified": "certified",
}  # fmt: skip
HEAD = ["net", "recipe", "updates", "labels", "asked by", "seeds", *SCORES.values(), "CPU s"]
TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
GROUP = ["dataset", "size", "eps", "net", "recipe", "updates", "labels", "strategy"]
KEY = ["dataset", "size", "eps", "labels", "strategy", "seed", "net", "recipe", "updates"]


def known_recipe(recipe):
    name, _, share = recipe.partition(":")
    if name not in RECIPES or (share and (name != "mtl" or not 0 <= float(share) <= 1)):
        message = f"{recipe!r} is none of {', '.join(RECIPES)} or mtl:SHARE, as mtl:0.2"
        raise argparse.ArgumentTypeError(message)
    return recipe


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="mnist", choices=["mnist", "fashion_mnist", "cifar10"])
    add("--size", type=int, default=28, help="of the images: 32 is the DRE paper's for MNIST")
    add("--eps", type=float, default=0.3)
    add("--margin", type=float, default=1.03, help="radius of the training over that of the test")
    add("--labels", nargs="+", type=int, default=[100])
    add("--strategies", nargs="+", default=["random"])
    add("--seeds", nargs="+", type=int, default=[0])
    add("--nets", nargs="+", default=["conv_small"], choices=list(NETS))
    add("--recipes", nargs="+", default=["ibp"], type=known_recipe)
    add("--updates", type=int, default=6000)
    add("--lr", type=float, default=3e-3)
    add("--bfloat16", action="store_true", help="train in bfloat16; attacks and proofs are not")
    add("--teacher-updates", type=int, default=2500)
    add("--attacked", type=int, default=1000, help="test images that are attacked")
    add("--autoattack", default="standard", choices=["standard", "fast", "none"])
    add("--out", type=Path, default=Path("certified.csv"))
    add("--report", type=Path, help="only print the tables of that file")
    return parser.parse_args()


# -- who is asked ----------------------------------------------------------------------------


def asked(data, n_labels, strategy, seed):
    """Positions of the labelled images: random ones, or fifty and then twice as many each time."""
    everyone = np.random.default_rng(seed).permutation(len(data.X_train))
    if strategy == "random":
        return everyone[:n_labels]
    plain = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=40, random_state=seed)
    learner = ActiveLearner(plain, strategy, random_state=seed)
    known = everyone[: min(50, n_labels)]
    while len(known) < n_labels:
        # As many updates for few labels as for many: five to forty epochs.
        learner.set_params(estimator__max_epochs=max(5, min(40, 20000 // len(known))))
        learner.fit(data.X_train[known], data.y_train[known])
        rest = np.setdiff1d(np.arange(len(data.X_train)), known)
        idx, _ = learner.query(
            data.X_train, min(len(known), n_labels - len(known)), candidates=rest
        )
        known = np.concatenate([known, idx])
    return known


def pseudo_labels(args, data, n_labels, strategy, seed):
    """Labels for the whole training set from the asked ones; kept, since many nets need them."""
    kept = args.out.with_suffix("") / (
        f"labels-{args.dataset}-{args.size}-{n_labels}-{strategy}-{seed}-{args.teacher_updates}.npz"
    )
    if not kept.exists():
        started = time.process_time()
        known = asked(data, n_labels, strategy, seed)
        rest = np.setdiff1d(np.arange(len(data.X_train)), known)
        teacher = FixMatch(LeNet5, random_state=seed, max_epochs=args.teacher_updates // 100)
        teacher.fit(data.X_train[known], data.y_train[known], X_unlabeled=data.X_train[rest])
        labels = data.y_train.copy()
        labels[rest] = teacher.predict(data.X_train[rest])
        kept.parent.mkdir(parents=True, exist_ok=True)
        np.savez(kept, known=known, labels=labels, cpu_s=time.process_time() - started)
    found = np.load(kept)
    return found["known"], found["labels"], float(found["cpu_s"])


# -- what is trained -------------------------------------------------------------------------


def schedule(updates):
    """Learning rate: up over 200 updates, level until the radius is grown, then along a cosine."""

    def factor(update):
        since = max(0.0, (update / updates - 0.5) / 0.5)
        return min(1.0, (update + 1) / 200) * 0.5 * (1 + np.cos(np.pi * min(1.0, since)))

    return LRScheduler(LambdaLR, step_every="batch", lr_lambda=factor)


def recipe_of(args, recipe):
    recipe, _, share = recipe.partition(":")
    radius = args.margin * args.eps
    grows = {"eps": radius, "warm_up": 0.03, "ramp": 0.47}
    attack = PGD(args.eps, steps=7)
    return {
        "pgd": {"attack": attack, "callbacks": [EpsWarmup(0.4)]},
        "trades": {"attack": attack, "loss": TRADES(2.0), "callbacks": [EpsWarmup(0.4)]},
        "ibp": {"attack": None, "loss": IBP(kappa=0.0, **grows)},
        "mtl": {"attack": attack, "loss": MTLIBP(alpha=float(share or 0.5), **grows)},
        "crown": {"attack": None, "loss": CROWNIBP(kappa=0.0, **grows)},
    }[recipe]


class HalfTrained:
    """A network that trains in bfloat16: faster on processors that have it."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.to(memory_format=torch.channels_last)

    def forward(self, X):  # noqa: D102
        if not self.training:
            return super().forward(X)
        with torch.autocast("cpu", torch.bfloat16):
            embedded = self.embed(X)
        return self.head(embedded.float())


def half_trained(module):
    return type(module.__name__, (HalfTrained, module), {"__module__": __name__})


def as_papers(args, net, data, known):
    """The DRE authors' recipe: the labels alone, adversarially for ten epochs, from a clean net."""
    X, y = data.X_train[known], data.y_train[known]
    net.set_params(attack=None, warm_start=True, max_epochs=10).fit(X, y)
    return net.set_params(attack=PGD(args.eps, 0.01, 40, random_start=False)).fit(X, y)


def train(args, data, name, recipe, known, labels, seed):
    module, params = NETS[name]
    module = half_trained(module) if args.bfloat16 else module
    init = [IBPInit()] if issubclass(module, ConvMedium) and recipe not in ("pgd", "trades") else []
    net = AdversarialNetClassifier(module, bounds=(0, 1), random_state=seed, **params)
    if recipe == "papers":
        return as_papers(args, net, data, known)
    chosen = recipe_of(args, recipe)
    net.set_params(
        lr=args.lr,
        unlabeled="rst",
        unlabeled_fraction="data",
        max_epochs=max(1, round(args.updates * 100 / len(data.X_train))),
        attack=chosen["attack"],
        loss=chosen.get("loss", "adversarial"),
        callbacks=[
            *init,
            *chosen.get("callbacks", []),
            schedule(args.updates),
            GradientNormClipping(10),
        ],
    )
    rest = np.setdiff1d(np.arange(len(data.X_train)), known)
    return net.fit(
        data.X_train[known],
        data.y_train[known],
        X_unlabeled=data.X_train[rest],
        y_unlabeled=labels[rest],
    )


# -- what it is worth ------------------------------------------------------------------------


def evaluate(args, net, data):
    """Certificates on all test images, attacks on the first; certified ones are not attacked."""
    X, y, n = data.X_test, data.y_test, args.attacked
    certified = certified_correct(net, X, y, eps=args.eps, method="crown")
    open_ = np.flatnonzero(~certified[:n])
    attacks = {"pgd50": PGD(args.eps, 0.01, 50, stop_when_fooled=True)}
    if args.autoattack != "none":
        attacks["autoattack"] = AutoAttack(args.eps, version=args.autoattack)
    kept = {
        name: certified[:n].sum() + robust_correct(net, X[open_], y[open_], attack=attack).sum()
        for name, attack in attacks.items()
    }
    return {
        "accuracy": accuracy_score(y, net.predict(X)),
        "certified": certified.mean(),
        "certified_of_attacked": certified[:n].mean(),
        "attacked": n,
        **{name: count / n for name, count in kept.items()},
    }


def run(args, data, task):
    n_labels, strategy, seed, name, recipe = task
    known, labels, ask_cpu_s = pseudo_labels(args, data, n_labels, strategy, seed)
    started = time.process_time()
    net = train(args, data, name, recipe, known, labels, seed)
    fitted = time.process_time()
    scores = evaluate(args, net, data)
    evaluated = time.process_time()
    rest = np.setdiff1d(np.arange(len(labels)), known)
    return {
        **dict(zip(KEY, key_of(args, task), strict=True)),
        "lr": args.lr,
        "precision": "bfloat16" if args.bfloat16 else "float32",
        "parameters": sum(p.numel() for p in net.module_.parameters()),
        "pseudo_right": (labels[rest] == data.y_train[rest]).mean(),
        **scores,
        "ask_cpu_s": round(ask_cpu_s, 1),
        "fit_cpu_s": round(fitted - started, 1),
        "eval_cpu_s": round(evaluated - fitted, 1),
        "version": __version__,
        "commit": commit(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
    }


def commit():
    command = ["git", "describe", "--always", "--dirty", "--exclude", "*"]
    found = subprocess.run(
        command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False
    )
    return found.stdout.strip()


def key_of(args, task):
    n_labels, strategy, seed, name, recipe = task
    return [args.dataset, args.size, args.eps, n_labels, strategy, seed, name, recipe, args.updates]


# -- tables ----------------------------------------------------------------------------------


def table(path):
    """Mean and range over the seeds, a table for each data set, size and radius."""
    with Path(path).open() as file:
        rows = sorted(csv.DictReader(file), key=order)
    lines = []
    for (dataset, size, eps), group in itertools.groupby(rows, key=values_of(GROUP[:3])):
        body = [line(key, list(runs)) for key, runs in itertools.groupby(group, values_of(GROUP))]
        title = f"{TITLES[dataset]}, {size}×{size}, ε = {eps}"
        lines += ["", title, "", markdown_table(HEAD, body)]
    return "\n".join(lines[1:])


def values_of(names):
    return lambda row: tuple(row[name] for name in names)


def order(row):
    return [*values_of(GROUP[:5])(row), int(row["labels"]), int(row["updates"]), row["strategy"]]


def line(key, runs):
    cells = [shown([100 * float(run[score]) for run in runs if run[score]]) for score in SCORES]
    cpu = np.mean([float(run["ask_cpu_s"]) + float(run["fit_cpu_s"]) for run in runs])
    return [*key[3:], len(runs), *cells, f"{cpu:.0f}"]


def shown(values):
    if not values:
        return "–"
    spread = f" ({min(values):.1f}–{max(values):.1f})" if len(values) > 1 else ""
    return f"{np.mean(values):.1f}{spread}"


def main():
    args = parse()
    if args.report:
        return print(table(args.report))
    torch.set_num_threads(1)
    data = load_dataset(args.dataset, size=args.size)
    done = set()
    if args.out.exists():
        with args.out.open() as file:
            done = {tuple(row[k] for k in KEY) for row in csv.DictReader(file)}
    tasks = [
        task
        for task in itertools.product(
            args.labels, args.strategies, args.seeds, args.nets, args.recipes
        )
        if tuple(map(str, key_of(args, task))) not in done
    ]
    for task in tqdm(tasks, desc=args.dataset):
        row = run(args, data, task)
        with args.out.open("a", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            if file.tell() == 0:
                writer.writeheader()
            writer.writerow(row)
    return print(table(args.out))


if __name__ == "__main__":
    main()
