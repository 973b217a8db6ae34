"""How many of the pool's pseudo-labels are right: a plain teacher and FixMatch, at few labels.

LeNet-5 on 28×28 MNIST, 60,000 images, a few of which have a label: drawn by chance, or asked
for by a strategy that needs no model. The accuracy of pseudo-labels is on all others. Rows are
written as they end; run the same command again to go on.

    python examples/teachers_mnist.py --labels 50 100 --seeds 0
    python examples/teachers_mnist.py --report teachers.csv
"""

import argparse
import csv
import statistics
import time
from itertools import product
from pathlib import Path

import numpy as np
import torch
from tqdm.auto import tqdm

from skactive import ActiveLearner, AdversarialNetClassifier, FixMatch
from skactive.datasets import load_dataset
from skactive.networks import LeNet5
from skactive.utils.reports import markdown_table

COLUMNS = [
    "dataset", "labels", "asked", "teacher", "seed", "pool", "updates", "pool_accuracy",
    "test_accuracy", "worst_class", "ask_cpu_s", "fit_cpu_s",
]  # fmt: skip


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--dataset", default="mnist", choices=["mnist", "fashion_mnist"])
    add("--labels", nargs="+", type=int, default=[50, 100])
    add("--asked", nargs="+", default=["random"], help="random, typiclust, probcover, …")
    add("--teachers", nargs="+", default=["plain", "fixmatch"], choices=["plain", "fixmatch"])
    add("--seeds", nargs="+", type=int, default=[0])
    add("--updates", type=int, default=2500)
    add("--out", type=Path, default=Path("teachers.csv"))
    add("--report", type=Path, help="only print the table of that file")
    return parser.parse_args()


def make(args, teacher, n_labels, seed):
    """A net of as many updates as asked for; a plain one has batches of 50."""
    settings = {"bounds": (0, 1), "random_state": seed}
    if teacher == "fixmatch":
        return FixMatch(LeNet5, max_epochs=-(-args.updates // 100), **settings)
    epochs = -(-args.updates // -(-n_labels // 50))
    return AdversarialNetClassifier(
        LeNet5, attack=None, batch_size=50, max_epochs=epochs, **settings
    )


def chosen(asked, X, n_labels, seed):
    if asked == "random":
        return np.random.default_rng(seed).permutation(len(X))[:n_labels]
    learner = ActiveLearner(FixMatch(LeNet5), asked, random_state=seed)
    return learner.query(X, n_labels)[0]


def run(args, data, n_labels, asked, teacher, seed):
    started = time.process_time()
    X, y = data.X_train, data.y_train
    labelled = chosen(asked, X, n_labels, seed)
    picked = time.process_time()
    rest = np.setdiff1d(np.arange(len(X)), labelled)
    net = make(args, teacher, n_labels, seed)
    given = {"X_unlabeled": X[rest]} if teacher == "fixmatch" else {}
    net.fit(X[labelled], y[labelled], **given)
    fitted = time.process_time()
    right = net.predict(X[rest]) == y[rest]
    return {
        "dataset": args.dataset,
        "labels": n_labels,
        "asked": asked,
        "teacher": teacher,
        "seed": seed,
        "pool": len(rest),
        "updates": sum(row["train_batch_count"] for row in net.history),
        "pool_accuracy": right.mean(),
        "test_accuracy": net.score(data.X_test, data.y_test),
        "worst_class": min(right[y[rest] == k].mean() for k in np.unique(y)),
        "ask_cpu_s": round(picked - started, 1),
        "fit_cpu_s": round(fitted - picked, 1),
    }


def report(path):
    with path.open() as file:
        rows = list(csv.DictReader(file))
    head = ["data", "labels", "asked by", "teacher", "updates", "pseudo-labels right, %"]
    head += ["worst class, %", "test, %", "seeds", "CPU s"]
    keys = ("dataset", "labels", "asked", "teacher", "updates")
    body = []
    for key in dict.fromkeys(tuple(row[name] for name in keys) for row in rows):
        group = [row for row in rows if tuple(row[name] for name in keys) == key]
        shown = [_mean(group, n) for n in ("pool_accuracy", "worst_class", "test_accuracy")]
        cost = statistics.mean(float(row["ask_cpu_s"]) + float(row["fit_cpu_s"]) for row in group)
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
    data = load_dataset(args.dataset)
    known = list(csv.DictReader(args.out.open())) if args.out.exists() else []
    keys = ("dataset", "labels", "asked", "teacher", "seed")
    done = {tuple(row[name] for name in keys) for row in known}
    tasks = [
        task
        for task in product(args.labels, args.asked, args.teachers, args.seeds)
        if (args.dataset, *map(str, task)) not in done
    ]
    with args.out.open("a", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        if file.tell() == 0:
            writer.writeheader()
        for n_labels, asked, teacher, seed in tqdm(tasks):
            writer.writerow(run(args, data, n_labels, asked, teacher, seed))
            file.flush()
    return report(args.out)


if __name__ == "__main__":
    main()
