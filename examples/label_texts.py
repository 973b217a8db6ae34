"""Label texts with TF-IDF and logistic regression: of which data set a sentence speaks.

The sentences are scikit-learn's own descriptions of its data sets. Half-way through, the session is
closed and opened again, as after a crash: it goes on where it stopped.

    python examples/label_texts.py                # a few seconds
    python examples/label_texts.py --serve        # label them yourself
"""

import argparse
import re
import tempfile
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skactive import ActiveLearner
from skactive.labeling import LabelingSession, OracleAnnotator

NAMES = ("breast_cancer", "diabetes", "digits", "iris", "linnerud", "wine")


def sentences():
    """Sentences, and the data set that each is from."""
    found, about = [], []
    for name in NAMES:
        text = re.sub(r"\s+", " ", getattr(datasets, f"load_{name}")().DESCR)
        parts = [part for part in re.split(r"(?<=[.;:]) |, ", text) if len(part) > 15]
        found += parts
        about += [name] * len(parts)
    return found, np.array(about)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="label in a browser")
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp()))
    args = parser.parse_args(argv)
    texts, truth = sentences()

    def begin():
        # The three lines of a labelling session.
        model = make_pipeline(TfidfVectorizer(sublinear_tf=True), LogisticRegression(C=10))
        learner = ActiveLearner(model, "entropy", random_state=0)
        return LabelingSession(args.folder / "labels.db", texts, learner=learner, classes=NAMES)

    if args.serve:
        session = begin()
        session.serve()
        return session
    ada = OracleAnnotator(truth, name="ada", random_state=0)
    with begin() as session:
        ada.annotate(session, args.labels // 2)
        print(f"{session.progress()['n_labels']} labels, and the computer is switched off")
    session = begin()
    ada.annotate(session, args.labels - args.labels // 2)
    session.teach()
    labelled = session.to_frame()["position"]
    rest = np.setdiff1d(np.arange(len(texts)), labelled)
    accuracy = session.learner.score([texts[i] for i in rest], truth[rest])
    print(f"{session.progress()['n_labels']} labels: accuracy {accuracy:.1%} on {len(rest)} others")
    return session


if __name__ == "__main__":
    main()
