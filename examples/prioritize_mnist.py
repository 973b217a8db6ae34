"""Which order of test images finds a net's mistakes first? Ours beside surprise adequacy.

LeNet-5 is trained on a few MNIST labels; each strategy orders the test images; the order is judged
by APFD and by the share of the mistakes found within a budget. The surprise adequacy measures come
from the package dnn-tip (``pip install "skactive[tip]"``) and are left out without it.

    python examples/prioritize_mnist.py
"""

import argparse
import csv
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch

from skactive import AdversarialNetClassifier
from skactive.datasets import load_mnist
from skactive.networks import LeNet5
from skactive.prioritization import prioritization_report
from skactive.strategies import SurpriseAdequacy
from skactive.utils.reports import markdown_table

STRATEGIES = [
    "random",
    "gini",
    "entropy",
    "least_confidence",
    "margin",
    "mcp",
    "dre",
    "bald",
    "dfal",
]


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--strategies", nargs="+", default=STRATEGIES)
    add("--surprise", nargs="*", default=["dsa", "lsa", "mdsa", "mlsa"])
    add("--budgets", nargs="+", type=float, default=[0.01, 0.04, 0.1])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--n-train", type=int, default=1000)
    add("--n-test", type=int, default=2000)
    add("--epochs", type=int, default=10)
    add("--subsampling", type=float, default=0.3, help="share of the labels DSA compares with")
    add("--threads", type=int, default=1)
    add("--out", type=Path, default=Path("prioritize_mnist.csv"))
    return parser.parse_args()


def judged(args, seed):
    """A row for each strategy."""
    data = load_mnist(size=32, n_train=args.n_train, n_test=args.n_test, random_state=seed)
    net = AdversarialNetClassifier(
        LeNet5,
        attack=None,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        max_epochs=args.epochs,
        random_state=seed,
    ).fit(data.X_train, data.y_train)
    surprise = args.surprise if find_spec("dnn_tip") else []
    report = prioritization_report(
        net,
        data.X_test,
        data.y_test,
        strategies=[
            *args.strategies,
            *[SurpriseAdequacy(method, subsampling=args.subsampling) for method in surprise],
        ],
        budgets=args.budgets,
        X_labeled=data.X_train,
        random_state=seed,
    )
    accuracy = net.score(data.X_test, data.y_test)
    names = [*args.strategies, *[f"{method} (dnn-tip)" for method in surprise]]
    for name, row in zip(names, report, strict=True):
        rates = {f"found at {b:.0%}": rate for b, rate in row["fault_detection_rate"].items()}
        yield {
            "strategy": name, "seed": seed, "accuracy": accuracy, "apfd": row["apfd"], **rates,
            "seconds": row["time"],
        }  # fmt: skip


def main():
    args = parse()
    torch.set_num_threads(args.threads)
    rows = []
    for seed in args.seeds:
        rows += judged(args, seed)
        print(f"seed {seed}: accuracy {rows[-1]['accuracy']:.1%}", flush=True)
    with args.out.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    columns = [name for name in rows[0] if name not in ("strategy", "seed", "accuracy")]
    body = []
    for name in dict.fromkeys(row["strategy"] for row in rows):
        mean = [np.mean([r[c] for r in rows if r["strategy"] == name]) for c in columns]
        body.append([name, *(f"{value:.3f}" for value in mean)])
    print(markdown_table(["strategy", *columns], body))


if __name__ == "__main__":
    main()
