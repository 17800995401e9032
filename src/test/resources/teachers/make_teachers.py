"""Writes the small files of this folder, which tests load without Python: teachers as users save them, and what
is no teacher. Run with PyTorch 2.10 or newer: python make_teachers.py

The two files that need another machine are made by editing an archive: cuda.pt is the traced dictionary with
every storage's device changed from cpu to cuda:0 in its pickles (as a file saved on a GPU has it), newer.pt has an
operator renamed in its code, future.pt a version of the archive that no LibTorch has yet.
"""

import warnings
import zipfile
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor, nn

warnings.filterwarnings("ignore", category=FutureWarning)  # TorchScript is deprecated, and what LibTorch runs
FOLDER = Path(__file__).parent


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Conv2d(1, 2, 1, bias=False)
        self.head = nn.Conv2d(2, 3, 1, bias=False)
        self.body.weight.data = torch.tensor([1.0, 2.0]).view(2, 1, 1, 1)  # features are x and 2 x
        self.head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]).view(3, 2, 1, 1)  # x, 2 x, 3 x


class ReturnsTensor(Network):
    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


class ReturnsTuple(Network):
    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        features = self.body(x)
        return self.head(features), features


class ReturnsList(Network):
    def forward(self, x: Tensor) -> List[Tensor]:
        features = self.body(x)
        return [self.head(features), features]


class ReturnsDictionary(Network):
    def forward(self, x: Tensor) -> Dict[str, Tensor]:
        features = self.body(x)
        return {"logits": self.head(features), "features": features}


class Answer(NamedTuple):
    logits: Tensor
    aux: Dict[str, Tensor]


class ReturnsNamedTuple(Network):
    def forward(self, x: Tensor) -> Answer:
        features = self.body(x)
        return Answer(self.head(features), {"features": features})


class ReturnsNestedDictionary(Network):
    def forward(self, x: Tensor) -> Dict[str, Dict[str, Tensor]]:
        features = self.body(x)
        return {"main": {"logits": self.head(features)}, "aux": {"features": features}}


class ReturnsOthersToo(Network):
    def forward(self, x: Tensor) -> Tuple[Tensor, Optional[Tensor], int, List[Tensor]]:
        features = self.body(x)
        return self.head(features), None, 7, [features]


class ReturnsNothing(Network):
    def forward(self, x: Tensor) -> Tuple[Optional[Tensor], int]:
        return None, 7


class Forgets(Network):
    """Returns another number of outputs for other images."""

    def forward(self, x: Tensor) -> List[Tensor]:
        return [x, x] if x.size(0) == 2 else [x]


class Scales(nn.Module):
    """Runs on every device that LibTorch has, also on that without memory."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class NamesItsDevice(Network):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.zeros(1, device="cuda:0")


def edited(source, target, change):
    """Copies an archive; change(name, bytes) gives the bytes of each entry, or None to leave it out."""
    with zipfile.ZipFile(FOLDER / source) as old:
        entries = [(entry.filename, change(entry.filename, old.read(entry))) for entry in old.infolist()]
    with zipfile.ZipFile(FOLDER / target, "w") as new:
        for name, data in entries:
            if data is not None:
                new.writestr(zipfile.ZipInfo(name), data)


def without_places(name, data):
    """Leaves out where on this machine the Python source stands."""
    return None if name.endswith((".debug_pkl", "/model.json")) else data


def with_device(name, data):
    """BINUNICODE of "cpu" becomes that of "cuda:0": the length stands in front as 4 bytes."""
    return data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:0") if name.endswith(".pkl") else data


def renamed_operator(name, data):
    return data.replace(b"torch.relu(", b"torch.softer_relu(") if name.endswith(".py") else data


def custom_operator(name, data):
    return data.replace(b"torch.relu(", b"ops.torchvision.relu(") if name.endswith(".py") else data


def newer_argument(name, data):
    return data.replace(b"torch.relu(", b"torch.relu(slope=1., self=") if name.endswith(".py") else data


def future(name, data):
    return b"99\n" if name.endswith("/version") else data


class UsesRelu(Network):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


def main():
    for old in FOLDER.glob("*.pt"):
        old.unlink()
    torch.manual_seed(1)
    images = torch.rand(2, 1, 4, 4)
    scripted = {
        "tensor": ReturnsTensor(),
        "list": ReturnsList(),
        "named_tuple": ReturnsNamedTuple(),
        "nested": ReturnsNestedDictionary(),
        "others": ReturnsOthersToo(),
        "nothing": ReturnsNothing(),
        "forgets": Forgets(),
        "scales": Scales(),
        "names_device": NamesItsDevice(),
        "relu": UsesRelu(),
    }
    for name, network in scripted.items():
        torch.jit.script(network.eval()).save(FOLDER / f"{name}.pt")
    torch.jit.trace(ReturnsTuple().eval(), images).save(FOLDER / "tuple.pt")
    dictionary = torch.jit.trace(ReturnsDictionary().eval(), images, strict=False)
    dictionary.save(FOLDER / "dictionary.pt")
    torch.jit.freeze(dictionary).save(FOLDER / "frozen.pt")
    for file in FOLDER.glob("*.pt"):
        edited(file.name, file.name, without_places)

    edited("dictionary.pt", "cuda.pt", with_device)
    edited("relu.pt", "newer.pt", renamed_operator)
    edited("relu.pt", "custom.pt", custom_operator)
    edited("relu.pt", "argument.pt", newer_argument)
    edited("relu.pt", "future.pt", future)
    (FOLDER / "relu.pt").unlink()

    network = ReturnsDictionary()
    weights = network.state_dict()
    torch.save(weights, FOLDER / "weights.pt")
    torch.save(weights, FOLDER / "weights_protocol4.pt", pickle_protocol=4)
    torch.save(weights, FOLDER / "weights_old.pt", _use_new_zipfile_serialization=False)
    torch.save({"model": weights, "epoch": 3}, FOLDER / "checkpoint.pt")
    torch.save(network, FOLDER / "whole.pt")
    torch.save(images, FOLDER / "images.pt")
    torch.export.save(torch.export.export(network, (images,)), FOLDER / "program.pt2")
    edited("program.pt2", "program.pt2", without_places)


if __name__ == "__main__":
    main()
