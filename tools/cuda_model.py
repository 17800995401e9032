#!/usr/bin/env python3
"""A roofline model of the losses, beside measurements where there are some.

  tools/cuda_model.py update BENCH    writes docs/cuda-model.md; BENCH is structkd_cuda_bench, whose --list tells what
                                      each case must do at least; it needs no GPU
  tools/cuda_model.py check BENCH     fails if that file has another text

Time of a case = the longer of
  memory    the bytes that the algorithm must move / the data sheet's bandwidth
  compute   for each kernel that a call launches (docs/cuda-launches.csv): how often warps run its inner loop x the cycles
            that the loop takes at least (docs/cuda-loops.csv: the busiest pipe, or one instruction a cycle) / quarters of
            multiprocessors / clock
Nothing else: no latency, no launches, no bank conflicts, no tail of a grid. It finds plain waste; it predicts no time.
"""
import csv
import dataclasses
import json
import math
import pathlib
import re
import subprocess
import sys

import cuda_resources

ROOT = pathlib.Path(__file__).resolve().parent.parent
CASES = ROOT / "bench/cases.json"
MODEL = ROOT / "docs/cuda-model.md"
MEASURED = ROOT / "bench/results/h200-kernels-2026-11-26.csv"


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
    Gpu("H200", 90, 132, 1.98, 4800),
    Gpu("H100 SXM", 90, 132, 1.98, 3350),
    Gpu("A100 80 GB SXM", 80, 108, 1.41, 2040),
    Gpu("RTX 4090", 89, 128, 2.52, 1008),
    Gpu("L4", 89, 58, 2.04, 300, tensor=2.0),
]


# By names of GPUs, the field of bench/cases.json that has what is asked there.
TARGETS = {"H200": "h200_ms", "H100 SXM": "h100_ms", "A100 80 GB SXM": "a100_ms"}


@dataclasses.dataclass
class Case:
    """`label`: as structkd_cuda_bench prints it, `variant` behind the name; `target`: ms by names of GPUs."""
    loss: str
    name: str
    variant: str
    target: dict

    @property
    def label(self):
        return self.name if self.variant == "f32" else f"{self.name} {self.variant}"

    def multiplies_in(self, sm):
        """Part of the name of the pair-wise form's kernels that compute, by the rate of f64; the other forms are launched,
        too, but leave at once."""
        if self.variant in ("fast", "f16"):
            return "Tf32Mma"
        if self.variant == "bf16":
            return "Bf16Mma"
        if cuda_resources.launched_like(sm) != "sm_89":
            return "F64Mma"
        return "Fma<float>" if "-aligned" in self.name else "Fma<TwoFloat>"


def cases():
    """Of bench/cases.json those that have a target, and in f32 all of --quick."""
    for loss, listed in json.loads(CASES.read_text()).items():
        for case in listed["gpu"]["cases"]:
            targets = {t["variant"]: t for t in case.get("targets", [])}
            for variant in case.get("variants", ["f32"]):
                target = targets.get(variant, {})
                is_main = variant == "f32" and case.get("quick") and listed["inputs"] != "labels"
                if target or is_main:
                    yield Case(loss, case["name"], variant,
                               {name: target.get(key, "-") for name, key in TARGETS.items()})


# Share of a case's operations that the inner loop of a kernel does, where both nets have the same channels.
SHARES = [(r"pairwise_(gram|pairs)_tile_.*", 0.5), (r"pairwise_(gram|pairs)_grad_.*", 0.5),
          (r"pairwise_rounded_(gram|pairs)_tile_.*", 0.5), (r"pairwise_rounded_(pairs_)?grad_.*", 0.5),
          (r"class_products_.*", 0.5), (r"class_grad_.*", 0.5),
          (r"compare_maps_.*", 0.5), (r"row_gradient_.*", 0.5)]

# Of kernels without a main loop: warps do one of so many things (a row of either net, an order of columns), and each
# takes its part of the instructions.
THINGS = [(r"gather_rows_.*", 3)]

# Operations of a two-float multiply-add (two_float.cuh) for one of the two that the algorithm asks for.
TWO_FLOAT = 7.5


def tensor_products(launch):
    """Products that kernels of split f32 numbers (split_tf32.cuh) make for one that the inter-class loss asks for: three, and
    those of padding to the tiles of tensor cores. 1 for other kernels."""
    kernel = launch["kernel"]
    blocks = re.fullmatch(r"class_(products|grad)_by_(?:warp|block)_kernel<\w+, (\d+)>", kernel)
    if not blocks and "TensorSums" not in kernel:
        return 1
    classes = int(launch["case"].split("x")[1])
    if blocks:
        columns = 8 * int(blocks.group(2))
        rows = math.ceil(columns / 16) * 16 if blocks.group(1) == "products" else columns
    else:  # kTensorWarpRows, kTensorWarpColumns
        rows, columns = math.ceil(classes / 32) * 32, math.ceil(classes / 56) * 56
    return 3 * rows * columns / classes ** 2


def loops():
    with open(cuda_resources.LOOPS) as file:
        next(file)
        return {(row["kernel"], int(row["sm"])): row for row in csv.DictReader(file)}


def occupancies():
    with open(cuda_resources.RESOURCES) as file:
        next(file)
        return {(row["kernel"], int(row["sm"])): row["occupancy"] for row in csv.DictReader(file)}


def measured():
    """{(loss, case): ms} of the H200, as structkd_cuda_bench wrote them."""
    times = {}
    with open(MEASURED) as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            name, dtype = re.fullmatch(r"shape=(\S+) dtype=(\S+) cold L2", row["config"]).groups()
            variant = "fast" if row["provider"] == "structkd-fast" else dtype
            if row["metric"] == "speed_ms" and row["mode"] == "full":
                times.setdefault((row["kernel"], Case(row["kernel"], name, variant, {}).label), float(row["y_value_50"]))
    return times


