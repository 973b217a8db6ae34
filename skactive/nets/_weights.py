"""Weights of a net for other programs: safetensors, torch.export and ONNX."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from ..exceptions import DamagedFileError
from ..passes.precision import float32_door
from ..utils.archive import replacing
from ..utils.compat import uncompiled
from ..utils.optional import optional_import
from ..utils.random_state import derive_seed
from ..utils.version import __version__

_FORMATS = {".pt2": "torch.export", ".onnx": "ONNX"}


class PortableWeights:
    """Mixin of a net: weights out and in, and the module for programs without skactive."""

    module_: Any

    def save_weights(self, path: str | Path) -> None:
        """Write the weights as a safetensors file, by their names in ``module_.state_dict()``.

        Needs the extra ``files``. `skactive.load` reads whole nets; this is for other programs,
        and for weights between nets.

        Parameters
        ----------
        path : str or Path
            ``"net.safetensors"``. Its metadata tell classes, shape and range of the inputs.
        """
        check_is_fitted(self)
        safetensors = optional_import("safetensors.torch", what="save_weights", extra="files")
        tensors = unshared(uncompiled(self.module_).state_dict())
        metadata = {"format": "pt", "skactive": json.dumps(self._contract())}
        with replacing(Path(path)) as file:
            file.write(safetensors.save(tensors, metadata=metadata))

    def load_weights(self, path: str | Path) -> Any:
        """Take weights from a safetensors file whose names fit the module.

        A net that is not fitted is fitted then, if the file is one of `save_weights`, which tells
        its classes. The optimiser begins afresh.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If names or shapes differ from the module's, or the classes from the net's. The net
            is unchanged then.
        DamagedFileError
            If it is no safetensors file.
        NotFittedError
            If neither the net nor the file knows the classes.
        """
        net: Any = self
        tensors, told = read_weights(path)
        fresh = not getattr(net, "initialized_", False)
        with net._as_before_if_it_fails(fresh):
            if "classes" in told and fresh:
                self._begin_as_told(told)
            check_is_fitted(self)
            self._take(tensors, told, path)
        return self

    def export(self, path: str | Path) -> None:
        """Write the trained module for programs without skactive.

        Parameters
        ----------
        path : str or Path
            ``"net.pt2"`` for `torch.export` (read by ``torch.export.load``, C++, mobile), or
            ``"net.onnx"`` (extra ``onnx``). Takes batches of any size, float32 in the shape and
            range that the file's metadata tell (``skactive.json``, or ``metadata_props``), and
            returns logits, a column for each of the classes told there.

        Raises
        ------
        ValueError
            If `path` ends otherwise, or the net does not know the shape of its inputs.

        Notes
        -----
        What is done to inputs before the module is not in the file: bytes are to be divided by
        255, and steps of a Pipeline to be repeated. What torch cannot trace, torch says.
        """
        check_is_fitted(self)
        kind = _FORMATS.get(Path(path).suffix)
        if kind is None:
            raise ValueError(f"path must end in {' or '.join(_FORMATS)}, got {str(path)!r}.")
        shape = getattr(self, "input_shape_", None)
        if shape is None:
            raise ValueError(
                "The net does not know the shape of its inputs. Pass a few, "
                "AdversarialNetClassifier.from_module(…, X=X[:2])."
            )
        program = _traced(uncompiled(self.module_), tuple(shape))
        contract = json.dumps(self._contract())
        with replacing(Path(path)) as file:
            if kind == "ONNX":
                file.write(_onnx(program, contract))
            else:
                torch.export.save(program, file, extra_files={"skactive.json": contract})

    def _contract(self) -> dict[str, Any]:
        """What a program has to know to use the weights."""
        net: Any = self
        shape, labels = getattr(net, "input_shape_", None), np.asarray(net.classes_)
        return {
            "skactive": __version__,
            "input_shape": None if shape is None else [int(n) for n in shape],
            "input_dtype": "float32",
            "input_range": [float(bound) for bound in net.bounds_],
            "bytes": "divided by 255",
            "output": "logits",
            "classes": [label if isinstance(label, (bool, int, float)) else str(label)
                        for label in labels.tolist()],
        }  # fmt: skip

    def _begin_as_told(self, told: dict[str, Any]) -> None:
        net: Any = self
        known = net.classes if net.classes is not None else told["classes"]
        net.classes_fitted_ = np.unique(np.asarray(known))
        if told["input_shape"] is not None:
            net.input_shape_ = tuple(told["input_shape"])
            net.n_features_in_ = net.input_shape_[0]
        net.seed_, net.n_fits_ = derive_seed(net.random_state), 0
        net.n_validation_labels_ = net.n_pseudo_labels_ = 0
        net.teacher_, net.attack_ = None, net._resolved_attack()
        net._initialize_seeded()
        net.module_.eval()

    def _take(self, tensors: dict[str, Tensor], told: dict[str, Any], path: str | Path) -> None:
        """Load tensors that fit, and begin the optimiser afresh; raise for others."""
        net: Any = self
        classes = self._contract()["classes"]
        if told.get("classes", classes) != classes:
            raise ValueError(
                f"{path} is of a net with the classes {told['classes']}, this one has {classes}."
            )
        module = uncompiled(self.module_)
        own = module.state_dict()
        differing = sorted(set(own) ^ set(tensors)) or [
            name for name in own if own[name].shape != tensors[name].shape
        ]
        if differing:
            raise ValueError(
                f"The weights in {path} do not fit the module {type(module).__name__}: "
                f"{differing[:5]} differ in name or shape ({len(differing)} in all)."
            )
        module.load_state_dict(tensors)
        net.initialize_optimizer()


def read_weights(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors of a safetensors file, and what `save_weights` told in it."""
    safetensors = optional_import("safetensors", what="load_weights", extra="files")
    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            told = (file.metadata() or {}).get("skactive", "{}")
            return {name: file.get_tensor(name) for name in file.keys()}, json.loads(told)  # noqa: SIM118
    except (FileNotFoundError, ImportError):
        raise
    except Exception as error:  # its own error class is private
        raise DamagedFileError(f"{path} is no safetensors file, or damaged: {error}.") from error


def unshared(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors on the CPU, each in memory of its own."""
    found: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        address = plain.untyped_storage().data_ptr()
        if address in seen or plain.untyped_storage().nbytes() != plain.nbytes:
            plain = plain.clone()
        seen.add(address)
        found[name] = plain
    return found


def _traced(module: nn.Module, shape: tuple[int, ...]) -> Any:
    """The module as a graph that takes any number of inputs of a shape."""
    door = float32_door(module)
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    example = torch.zeros(2, *shape, device=device)
    batch = torch.export.Dim("batch", min=1)
    with torch.no_grad():
        return torch.export.export(door.eval(), (example,), dynamic_shapes=({0: batch},))


def _onnx(program: Any, contract: str) -> bytes:
    for library in ("onnx", "onnxscript"):
        optional_import(library, what="Export to ONNX", extra="onnx")
    made: Any = torch.onnx.export(
        program, dynamo=True, input_names=["X"], output_names=["logits"], verbose=False
    )
    model = made.model_proto
    entry = model.metadata_props.add()
    entry.key, entry.value = "skactive", contract
    return model.SerializeToString()
