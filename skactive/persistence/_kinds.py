"""All kinds of nodes, the particular ones first."""

from . import _arrays, _frames, _modules, _nets, _objects, _plain, _samples, _sklearn, _times
from ._codec import Kinds

KINDS = Kinds(
    _plain.KINDS,
    _times.KINDS,
    _arrays.KINDS,
    _frames.KINDS,
    _samples.KINDS,
    _nets.KINDS,
    _modules.KINDS,
    _sklearn.KINDS,
    _objects.KINDS,  # whatever has attributes
)
