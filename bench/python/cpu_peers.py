#!/usr/bin/env python3
"""Measures the formulas as PyTorch programs on the CPU: eager and torch.compile, value and gradient.

    bench/python/cpu_peers.py --csv bench/results/mine.csv      after ./structkd bench --csv of the same file
    bench/python/cpu_peers.py --loss pairwise --case 1x512x32x32

Sizes are those of bench/cases.json that have targets. Needs what requirements-cpu.txt lists, and nothing of this library.
"""

import argparse
import csv
import os
import pathlib
import sys

CORES = len(os.sched_getaffinity(0))
# As the launcher of the bench sets them, and before any thread pool starts.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.setdefault("OMP_NUM_THREADS", str(CORES))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

import cases
import checks
import losses
import measure
from results import WRONG, Rows, tell

# Matrices over pairs of nodes that compositions of the pair-wise loss hold at once in f32, backward included.
PAIR_MATRICES = 5


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=pathlib.Path, help="append the results to this file")
    parser.add_argument("--loss", help="only this one")
    parser.add_argument("--case", help="only this size")
    parser.add_argument("--seconds", type=float, default=2.0, help="for a provider at a size: 2")
    return parser.parse_args()


def processor():
    with open("/proc/cpuinfo") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{names[0] if names else 'cpu'}, {CORES} cores"


def device_of(path):
    """What the rows of this machine in the file call it, so that a report puts them side by side."""
    here = processor()
    if path and path.exists():
        with open(path) as file:
            rows = csv.DictReader(line for line in file if not line.startswith("#"))
            for row in reversed(list(rows)):
                if row["device"].startswith(here):
                    return row["device"]
    return here


def rows_of(device):
    environment = " ".join(f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY"))
    threads, version = torch.get_num_threads(), torch.__version__
    notes = [f"{device}, {threads} threads", f"PyTorch {version}, Python {sys.version.split()[0]}", environment]
    return Rows(device, f"pytorch-{version}", f"threads={threads} {environment}", notes)


def gap(case):
    """Why compositions cannot run at this size; None if they can."""
    if case.loss != "pairwise":
        return None
    needed = PAIR_MATRICES * 4 * case.x**2
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    if needed < available:
        return None
    return f"would need {needed / 1e9:.1f} GB, {available / 1e9:.1f} are free"


def measure_case(case, seconds, rows):
    """Returns how many providers failed."""
    reason = gap(case)
    if reason:
        rows.add(case, "python-eager", "speed_ms", None, reason)
        tell(case, "python-eager", reason)
        return 0
    torch.compiler.reset()  # one size after another, each compiled for itself
    eager = losses.ALL[case.loss].eager
    ways = {"python-eager": eager, "python-compile": torch.compile(eager, dynamic=False)}
    student, teacher = case.inputs("cpu")
    truth = checks.value_and_gradient(case.truth("cpu"), student.double(), teacher.double())
    clock, failed = measure.Clock("cpu"), 0
    for provider in (name for name in ways if name in case.providers):
        try:
            errors = measure.errors(case.without_draw(ways[provider], "cpu"), truth, student, teacher)
            if not max(errors) <= WRONG:
                raise ArithmeticError("wrong result, errors %.1e and %.1e" % tuple(errors))
            call = measure.step(ways[provider], student, teacher)
            times = measure.percentiles(clock.times(call, seconds))
        except Exception as error:  # the other providers are still wanted
            failed += 1
            text = str(error).splitlines()[0].replace('"', "'")
            rows.add(case, provider, "speed_ms", None, text)
            tell(case, provider, f"FAILED: {text}")
            continue
        rows.add(case, provider, "speed_ms", times)
        rows.add(case, provider, "value_error", [errors[0]] * 3)
        rows.add(case, provider, "gradient_error", [errors[1]] * 3)
        tell(case, provider, "%9.3f ms (%.3f to %.3f)  error %.1e, of the gradient %.1e" % (*times, *errors))
    return failed


def main():
    given = arguments()
    rows = rows_of(device_of(given.csv))
    failed = 0
    for case in cases.listed("cpu"):
        if case.is_asked and given.loss in (None, case.loss) and given.case in (None, case.shape):
            failed += measure_case(case, given.seconds, rows)
    if given.csv:
        rows.append_to(given.csv)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
