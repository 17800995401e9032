"""Makes the files beside it: python3 make-teachers.py, with PyTorch 2.15 the last time.

Each is what users of PyTorch have at hand when they look for a teacher.
"""

import zipfile
from pathlib import Path
from typing import NamedTuple

import torch

HERE = Path(__file__).parent
IMAGES = torch.zeros(1, 1, 8, 8)


class Outputs(NamedTuple):
    logits: torch.Tensor
    features: torch.Tensor


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encode = torch.nn.Conv2d(1, 2, 1)
        self.head = torch.nn.Conv2d(2, 3, 1)

    def forward(self, images: torch.Tensor) -> Outputs:
        features = self.encode(images)
        return Outputs(self.head(features), features)


def rewrite(path, cuda=False):
    """Leaves out where the sources lay; with cuda, the place of each storage is cuda:0."""
    with zipfile.ZipFile(path) as old:
        entries = {entry.filename: old.read(entry) for entry in old.infolist()}
    with zipfile.ZipFile(path, "w") as new:
        for name, data in entries.items():
            if name.endswith((".debug_pkl", "models/model.json")):
                continue
            if cuda and name.endswith("data.pkl"):
                data = data.replace(b"X\x03\0\0\0cpu", b"X\x06\0\0\0cuda:0")
            new.writestr(zipfile.ZipInfo(name), data)


torch.manual_seed(1)
network = Network().eval()
torch.jit.script(network).save(HERE / "named.pt")
torch.jit.freeze(torch.jit.trace(network, IMAGES)).save(HERE / "frozen.pt")
logits = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 1), torch.nn.ReLU()).eval()
torch.jit.trace(logits, IMAGES).save(HERE / "cuda.pt")
torch.save(logits, HERE / "module.pt")
torch.save(logits.state_dict(), HERE / "state_dict.pt")
torch.save({"model": logits.state_dict(), "epoch": 3}, HERE / "checkpoint.pt")
torch.save(logits.state_dict(), HERE / "legacy.pt", _use_new_zipfile_serialization=False)
torch.export.save(torch.export.export(logits, (IMAGES,)), HERE / "export.pt2")
for file in "named.pt", "frozen.pt", "export.pt2":
    rewrite(HERE / file)
rewrite(HERE / "cuda.pt", cuda=True)
