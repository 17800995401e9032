#!/usr/bin/env python3
"""A roofline model of the losses on GPUs that were not measured.

  tools/cuda_model.py BENCH      writes docs/cuda-model.md; BENCH is structkd_cuda_bench, whose --list tells what
                                 each case must do at least; it needs no GPU

Time of a case = the longer of
  memory    the bytes that the algorithm must move / the data sheet's bandwidth
  compute   for each kernel that computes: how often warps run its inner loop x the cycles that the loop takes at least
            (docs/cuda-loops.csv: the busiest pipe, or one instruction a cycle) / quarters of multiprocessors / clock
Nothing else: no latency, no launches, no bank conflicts, no tail of a grid. It finds plain waste; it predicts no time.
"""
import csv
import dataclasses
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclasses.dataclass
class Gpu:
    """Data sheets: multiprocessors, boost clock in GHz, bandwidth in GB/s. `tensor`: rate of its tensor cores for f32
    sums relative to the architecture's table, which has that of GeForce cards."""
    name: str
    sm: int
    multiprocessors: int
    clock: float
    bandwidth: float
    tensor: float = 1.0


GPUS = [
    Gpu("H100 SXM", 90, 132, 1.98, 3350),
    Gpu("A100 80 GB SXM", 80, 108, 1.41, 2040),
    Gpu("RTX 4090", 89, 128, 2.52, 1008),
    Gpu("L4", 89, 58, 2.04, 300, tensor=2.0),
]


@dataclasses.dataclass
class Kernel:
    """`pattern`: its name in docs/cuda-loops.csv. It does `share` of the case's operations in its inner loop; where that
    is unrolled and counts no operations, `threads` threads run all of it once."""
    pattern: str
    share: float = 0.0
    threads: float = 0.0


@dataclasses.dataclass
class Case:
    loss: str
    name: str
    target: str  # of the design, ms on H100 / A100; "-": none
    kernels: dict  # fast_f64 or not: [Kernel]


def both(*kernels):
    return {True: list(kernels), False: list(kernels)}


CASES = []


def loops():
    with open(ROOT / "docs/cuda-loops.csv") as file:
        next(file)
        return list(csv.DictReader(file))


def occupancies():
    with open(ROOT / "docs/cuda-resources.csv") as file:
        next(file)
        return {(row["kernel"], int(row["sm"])): row["occupancy"] for row in csv.DictReader(file)}


def least_work(bench):
    """{(loss, case): (bytes, operations)}"""
    text = subprocess.run([bench, "--list"], capture_output=True, text=True, check=True).stdout
    pattern = re.compile(r"^(\S+) +(.+?) +(\S+) bytes +(\S+) flop$")
    return {match.group(1, 2): tuple(map(float, match.group(3, 4)))
            for match in map(pattern.match, text.splitlines())}


def compute_ms(kernel, row, operations, gpu):
    cycles = float(row["least_cycles"])
    if int(row["tensor"]) > 0:
        cycles = max(cycles / gpu.tensor, float(row["in_part"]))
    runs = kernel.threads / 32 if kernel.threads else kernel.share * operations / float(row["warp_flops"])
    return 1e-6 * runs * cycles / (4 * gpu.multiprocessors * gpu.clock)


def model_rows(bench):
    table, occupied, work = loops(), occupancies(), least_work(bench)
    for case in CASES:
        moved, operations = work[(case.loss, case.name)]
        for gpu in GPUS:
            memory = 1e-6 * moved / gpu.bandwidth
            compute, notes = 0.0, []
            for kernel in case.kernels[gpu.sm in (80, 90)]:
                found = [row for row in table if int(row["sm"]) == gpu.sm and re.fullmatch(kernel.pattern, row["kernel"])]
                if len(found) != 1:
                    sys.exit(f"structkd: {len(found)} kernels of sm_{gpu.sm} are named {kernel.pattern}, expected 1")
                row = found[0]
                compute += compute_ms(kernel, row, operations, gpu)
                notes.append(f"{row['kernel'].split('<')[0]} {row['computing']} computing,"
                             f" {occupied[(row['kernel'], gpu.sm)]} occupied")
            yield [case.loss, case.name, gpu.name, f"{memory:.3g}", f"{compute:.3g}" if notes else "-",
                   f"**{max(memory, compute):.3g}**", "memory" if memory >= compute else "compute",
                   target_of(case, gpu), "; ".join(notes)]


def target_of(case, gpu):
    targets = dict(zip(("H100 SXM", "A100 80 GB SXM"), case.target.split(" / ")))
    return targets.get(gpu.name, "-")


HEAD = """# A roofline model of the losses

**A model: nothing in this file was timed.** `tools/cuda_model.py` writes it from the bytes and operations that each
algorithm must do at least (`structkd_cuda_bench --list`), data sheets, and the instructions of the inner loops
([cuda-loops.csv](cuda-loops.csv), [cuda-resources.csv](cuda-resources.csv)). It leaves out latency, launches, bank
conflicts and the tail of a grid, so a kernel is slower than this; one that is modelled above its target cannot reach it.
Measured times are in [bench/results](../bench/results).

All times in ms, value and gradient, f32. "target" is what the design asks for, where it names that GPU.

"""


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    columns = ["loss", "case", "GPU", "memory", "compute", "model", "limit", "target", "inner loops"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in model_rows(sys.argv[1])]
    (ROOT / "docs/cuda-model.md").write_text(HEAD + "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
