"""Label images with a net that trains as the labels come: three annotators, two for each digit.

python examples/label_images.py                # about a minute
python examples/label_images.py --serve        # label them yourself
"""

import argparse
import tempfile
import threading
from pathlib import Path

from skactive import ActiveLearner, AdversarialNetClassifier
from skactive.datasets import load_digits
from skactive.labeling import LabelingSession, OracleAnnotator
from skactive.networks import LeNet5


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="label in a browser")
    parser.add_argument("--labels", type=int, default=150, help="of each annotator")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.mkdtemp()))
    args = parser.parse_args(argv)
    digits = load_digits()

    # The three lines of a labelling session.
    net = AdversarialNetClassifier(LeNet5, attack=None, max_epochs=20, lr=0.003, batch_size=32)
    learner = ActiveLearner(net, "margin", random_state=0)
    session = LabelingSession(
        args.folder / "labels.db", digits.X_train, learner=learner, classes=range(10), overlap=2,
        batch=50, retrain_every=50, consensus="weighted",
    )  # fmt: skip

    if args.serve:
        session.serve()
        return session
    accuracies = {"ada": 0.98, "bob": 0.95, "cyd": 0.7}
    people = [
        OracleAnnotator(digits.y_train, name=name, accuracy=accuracy, random_state=seed)
        for seed, (name, accuracy) in enumerate(accuracies.items())
    ]
    threads = [
        threading.Thread(target=person.annotate, args=(session, args.labels)) for person in people
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.teach()
    progress, agreement = session.progress(), session.agreement()
    print(f"{progress['n_labels']} labels of {progress['n_labelled']} digits")
    for (one, other), kappa in agreement.cohen.items():
        print(f"Cohen's kappa of {one} and {other}: {kappa:.2f}")
    print(f"Fleiss' kappa: {agreement.fleiss:.2f}; {len(session.disagreements())} to be decided")
    print(f"accuracy on the test digits: {session.learner.score(digits.X_test, digits.y_test):.1%}")
    return session


if __name__ == "__main__":
    main()
