"""How well logit margins rank samples by their distance to the decision boundary.

ConvSmall on MNIST, 28×28, trained plainly, on PGD and on bounds (ε = .3): Kendall's τ between
what `RobustMargin`, `Margin` and `CertifiedMargin` rank by and two distances of test images: that
of DeepFool in L2, and in L∞ that of the nearest counterexample found.
Rows are written as they end; run the same command again to go on.

    python examples/margin_consistency_mnist.py --seeds 0 1 2 --out margin_consistency.csv
    python examples/margin_consistency_mnist.py --report margin_consistency.csv
"""

import argparse
import csv
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from scipy.stats import kendalltau

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD
from skactive.callbacks import EpsWarmup
from skactive.datasets import load_mnist
from skactive.losses import IBP
from skactive.metrics import certified_accuracy_score, robust_accuracy_score
from skactive.model_view import ModelView
from skactive.networks import ConvSmall
from skactive.strategies import DFAL, CertifiedMargin, Margin, RobustMargin
from skactive.utils.reports import markdown_table

EPS = 0.3
TRAININGS = {
    "plain": {"attack": None, "max_epochs": 20},
    "PGD": {"attack": PGD(EPS, steps=5), "callbacks": [EpsWarmup(0.5)], "max_epochs": 40},
    "IBP": {"attack": None, "loss": IBP(eps=EPS), "max_epochs": 80},
}
RANKED_BY = {"logit": RobustMargin(), "softmax": Margin(), "certified": CertifiedMargin(EPS)}
DISTANCES = ("deepfool", "linf")
TAUS = [f"tau_{margin}_{distance}" for distance in DISTANCES for margin in RANKED_BY]
COLUMNS = [
    "training", "seed", "labels", "n_test", "accuracy", "pgd20", "certified", *TAUS, "cpu_s",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--labels", type=int, default=2000)
    add("--n-test", type=int, default=500)
    add("--trainings", nargs="+", default=list(TRAININGS), choices=list(TRAININGS))
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--out", type=Path, default=Path("margin_consistency.csv"))
    add("--report", type=Path, help="only print the table of that file")
    return parser.parse_args()


def nearest_in_linf(net, X):
    """L∞ distance of the nearest verified counterexample, searched in eight balls."""
    view = ModelView.of(net)
    return np.minimum(*(view.counterexamples(X, eps)[1] for eps in (0.5, 0.7)))


def ranks_agree(margins, distances):
    found = np.isfinite(distances)
    return round(float(kendalltau(margins[found], distances[found]).statistic), 4)


def run(args, data, training, seed):
    started = time.process_time()
    rows = np.random.default_rng(seed).permutation(len(data.X_train))[: args.labels]
    net = AdversarialNetClassifier(ConvSmall, random_state=seed, **TRAININGS[training])
    net.fit(data.X_train[rows], data.y_train[rows])
    X, y = data.X_test, data.y_test
    far = {
        "deepfool": -DFAL(exhaustive=True).score_samples(net, X),
        "linf": nearest_in_linf(net, X),
    }
    margins = {name: -strategy.score_samples(net, X) for name, strategy in RANKED_BY.items()}
    tau = {
        f"tau_{name}_{distance}": ranks_agree(margins[name], far[distance])
        for distance in DISTANCES
        for name in RANKED_BY
    }
    return {
        "training": training,
        "seed": seed,
        "labels": args.labels,
        "n_test": len(X),
        "accuracy": net.score(X, y),
        "pgd20": robust_accuracy_score(net, X, y, PGD(EPS, 0.03, 20, stop_when_fooled=True)),
        "certified": certified_accuracy_score(net, X, y, eps=EPS),
        **tau,
        "cpu_s": round(time.process_time() - started, 1),
    }


def table(path):
    """Means and standard deviations over the seeds."""
    with Path(path).open() as file:
        rows = list(csv.DictReader(file))
    margins = [f"τ {margin}, {where}" for where in ("L2", "L∞") for margin in RANKED_BY]
    head = ["training", "accuracy", "PGD-20", "certified", *margins, "seeds", "CPU s"]
    body = []
    for training in dict.fromkeys(row["training"] for row in rows):
        group = [row for row in rows if row["training"] == training]
        shares = [_mean(group, name, 100, ".1f") for name in ("accuracy", "pgd20", "certified")]
        taus = [_mean(group, name, 1, ".2f") for name in TAUS]
        body.append([training, *shares, *taus, len(group), _mean(group, "cpu_s", 1, ".0f")])
    return markdown_table(head, body)


def _mean(rows, name, factor, digits):
    values = [factor * float(row[name]) for row in rows]
    spread = f" ± {statistics.stdev(values):{digits}}" if len(values) > 1 else ""
    return f"{statistics.mean(values):{digits}}{spread}"


def main():
    args = parse()
    if args.report:
        return print(table(args.report))
    torch.set_num_threads(1)
    data = load_mnist(n_test=args.n_test, random_state=0)
    known = list(csv.DictReader(args.out.open())) if args.out.exists() else []
    done = {(row["training"], int(row["seed"])) for row in known}
    with args.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for seed in args.seeds:
            for training in args.trainings:
                if (training, seed) not in done:
                    writer.writerow(run(args, data, training, seed))
                    file.flush()
    return print(table(args.out))


if __name__ == "__main__":
    main()
