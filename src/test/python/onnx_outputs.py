"""How far an ONNX file is from an exported student's example: onnx_outputs.py FILE.onnx FOLDER"""
import pathlib, sys
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import load_file

example = load_file(pathlib.Path(sys.argv[2]) / "example.safetensors")
network = ReferenceEvaluator(sys.argv[1])
inputs = {name: example["input." + name] for name in network.input_names}
for name, output in zip(network.output_names, network.run(None, inputs)):
    print(name, abs(output - example["output." + name]).max())
