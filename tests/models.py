"""Small networks for the tests."""

from torch import nn


class SmallCNN(nn.Sequential):
    """8×8 images: two convolutions with BatchNorm, one hidden linear layer."""

    def __init__(self, n_classes=10):
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.BatchNorm2d(8),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(256, 32),
            nn.ReLU(),
            nn.Linear(32, n_classes),
        )


class InDouble(SmallCNN):
    """Computes in float64: what processors round differently turns no step of an attack.

    In float32 a dozen steps of training make other nets on an AMD EPYC and on an Intel Xeon.
    """

    def __init__(self):
        super().__init__()
        self.double()

    def forward(self, x):
        return super().forward(x.double()).float()


class SmallMLP(nn.Sequential):
    """Tabular data: one hidden layer."""

    def __init__(self, n_features=64, n_classes=10):
        super().__init__(nn.Linear(n_features, 32), nn.ReLU(), nn.Linear(32, n_classes))
