"""Builds and loads libstructkd_torch.so, and what it says of itself."""

import ctypes
import os
import pathlib
import subprocess
import sys

import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]

ops = torch.ops.structkd
_kernels = None


def build(device, architectures="native"):
    """Compiles against the PyTorch of this interpreter; returns the folder with the libraries."""
    folder = ROOT / "target" / f"python-{device}"
    options = {
        "cuda": ["-DSTRUCTKD_CUDA=ON", f"-DSTRUCTKD_CUDA_ARCHITECTURES={architectures}"],
        "emulated": ["-DSTRUCTKD_CUDA_EMULATED=ON"],
        "cpu": [],
    }[device]
    command = [str(ROOT / "cppbuild.sh"), "--python", str(folder), *options]
    log = folder.with_suffix(".log")
    log.parent.mkdir(parents=True, exist_ok=True)
    # CMake and ninja may be packages of this interpreter.
    path = os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]
    with open(log, "w") as out:
        environment = {**os.environ, "PYTHON": sys.executable, "PATH": path}
        done = subprocess.run(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        print("".join(open(log).readlines()[-40:]), file=sys.stderr)
        raise SystemExit(f"the build failed, see {log}")
    return folder / "lib"


def load(folder, device):
    """Loads the operators. With device "emulated" CPU tensors take the CUDA kernels, run by a CPU."""
    global _kernels
    torch.ops.load_library(str(folder / "libstructkd_torch.so"))
    _kernels = ctypes.CDLL(str(folder / "libstructkd.so"))
    for name in ("structkd_last_plan", "structkd_version"):
        getattr(_kernels, name).restype = ctypes.c_char_p
    if device == "emulated":
        ctypes.CDLL(str(folder / "libstructkd_cuda_emulated.so"))
        ops.use_backend("cuda-emulated")


def last_plan():
    return _kernels.structkd_last_plan().decode()


def version():
    return _kernels.structkd_version().decode()


def number(beside, value):
    return torch.full((), value, dtype=torch.int64, device=beside.device)


def on_cpu_backend(call):
    before = ops.use_backend("cpu")
    try:
        return call()
    finally:
        ops.use_backend(before)
