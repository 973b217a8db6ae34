"""Small networks for the tests."""

from torch import nn

from skactive.utils.random_state import seeded_torch


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


class Shifted(SmallMLP):
    """Shifts its inputs before all else, and overwrites them if `in_place`."""

    def __init__(self, n_features=64, n_classes=10, in_place=True):
        super().__init__(n_features, n_classes)
        self.in_place = in_place

    def forward(self, X):
        if self.in_place:
            X -= 0.5
        return super().forward(X if self.in_place else X - 0.5)


def shifted_twins(n_features=64, n_classes=10):
    """One that overwrites its inputs, and one of the same weights that does not."""
    with seeded_torch(1):
        module, twin = (Shifted(n_features, n_classes, in_place) for in_place in (True, False))
    twin.load_state_dict(module.state_dict())
    return module, twin
