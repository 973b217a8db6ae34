"""The papers' networks: plain torch modules that return logits."""

from ._base import Network
from ._lenet import LeNet5
from ._preact_resnet import PreActResNet18
from ._resnet import ResNet18
from ._vgg import VGG8, VGG16

__all__ = ["VGG8", "VGG16", "LeNet5", "Network", "PreActResNet18", "ResNet18"]
