"""Loads an exported student and compares it with structkd: load_student.py FOLDER"""
import json, pathlib, sys
import torch
from safetensors.torch import load_file

folder = pathlib.Path(sys.argv[1])
about = json.loads((folder / "student.json").read_text())
student = torch.jit.load(folder / "student.pt").eval()  # network and weights
student.load_state_dict(load_file(folder / "student.safetensors"))  # the same weights, by name

example = load_file(folder / "example.safetensors")
with torch.inference_mode():
    outputs = student(*(example["input." + given["name"]] for given in about["inputs"]))
print(sum(weight.numel() for weight in student.parameters()), "parameters, classes:", about["classes"])
for name, output in sorted(outputs.items()):
    apart = (output - example["output." + name]).abs().max().item()
    print(f"{name} {list(output.shape)} is at most {apart:.1e} from structkd's")