def least_work(bench):
    """{(loss, case): (bytes, operations)}"""
    text = subprocess.run([bench, "--list"], capture_output=True, text=True, check=True).stdout
    pattern = re.compile(r"^(\S+) +(.+?) +(\S+) bytes +(\S+) flop$")
    return {match.group(1, 2): tuple(map(float, match.group(3, 4)))
            for match in map(pattern.match, text.splitlines())}


def launched(case, gpu):
    """Rows of docs/cuda-launches.csv, without kernels that leave at once."""
    device = cuda_resources.launched_like(gpu.sm)
    for row in cuda_resources.launches():
        if (row["device"], row["loss"], row["case"]) != (device, case.loss, case.label):
            continue
        if row["kernel"].startswith("pairwise_gram_") and case.multiplies_in(gpu.sm) not in row["kernel"]:
            continue
        yield row


def entry_of(table, kernel, default):
    return next((value for pattern, value in table if re.fullmatch(pattern, kernel)), default)


def compute_ms(launch, loop, operations, gpu):
    """None for a loop of which nobody knows how often it runs."""
    cycles = float(loop["least_cycles"])
    if int(loop["tensor"]) > 0:
        cycles /= gpu.tensor
    if loop["part"] == "all":
        blocks = math.prod(map(int, launch["grid"].split("x")))
        runs = blocks * int(launch["threads"]) / 32 / entry_of(THINGS, launch["kernel"], 1)
    else:
        share = entry_of(SHARES, launch["kernel"], None)
        if share is None or loop["warp_flops"] == "0":
            return None
        asked = float(loop["warp_flops"]) / (TWO_FLOAT if "Fma<TwoFloat>" in launch["kernel"] else tensor_products(launch))
        runs = share * operations / asked
    return 1e-6 * runs * cycles / (4 * gpu.multiprocessors * gpu.clock)


def model_rows(bench):
    table, occupied, work, times = loops(), occupancies(), least_work(bench), measured()
    for case in cases():
        moved, operations = work[(case.loss, case.label)]
        for gpu in GPUS:
            memory = 1e-6 * moved / gpu.bandwidth
            compute, heaviest = 0.0, []
            for launch in launched(case, gpu):
                loop = table[(launch["kernel"], gpu.sm)]
                own = compute_ms(launch, loop, operations, gpu)
                if own is None:
                    continue
                compute += own
                heaviest.append((own, f"{launch['kernel'].split('<')[0]} {loop['computing']} computing,"
                                      f" {occupied[(launch['kernel'], gpu.sm)]} occupied"))
            notes = "; ".join(note for _, note in sorted(heaviest, reverse=True)[:2])
            model, time = max(memory, compute), times.get((case.loss, case.label)) if gpu.name == "H200" else None
            yield [case.loss, case.label, gpu.name, f"{memory:.3g}", f"{compute:.3g}", f"**{model:.3g}**",
                   "memory" if memory >= compute else "compute", str(case.target.get(gpu.name, "-")),
                   f"{time:.3g} ({time / model:.1f}x)" if time else "-", notes]


HEAD = """# A roofline model of the losses

**A model: no time but those under "measured" was measured.** `tools/cuda_model.py` writes it from the bytes and
operations that each algorithm must do at least (`structkd_cuda_bench --list`), data sheets, and the instructions of the
main loops ([cuda-loops.csv](cuda-loops.csv), [cuda-resources.csv](cuda-resources.csv)). It leaves out latency,
launches, bank conflicts, the tail of a grid, and kernels for whose loop it does not know how often it runs, so a kernel
is slower than this.

"measured" is from [an H200](../bench/results/h200-kernels-2026-11-26.csv), by kernels of 2026-11-26. Where the model
was wrong, and why (docs/gpu.md has the details):

* pair-wise, FAST, f16 and bf16: measured with earlier kernels, which formed the differences anew for each tile. Now they
  are rounded once and multiplied, which was not timed yet. The rate of sm_90's tensor cores is that of wgmma; mma.sync,
  which is used, reaches some 60 % of it.
* pair-wise, exact: 2.5 times. Twelve warps a multiprocessor do not hide the latency of the products.
* inter-class: 3 to 5 times, measured with earlier kernels, whose loads and products did not overlap, which a roofline
  takes for granted.
* global structural: 9 times for 152 samples, 3.4 times for 1200, measured with earlier kernels, of six launches instead
  of three. Small maps are bound by launches and latency. It leaves out the sums over groups and, of the gradient's
  loop, the weights that every fourth step makes. Each warp of the gather counts a third of the kernel's instructions,
  as if a row of either net and an order of columns took equally many.
* pixel-wise: 1.1 to 1.3 times, with instructions as the limit, not memory: as measured.

"computing" is a share of all instructions of the loop, those of other element types and layouts with them. All times in
ms, value and gradient, f32. "target" is what the design asks for, where it names that GPU.

"""


def text(bench):
    columns = ["loss", "case", "GPU", "memory", "compute", "model", "limit", "target", "measured", "heaviest kernels: computing share of the inner loop"]
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(row) + " |" for row in model_rows(bench)]
    return HEAD + "\n".join(lines) + "\n"


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("check", "update"):
        sys.exit(__doc__)
    if sys.argv[1] == "update":
        MODEL.write_text(text(sys.argv[2]))
    elif MODEL.read_text() != text(sys.argv[2]):
        sys.exit("structkd: docs/cuda-model.md does not follow from the tables; tools/cuda-resources.sh update writes it")


if __name__ == "__main__":
    main()
