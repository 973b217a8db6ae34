"""The papers' numbers, to stand beside ours. Percent, seconds or counts, as printed there."""

from __future__ import annotations

Numbers = dict[tuple[str, str], dict[str, tuple[float, ...]]]

# (data set, network) of the DRE paper's columns, and the preset that runs it.
DRE_COLUMNS = {
    ("mnist", "lenet5"): "mnist",
    ("fashion_mnist", "lenet5"): "fashion_mnist",
    ("svhn", "vgg8"): "svhn",
    ("cifar10", "vgg16"): "cifar10_vgg16",
    ("cifar10", "resnet18"): "cifar10_resnet18",
    ("cifar10", "preactresnet18"): "cifar10_preactresnet18",
}


def _columns(text: str, columns: list, width: int) -> Numbers:
    """Rows ``strategy number …``, `width` numbers to a column."""
    numbers: Numbers = {column: {} for column in columns}
    for line in text.strip().splitlines():
        name, *values = line.split()
        for i, column in enumerate(columns):
            part = values[i * width : (i + 1) * width]
            numbers[column][name] = tuple(float(value) for value in part)
    return numbers


# Accuracy and robustness under AutoAttack, for each column.
DRE_TABLE_1 = _columns(
    """
    bald             99.61  0.00 87.65  0.00 90.85  0.08 93.04  0.11 94.81  0.16 94.29  0.19
    dfal             99.45  0.00 87.73  0.00 90.61  0.07 93.25  0.08 94.36  0.20 94.38  0.09
    egl              99.61  0.00 84.73  0.00 88.69  0.05 92.65  0.08 94.19  0.15 94.40  0.11
    entropy          99.69  0.00 87.57  0.00 91.05  0.05 93.21  0.08 94.53  0.11 94.63  0.09
    dropout_entropy  99.59  0.00 87.28  0.00 91.03  0.05 93.27  0.07 94.60  0.11 94.45  0.13
    gini             99.63  0.00 87.87  0.00 90.77  0.04 93.45  0.11 94.51  0.19 94.65  0.14
    coreset          99.67  0.00 87.64  0.00 90.81  0.06 93.17  0.08 94.29  0.17 94.55  0.20
    least_confidence 99.59  0.00 87.98  0.00 90.91  0.06 93.20  0.16 94.57  0.17 94.47  0.12
    margin           99.63  0.00 87.86  0.00 90.95  0.08 93.09  0.10 94.51  0.15 94.53  0.17
    mcp              99.54  0.00 87.55  0.00 90.45  0.07 92.76  0.08 94.33  0.16 94.05  0.14
    random           98.84  0.00 85.73  0.00 87.53  0.11 91.09  0.16 92.23  0.19 92.27  0.14
    """,
    list(DRE_COLUMNS),
    2,
)
DRE_TABLE_5_THIRD = _columns(
    """
    bald             97.15 50.13 73.09 24.15 65.51 24.06 60.68 28.17 60.61 29.02 64.79 29.29
    dfal             97.88 43.71 71.71 21.99 73.07 23.37 60.37 27.33 62.72 28.88 63.89 28.28
    egl              94.08 31.60 61.85 21.37 56.84 22.45 58.93 29.62 62.43 29.28 61.31 28.32
    entropy          95.34 35.18 67.85 18.48 57.55 20.61 58.67 25.81 60.82 27.84 62.11 27.77
    dropout_entropy  94.52 34.56 65.92 16.73 54.41 18.79 58.63 26.41 59.74 27.09 61.79 27.93
    gini             95.25 35.83 66.61 16.10 58.55 21.11 60.19 27.21 59.55 26.71 61.41 26.63
    coreset          97.46 42.77 72.33 23.51 71.10 23.34 61.21 26.99 64.30 28.24 63.59 29.49
    least_confidence 96.17 36.49 66.07 19.61 65.31 21.78 59.81 26.55 60.42 26.89 62.31 26.39
    margin           97.29 45.19 72.57 23.43 71.42 24.51 58.99 25.69 63.47 27.75 63.93 27.97
    mcp              97.73 40.42 72.85 21.03 73.19 23.42 63.85 28.20 63.04 28.04 64.16 28.25
    random           97.51 54.10 71.84 32.07 65.48 26.19 59.24 29.47 63.33 30.32 63.90 31.01
    dre              97.61 56.00 72.51 31.75 68.27 25.95 61.35 30.83 63.43 31.38 65.17 31.76
    """,
    list(DRE_COLUMNS),
    2,
)
DRE_TABLE_5_LAST = _columns(
    """
    bald             98.56 56.55 73.19 28.51 82.31 25.32 71.02 33.17 74.55 35.27 74.28 34.83
    dfal             98.43 52.45 72.37 18.11 81.79 23.15 78.11 35.48 81.07 36.91 74.47 33.74
    egl              98.75 52.92 63.71 25.64 79.95 22.00 70.81 33.19 73.99 35.86 73.57 34.81
    entropy          98.47 51.88 64.41 18.71 70.98 21.57 66.71 29.37 71.74 32.01 71.82 32.18
    dropout_entropy  98.62 52.29 63.07 18.59 68.70 20.98 64.67 30.15 70.08 31.65 70.69 31.47
    gini             98.41 51.23 65.93 18.08 72.27 23.25 65.89 28.19 72.50 32.67 73.22 31.83
    coreset          98.63 53.82 72.99 22.76 84.01 23.70 70.09 32.20 72.74 34.09 74.53 34.49
    least_confidence 98.48 50.89 70.29 18.11 72.17 22.68 66.39 29.91 72.60 32.21 73.57 31.64
    margin           98.65 53.80 73.43 18.36 77.55 21.37 68.85 31.40 70.91 33.65 73.22 33.24
    mcp              98.71 51.71 73.41 19.02 81.59 22.31 68.25 30.73 74.19 33.35 74.39 34.14
    random           98.30 63.85 72.61 31.90 81.28 28.17 70.03 35.70 75.29 37.38 73.28 36.75
    dre              98.59 67.69 73.79 33.79 81.41 29.81 69.35 35.31 74.99 38.66 74.69 37.86
    """,
    list(DRE_COLUMNS),
    2,
)
# Budget, initial, new, stages; initial accuracy; initial robustness under PGD, Square, AutoAttack;
# accuracy of the model taught everything adversarially; its robustness under the three.
DRE_TABLE_3: dict[tuple[str, str], tuple[float, ...]] = {
    ("mnist", "lenet5"): (5000, 200, 200, 24, 29.65, 0.00, 0.04, 0.00, 98.69, 89.52, 76.27, 76.17),
    ("fashion_mnist", "lenet5"): (
        6000, 200, 200, 29, 74.22, 0.00, 0.04, 0.00, 72.55, 64.18, 34.01, 34.06,
    ),
    ("svhn", "vgg8"): (
        10000, 1000, 500, 18, 51.21, 0.34, 1.92, 0.25, 83.95, 40.77, 37.50, 35.94,
    ),
    ("cifar10", "vgg16"): (
        25000, 1000, 500, 48, 37.01, 1.71, 4.27, 1.54, 69.54, 42.52, 43.41, 40.71,
    ),
    ("cifar10", "resnet18"): (
        25000, 1000, 500, 48, 31.69, 1.40, 3.73, 1.21, 73.11, 42.52, 43.41, 42.65,
    ),
    ("cifar10", "preactresnet18"): (
        25000, 1000, 500, 48, 33.88, 2.51, 4.76, 2.23, 73.24, 44.29, 45.59, 42.65,
    ),
}  # fmt: skip
# Accuracy with 1 and 4 % of the tests, robustness with 1 and 4 %: the printed columns run together.
DRE_TABLE_6 = _columns(
    """
    bald             98.38 98.42 74.80 75.17 66.79 66.02 32.12 33.77 86.23 87.49 37.25 37.69
    dfal             98.23 98.53 74.22 75.73 65.64 65.53 32.28 33.61 86.34 86.64 36.61 35.78
    egl              98.26 98.30 73.96 73.60 64.93 65.16 30.54 31.91 86.13 88.43 35.51 35.12
    entropy          98.25 98.42 74.99 75.68 63.77 64.07 32.11 30.76 86.35 87.42 36.34 35.96
    dropout_entropy  98.39 98.40 75.49 75.37 65.33 66.19 31.17 32.05 85.64 87.69 36.65 36.36
    gini             98.32 98.19 74.65 74.43 67.48 63.65 31.37 33.43 86.71 87.01 35.60 36.14
    coreset          98.31 98.13 75.27 74.59 64.53 65.77 30.53 31.51 85.59 86.65 36.83 37.15
    least_confidence 98.21 98.33 74.03 75.29 64.86 65.71 31.83 32.03 86.71 87.67 35.78 35.99
    margin           98.31 98.40 75.07 75.15 65.27 65.19 32.17 31.35 86.71 86.45 36.27 36.38
    mcp              98.35 98.50 75.35 75.79 67.71 67.37 32.71 32.03 87.09 87.69 35.77 36.00
    random           98.21 98.18 74.28 75.08 65.72 68.14 29.55 28.43 85.37 85.93 37.29 37.09
    dre              98.32 98.54 76.52 76.88 69.46 69.64 34.56 36.64 86.58 86.40 37.36 38.46
    """,
    list(DRE_COLUMNS)[:3],
    4,
)

