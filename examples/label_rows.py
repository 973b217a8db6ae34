"""Label the rows of a CSV file: which of 569 biopsies are malignant, the most telling rows first.

The rows lie in a file, the learner is gradient boosting, the labels come from the page (--serve) or
here from a simulated annotator who errs once in twenty. The labels go out as a CSV file.

    python examples/label_rows.py                # about ten seconds
    python examples/label_rows.py --serve        # label them yourself
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import HistGradientBoostingClassifier

from skactive import ActiveLearner
from skactive.labeling import LabelingSession, OracleAnnotator


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="label in a browser")
    parser.add_argument("--labels", type=int, default=120)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp()))
    args = parser.parse_args(argv)

    biopsies = load_breast_cancer(as_frame=True)
    biopsies.data.to_csv(args.folder / "biopsies.csv", index_label="id")

    # The three lines of a labelling session.
    table = pd.read_csv(args.folder / "biopsies.csv", index_col="id")
    learner = ActiveLearner(HistGradientBoostingClassifier(min_samples_leaf=5), random_state=0)
    session = LabelingSession(
        args.folder / "labels.db", table, learner=learner, classes=["benign", "malignant"],
        ids=table.index,
    )  # fmt: skip

    if args.serve:
        session.serve()
    else:
        truth = biopsies.target.map({0: "malignant", 1: "benign"}).to_numpy()
        ada = OracleAnnotator(truth, name="ada", accuracy=0.95, random_state=0)
        ada.annotate(session, args.labels)
        session.teach()
        left = table.index.difference(session.to_frame()["id"])
        accuracy = (session.learner.predict(table.loc[left]) == truth[left]).mean()
        print(f"{session.progress()['n_labels']} labels: accuracy {accuracy:.1%} on the other rows")
        for doubt in session.suspicious(5):
            print(f"row {doubt.id}: {doubt.label}? ({doubt.probability:.0%}), {truth[doubt.id]}")
    session.to_csv(args.folder / "labels.csv")
    print(f"labels in {args.folder / 'labels.csv'}")
    return session


if __name__ == "__main__":
    main()
