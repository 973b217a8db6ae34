"""Two strategies under one protocol, in seconds: areas, tests, and labels to reach a score.

Logistic regression on scikit-learn's digits, its strength tuned once for all; with each seed the
same test data, the same first labels, the same budget.

    python examples/compare_strategies.py --out curves.csv
"""

import argparse
from pathlib import Path

from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skactive.analysis import compare_curves


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=6, help="how many")
    parser.add_argument("--target", type=float, default=0.9)
    parser.add_argument("--out", type=Path, help="write the curves to this CSV file")
    args = parser.parse_args()
    X, y = load_digits(return_X_y=True)
    curves = compare_curves(
        LogisticRegression(max_iter=300),
        X / 16,
        y,
        ["random", "margin"],
        n_initial=20,
        n_per_query=20,
        budget=120,
        n_seeds=args.seeds,
        tune={"C": [1.0, 10.0]},
        random_state=0,
    )
    print(curves, curves.compare(), curves.label_costs(args.target), sep="\n\n")
    if args.out:
        curves.to_csv(args.out)


if __name__ == "__main__":
    main()
