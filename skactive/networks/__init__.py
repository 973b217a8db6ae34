"""The papers' networks: plain torch modules that return logits."""

from ._base import Network
from ._conv_medium import ConvMedium
from ._conv_small import ConvSmall
from ._lenet import LeNet5
from ._madry_mnist import MadryMNIST
from ._preact_resnet import PreActResNet18
from ._resnet import ResNet18
from ._threshold import Threshold
from ._vgg import VGG8, VGG16

__all__ = [
    "VGG8",
    "VGG16",
    "ConvMedium",
    "ConvSmall",
    "LeNet5",
    "MadryMNIST",
    "Network",
    "PreActResNet18",
    "ResNet18",
    "Threshold",
]
