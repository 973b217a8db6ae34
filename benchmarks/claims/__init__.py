"""Every figure on a page comes from a results file, every results file from a recorded command.

    python -m benchmarks.claims record NAME -- examples/recipes_mnist.py --out docs/results/r.csv
    python -m benchmarks.claims write    # pages take their numbers from the files
    python -m benchmarks.claims check    # what is edited, uncovered, stale, or no longer true

See "Figures" in CONTRIBUTING.md. It needs the repository, so that it is not part of skactive.
"""

from pathlib import Path

ROOT = Path(__file__).parents[2]
