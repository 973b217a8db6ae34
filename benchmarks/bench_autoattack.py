"""AutoAttack part by part: ours, the official package where it is installed, and the papers' loops.

A small net trained against PGD on digits (its weights are committed: ``tests/weights``); every part
attacks all test images from the start, so that the parts can be compared one by one. Then the two
presets as they are used, each part on what is left.

    python benchmarks/bench_autoattack.py --out docs/results/autoattack_digits.csv
    python benchmarks/bench_autoattack.py --train   # make the weights anew
"""

import argparse
import csv
import importlib.util
import sys
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits

sys.path.insert(0, str(Path(__file__).parents[1]))

from skactive import AdversarialNetClassifier
from skactive.attacks import PGD, AutoAttack
from tests import reference_attacks
from tests.models import SmallCNN

WEIGHTS = Path(__file__).parents[1] / "tests" / "weights" / "digits_cnn.npz"
EPS = 0.15


def load_data():
    X, y = load_digits(return_X_y=True)
    X = torch.from_numpy((X.reshape(-1, 1, 8, 8) / 16).astype(np.float32))
    return X, torch.from_numpy(y.astype(np.int64))


def train():
    X, y = load_data()
    net = AdversarialNetClassifier(
        SmallCNN, attack=PGD(EPS, steps=7), max_epochs=60, lr=3e-3, random_state=0
    )
    net.fit(X[:1200].numpy(), y[:1200].numpy())
    WEIGHTS.parent.mkdir(exist_ok=True)
    np.savez_compressed(WEIGHTS, **{k: v.numpy() for k, v in net.module_.state_dict().items()})


def load_model():
    module = SmallCNN()
    with np.load(WEIGHTS) as stored:
        module.load_state_dict({name: torch.as_tensor(stored[name]) for name in stored.files})
    return module.eval()


def literal_parts(n_targets=9):
    def with_generator(function, *settings):
        def run(module, X, y, seed):
            return function(module, X, y, EPS, *settings, torch.Generator().manual_seed(seed))

        return run

    def fab_t(module, X, y, seed):  # draws nothing at random
        return reference_attacks.fab_t(module, X, y, EPS, 100, n_targets)

    return {
        "fab-t": fab_t,
        "apgd-ce": with_generator(reference_attacks.apgd_ce, 100),
        "apgd-t": with_generator(reference_attacks.apgd_t, 100, n_targets),
        "square": with_generator(reference_attacks.square, 5000),
    }


def our_parts():
    def runner(part):
        return lambda module, X, y, seed: part(
            module, X, y, generator=torch.Generator().manual_seed(seed)
        )

    return {name: runner(part) for name, part in AutoAttack(EPS).parts()}


def whole(version):
    def run(module, X, y, seed):
        return AutoAttack(EPS, version=version, random_state=seed)(module, X, y)

    return run


def official_parts():
    """The parts of fra31/auto-attack, if the package is there."""
    if importlib.util.find_spec("autoattack") is None:
        return {}
    from autoattack import AutoAttack as Official

    def runner(name):
        def run(module, X, y, seed):
            attack = Official(module, "Linf", EPS, seed=seed, version="custom", verbose=False,
                              attacks_to_run=[name], device="cpu")  # fmt: skip
            return attack.run_standard_evaluation(X, y, bs=len(X))

        return run

    return {name: runner(name) for name in ("apgd-ce", "apgd-t", "fab-t", "square")}


def survivors(module, X, y, attack, seed):
    started = time.process_time()
    attacked = attack(module, X, y, seed)
    used = time.process_time() - started
    assert float((attacked - X).abs().max()) <= EPS + 1e-5
    return float(reference_attacks.correct(module, attacked, y).double().mean()), used


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--n", type=int, default=300, help="test images")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    if args.train:
        return train()
    X, y = (part[1200 : 1200 + args.n] for part in load_data())
    module = load_model()
    rows = []
    by = {"skactive": our_parts(), "official": official_parts(), "papers' loops": literal_parts()}
    for name in ("apgd-ce", "apgd-t", "fab-t", "square"):
        for whose, parts in by.items():
            once = (name, whose) == ("fab-t", "papers' loops")  # the same for every seed
            for seed in args.seeds[:1] if once else args.seeds if name in parts else ():
                share, used = survivors(module, X, y, parts[name], seed)
                rows.append({"what": name, "whose": whose, "seed": seed, "survivors": share,
                             "cpu_s": round(used, 1)})  # fmt: skip
                print(rows[-1], flush=True)
    for version in ("fast", "standard"):
        for seed in args.seeds:
            share, used = survivors(module, X, y, whole(version), seed)
            rows.append({"what": f"AutoAttack {version}", "whose": "skactive", "seed": seed,
                         "survivors": share, "cpu_s": round(used, 1)})  # fmt: skip
            print(rows[-1], flush=True)
    if not by["official"]:
        print("The official package, autoattack, is not installed: its column is missing.")
    if args.out:
        with args.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return None


if __name__ == "__main__":
    main()
