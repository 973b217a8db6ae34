"""The README's picture, from docs/results: accuracy, and what is left of it, against labels.

    python -m benchmarks.picture

draws ``docs/_static/labels-light.svg`` and ``labels-dark.svg``. A net trained on bounds, at each
number of labels its clean accuracy, what AutoAttack leaves of it, and what is certified, means over
the seeds; beside it a net of ordinary training under PGD. What is drawn stands as text in the
files, too.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from skactive.utils.drawing import NEUTRAL, tidy

DOCS = Path(__file__).parent.parent / "docs"
CERTIFIED, ORDINARY = "certified_mnist.csv", "margin_consistency_mnist.csv"
SCORES = {  # column, words, where they stand beside the line's end, in points
    "accuracy": ("accuracy", 3),
    "autoattack": ("left by AutoAttack", 6),
    "certified": ("certified: no attack can go below", -9),
}
# Colour of the text, and of each score: the house's palette, where words in it can be read.
THEMES = {
    "light": ("#24292f", ("#0072B2", "#B34E00", "#007A59")),
    "dark": ("#e6edf3", ("#56B4E9", "#E8843C", "#2FBF8F")),
}


def rows_of(name):
    with (DOCS / "results" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def certified_rows(net=None):
    """Rows of one net trained on bounds: that of most label counts, of such the latest."""
    rows = [row for row in rows_of(CERTIFIED) if (row["recipe"], row["size"]) == ("ibp", "28")]
    counts = defaultdict(set)
    for row in rows:
        counts[row["net"]].add(int(row["labels"]))
    chosen = net or max(reversed(counts), key=lambda name: len(counts[name]))
    if chosen not in counts:
        raise SystemExit(f"--net must be one of {', '.join(counts)}, got {chosen}.")
    return [row for row in rows if row["net"] == chosen]


def means(rows, column):
    """Label counts, and the mean of a column at each."""
    values = defaultdict(list)
    for row in rows:
        values[int(row["labels"])].append(float(row[column]))
    counts = sorted(values)
    return counts, [float(np.mean(values[count])) for count in counts]


def in_text(rows, plain):
    """What is drawn, for the file."""
    names = ("labels", "seed", *SCORES)
    lines = ["; ".join(f"{name}={row[name]}" for name in names) for row in rows]
    names = ("labels", "seed", "accuracy", "pgd20")
    lines += ["ordinary; " + "; ".join(f"{name}={row[name]}" for name in names) for row in plain]
    return "\n".join(lines)


def draw(path, theme, rows, plain):
    """One picture, in the colours of a theme, on nothing."""
    import matplotlib as mpl
    import matplotlib.figure
    import matplotlib.ticker

    mpl.use("Agg")
    ink, colours = THEMES[theme]
    look = {"svg.hashsalt": "skactive", "text.color": ink, "axes.labelcolor": ink, "font.size": 10,
            "xtick.color": ink, "ytick.color": ink, "axes.edgecolor": NEUTRAL}  # fmt: skip
    with mpl.rc_context(look):
        figure = mpl.figure.Figure(figsize=(7.6, 3.5), layout="constrained")
        ax = figure.subplots()
        tidy(ax)
        for number, (column, (words, above)) in enumerate(SCORES.items()):
            counts, values = means(rows, column)
            style = {"color": colours[number], "marker": "os^"[number], "markersize": 5}
            style["linestyle"] = ("-", "--", "-")[number]
            ax.plot(counts, values, linewidth=2, **style)
            said = f"{100 * values[-1]:.0f} % {words}"
            place = {"xytext": (9, above), "textcoords": "offset points", "va": "center"}
            ax.annotate(said, (counts[-1], values[-1]), color=colours[number], **place)
        (count,), (left,) = means(plain, "pgd20")
        _, (clean,) = means(plain, "accuracy")
        ax.plot([count, count], [clean, left], color=NEUTRAL, linestyle=":", marker="D")
        said = f"ordinary training:\n{100 * clean:.0f} % accuracy,\n{100 * left:.0f} % left by PGD"
        place = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(said, (count, 0.3), **place)
        ax.set(xscale="log", ylim=(-0.02, 1.02), xlabel="labels bought (MNIST, 60,000 in the pool)")
        ax.set(ylabel="of the test images", xlim=(80, 60_000))
        ax.set_xticks(counts, [f"{count:,}" for count in counts])
        ax.minorticks_off()
        ax.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1))
        figure.savefig(path, transparent=True, metadata={"Date": None,
                       "Description": in_text(rows, plain)})  # fmt: skip
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", help="of docs/results/certified_mnist.csv")
    parser.add_argument("--out", type=Path, default=DOCS / "_static")
    args = parser.parse_args()
    rows = certified_rows(args.net)
    plain = [row for row in rows_of(ORDINARY) if row["training"] == "plain"]
    for theme in THEMES:
        print(draw(args.out / f"labels-{theme}.svg", theme, rows, plain))


if __name__ == "__main__":
    main()