DFAL_COLUMNS = {
    ("mnist", "lenet5"): "dfal_mnist_lenet5",
    ("mnist", "vgg8"): "dfal_mnist_vgg8",
    ("quickdraw", "lenet5"): "dfal_quickdraw_lenet5",
    ("quickdraw", "vgg8"): "dfal_quickdraw_vgg8",
}
DFAL_BUDGETS = (100, 500, 800, 1000)
DFAL_TABLE_1 = _columns(
    """
    dfal           82.77 96.23 97.71 98.02 84.28 96.90 97.98 98.59 82.56 89.63 90.72 91.09 84.23 91.52 93.16 93.91
    bald           51.88 91.96 93.69 94.24 53.73 91.47 94.32 94.32 72.65 87.18 88.34 88.45 82.00 89.94 91.92 92.87
    ceal           71.81 94.81 96.77 97.33 50.87 90.69 90.69 90.69 70.46 87.04 88.31 89.39 64.45 79.66 85.73 88.65
    robust_coreset 78.86 96.52 97.53 98.03 78.80 96.68 97.46 97.88 79.58 88.93 90.54 90.53 66.71 89.93 92.28 92.62
    egl            58.44 73.86 78.57 78.57 37.92 91.84 93.99 93.99 57.48 64.05 64.05 69.85 63.12 86.80 90.06 90.06
    entropy        57.96 92.52 94.84 96.41 45.57 88.36 94.27 94.60 69.24 86.89 88.54 89.09 52.77 88.05 89.31 91.03
    random         77.56 92.83 94.63 95.31 69.79 91.96 94.05 94.46 78.09 87.03 88.98 89.42 78.28 88.13 89.71 89.94
    """,  # noqa: E501
    list(DFAL_COLUMNS),
    4,
)
DFAL_FULL = {
    ("mnist", "lenet5"): 99.04,
    ("mnist", "vgg8"): 98.98,
    ("quickdraw", "lenet5"): 95.46,
    ("quickdraw", "vgg8"): 96.75,
}
# Annotations and labelled data needed to reach DFAL_FULL; a bound where the paper prints one.
DFAL_TABLE_2 = {
    ("mnist", "lenet5"): {
        "dfal": ("1210", "2410"),
        "robust_coreset": ("1810", "1810"),
        "ceal": ("≥ 6000", "≥ 6150"),
    },
    ("mnist", "vgg8"): {
        "dfal": ("980", "1950"),
        "robust_coreset": ("1270", "1270"),
        "entropy": ("2800", "2800"),
    },
    ("quickdraw", "lenet5"): {
        "dfal": ("7470", "14930"),
        "robust_coreset": ("≥ 8590", "≥ 8590"),
        "entropy": ("≥ 10590", "≥ 10590"),
    },
    ("quickdraw", "vgg8"): {
        "dfal": ("4810", "9610"),
        "robust_coreset": ("≥ 6750", "≥ 6750"),
        "bald": ("5590", "5590"),
    },
}
# Seconds for one query of 10, 100 labelled, 800 unlabelled, in the order of `dfal_runtime`.
DFAL_TABLE_3 = {
    "dfal": 126.54,
    "robust_coreset": 891.78,
    "robust_coreset:outliers=0.0": 784.99,
}
# Accuracy of the second network, taught the 1,000 labels that the first one chose.
DFAL_TABLE_4 = {
    ("mnist", "lenet5", "vgg8"): {"dfal": 97.80, "robust_coreset": 96.90, "random": 94.46},
    ("mnist", "vgg8", "lenet5"): {"dfal": 97.93, "robust_coreset": 97.40, "random": 95.31},
    ("quickdraw", "lenet5", "vgg8"): {"dfal": 92.87, "robust_coreset": 91.06, "random": 89.94},
    ("quickdraw", "vgg8", "lenet5"): {"dfal": 89.23, "robust_coreset": 89.41, "random": 89.42},
}
