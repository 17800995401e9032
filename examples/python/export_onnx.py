"""Converts an exported student to ONNX, with all axes that may vary: export_onnx.py FOLDER FILE.onnx [TAP...]"""
import json, pathlib, sys
import torch
from safetensors.torch import load_file


class Taps(torch.jit.ScriptModule):
    """ONNX has no dictionaries: a tuple of outputs, in the order of these names."""

    def __init__(self, student, inputs, names):
        super().__init__()
        self.student = student
        inputs, taps = ", ".join(inputs), "".join(f"taps['{name}'], " for name in names)
        self.source = f"def forward(self, {inputs}):\n  taps = self.student.forward({inputs})\n  return ({taps})\n"


folder, file = pathlib.Path(sys.argv[1]), sys.argv[2]
about = json.loads((folder / "student.json").read_text())
names = sys.argv[3:] or [output["name"] for output in about["outputs"]]
example = load_file(folder / "example.safetensors")
free = {one["name"]: {i: axis for i, axis in enumerate(one["shape"]) if isinstance(axis, str)} for one in about["inputs"]}
taps = Taps(torch.jit.load(folder / "student.pt").eval(), free, names)
taps.define(taps.source)
torch.onnx.export(
    taps,
    tuple(example["input." + name] for name in free),
    file,
    input_names=list(free),
    output_names=names,
    dynamic_axes=free | {name: {0: "B"} for name in names},
    opset_version=17,
    dynamo=False,  # torch.export does not read TorchScript
)
