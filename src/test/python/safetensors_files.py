"""Reads and writes weights as a Python user would; PythonFilesTest starts it.

    safetensors_files.py check FILE   opens what Java wrote: each tensor holds 0, 1, 2 ... 11 as [3, 4]
    safetensors_files.py write FILE   writes such tensors, named by their types, for Java to open
    safetensors_files.py names FILE   prints names, types and shapes

With PyTorch if it is installed, else with numpy.
"""

import sys

try:
    import torch
    from safetensors.torch import load_file, save_file

    # The names that the format gives its types; of PyTorch's, those that can count to 11.
    TYPES = {
        "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
        "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8,
        "C64": torch.complex64, "F8_E4M3": torch.float8_e4m3fn,
    }  # fmt: skip

    def counting(dtype):
        return torch.arange(12).reshape(3, 4).to(dtype)

    def equal(a, b):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a.to(torch.complex64) == b.to(torch.complex64)).all())

except ImportError:
    import numpy
    from safetensors.numpy import load_file, save_file

    TYPES = {
        "F64": numpy.float64, "F32": numpy.float32, "F16": numpy.float16, "I64": numpy.int64,
        "I32": numpy.int32, "I16": numpy.int16, "I8": numpy.int8, "U8": numpy.uint8,
    }  # fmt: skip

    def counting(dtype):
        return numpy.arange(12).reshape(3, 4).astype(dtype)

    def equal(a, b):
        return a.dtype == b.dtype and a.shape == b.shape and bool((a == b).all())


def main():
    command, path = sys.argv[1:]
    if command == "write":
        save_file({name: counting(dtype) for name, dtype in TYPES.items()}, path, metadata={"note": "from Python"})
        print(*TYPES)
    elif command == "check":
        tensors = load_file(path)
        print(*(name for name, dtype in TYPES.items() if equal(tensors[name], counting(dtype))))
    else:
        for name, tensor in sorted(load_file(path).items()):
            print(name, str(tensor.dtype).removeprefix("torch."), list(tensor.shape))


main()
