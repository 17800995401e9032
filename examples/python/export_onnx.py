"""Converts an exported student to ONNX, with all axes that may vary: export_onnx.py FOLDER FILE.onnx"""
import json, pathlib, sys
import torch
from safetensors.torch import load_file


class Taps(torch.nn.Module):
    """ONNX has no dictionaries: the outputs in the order of their names."""

    def __init__(self, student, names):
        super().__init__()
        self.student, self.names = student, names

    def forward(self, *inputs):
        outputs = self.student(*inputs)
        return tuple(outputs[name] for name in self.names)


folder, file = pathlib.Path(sys.argv[1]), sys.argv[2]
about = json.loads((folder / "student.json").read_text())
names = sys.argv[3:] or [output["name"] for output in about["outputs"]]
example = load_file(folder / "example.safetensors")
free = {one["name"]: {i: axis for i, axis in enumerate(one["shape"]) if isinstance(axis, str)} for one in about["inputs"]}
torch.onnx.export(
    Taps(torch.jit.load(folder / "student.pt").eval(), names),
    tuple(example["input." + name] for name in free),
    file,
    input_names=list(free),
    output_names=names,
    dynamic_axes=free | {name: {0: "B"} for name in names},
    opset_version=17,
    dynamo=False,  # torch.export does not read TorchScript
)
