"""Builds and loads libstructkd_torch.so; one function per loss with the variant that is measured."""

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


def pixelwise(
    student, teacher, mask=None, divergence="kl_teacher_student", divisor="pixels", temperature=1.0
):
    return ops.pixelwise(student, teacher, mask, divergence, divisor, temperature, True)


def pairwise(
    student,
    teacher,
    weights=None,
    norm="differentiable",
    eps_mode="max",
    eps=1e-12,
    whole=False,
    precision="exact",
):
    pairs = "whole_batch" if whole else "per_image"
    return ops.pairwise(student, teacher, weights, norm, eps_mode, eps, pairs, precision)


def pairwise_fast(student, teacher):
    return pairwise(student, teacher, precision="fast")


def inter_class_similarity(
    student, teacher, mask=None, temperature=1.0, row_normalize=False, mode="paper"
):
    return ops.inter_class_similarity(student, teacher, mask, mode, temperature, row_normalize)


def sample(
    teacher, labels=None, logits=None, sampling="all", samples=1, classes=1, seed=7, step=1, correct=False
):
    """I32 [B, 2 + M]: samples and classes of each image, then its pixels."""
    return ops.global_structural_sample(
        teacher,
        logits,
        labels,
        sampling,
        "other_classes",
        "random",
        correct,
        samples,
        1,
        classes,
        255,
        seed,
        number(teacher, step),
    )


def number(beside, value):
    return torch.full((), value, dtype=torch.int64, device=beside.device)


def global_structural(
    student,
    teacher,
    table=None,
    permutation=None,
    comparison="group_divergence",
    width=None,
    shuffle="row_independent",
    reduction="sum",
    remainder="averaged",
    similarity="self",
    temperature=1.0,
    normalize=True,
    classes=1,
    seed=7,
    step=1,
):
    """At the pixels of a table of sample(), or at all."""
    nodes = student[0, 0].numel() if table is None else table.shape[1] - 2
    indices, counts = (None, None) if table is None else (table[:, 2:], table[:, :2])
    step = step if torch.is_tensor(step) else number(student, step)
    return ops.global_structural(
        student,
        teacher,
        indices,
        counts,
        permutation,
        comparison,
        normalize,
        similarity,
        shuffle,
        reduction,
        remainder,
        "mean",
        nodes // 8 if width is None else width,
        temperature,
        1e-8,
        classes,
        seed,
        step,
    )
