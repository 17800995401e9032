#!/usr/bin/env python3
"""Measures the formulas as PyTorch programs on the CPU: eager and torch.compile, value and gradient.

    bench/python/cpu_peers.py --csv bench/results/mine.csv      after ./structkd bench --csv of the same file
    bench/python/cpu_peers.py --loss pairwise --shape 1x512x32x32

Sizes are those of bench/targets.csv. Needs what requirements-cpu.txt lists, and nothing of this library.
"""

import argparse
import csv
import datetime
import os
import pathlib
import subprocess
import sys

CORES = len(os.sched_getaffinity(0))
# As the launcher of the bench sets them, and before any thread pool starts.
os.environ.pop("OPENBLAS_CORETYPE", None)
os.environ.setdefault("OMP_NUM_THREADS", str(CORES))
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch

import cases
import checks
import formulas
import measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEADER = "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,config,device,timestamp,version"
# A wrong answer gets no time. The accuracy of eager in f32 on hard inputs comes near a thousandth.
WRONG = 1e-2
# Matrices over pairs of nodes that compositions of the pair-wise loss hold at once in f32, backward included.
PAIR_MATRICES = 5


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--csv", type=pathlib.Path, help="append the results to this file")
    parser.add_argument("--loss", help="only this one")
    parser.add_argument("--shape", help="only this size")
    parser.add_argument("--seconds", type=float, default=2.0, help="for a provider at a size: 2")
    return parser.parse_args()


def asked():
    """Losses and sizes of the targets, each once."""
    with open(ROOT / "bench" / "targets.csv") as file:
        rows = csv.DictReader(line for line in file if not line.startswith("#"))
        return list(dict.fromkeys((row["kernel"], row["shape"]) for row in rows))


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


def commit():
    done = subprocess.run(
        ["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


class Rows:
    def __init__(self, device):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.device = device
        self.environment = " ".join(
            f"{name}={os.environ[name]}" for name in ("OMP_NUM_THREADS", "OMP_WAIT_POLICY")
        )
        self.lines = [
            f"# {device}, {torch.get_num_threads()} threads",
            f"# PyTorch {torch.__version__}, Python {sys.version.split()[0]}",
            f"# {self.environment}",
            f"# {self.time}, load average before {os.getloadavg()[0]:.2f}",
        ]
        print("\n".join(self.lines), flush=True)

    def add(self, case, provider, metric, values, gap=None):
        config = f"shape={case.shape} dtype=f32 threads={torch.get_num_threads()} {self.environment}"
        config += f' gap=""{gap}""' if gap else ""
        numbers = ",".join(f"{v:.5g}" for v in values) if values else ",,"
        self.lines.append(
            f'{case.loss},{provider},full,{metric},{case.x_name},{case.x},{numbers},"{config}",'
            f'"{self.device}",{self.time},pytorch-{torch.__version__}+{commit()}'
        )

    def append_to(self, path):
        """A reader sees the file before or after."""
        old = path.read_text().splitlines() if path.exists() else [HEADER]
        if HEADER not in old:
            raise SystemExit(f"{path} has other columns")
        new = path.with_name(path.name + ".tmp")
        new.write_text("\n".join(old + self.lines) + "\n")
        new.replace(path)


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
    providers = {"python-eager": getattr(formulas, case.loss)}
    reason = gap(case)
    if reason:
        rows.add(case, "python-eager", "speed_ms", None, reason)
        print(f"{case.loss:24} {case.shape:22} {reason}", flush=True)
        return 0
    torch.compiler.reset()  # one size after another, each compiled for itself
    providers["python-compile"] = torch.compile(providers["python-eager"], dynamic=False)
    # Where a call draws at random, what is compared is the same formula at a given draw.
    compared = {name: (case.compared or {}).get("eager", loss) for name, loss in providers.items()}
    student, teacher = case.inputs("cpu")
    truth = checks.value_and_gradient(case.truth, student.double(), teacher.double())
    clock, failed = measure.Clock("cpu"), 0
    for provider, loss in providers.items():
        try:
            errors = measure.errors(compared[provider], truth, student, teacher)
            if not max(errors) <= WRONG:
                raise ArithmeticError("wrong result, errors %.1e and %.1e" % tuple(errors))
            call = measure.step(loss, student, teacher)
            times = measure.percentiles(clock.times(call, seconds))
        except Exception as error:  # the other providers are still wanted
            failed += 1
            text = str(error).splitlines()[0].replace('"', "'")
            rows.add(case, provider, "speed_ms", None, text)
            print(f"{case.loss:24} {case.shape:22} {provider:14} FAILED: {text}", flush=True)
            continue
        rows.add(case, provider, "speed_ms", times)
        rows.add(case, provider, "value_error", [errors[0]] * 3)
        rows.add(case, provider, "gradient_error", [errors[1]] * 3)
        line = "%9.3f ms (%.3f to %.3f)  error %.1e, of the gradient %.1e" % (*times, *errors)
        print(f"{case.loss:24} {case.shape:22} {provider:14} {line}", flush=True)
    return failed


def main():
    given = arguments()
    rows = Rows(device_of(given.csv))
    failed = 0
    for loss, shape in asked():
        if shape.endswith("-whole"):
            continue  # pairs across the batch: the formulas here compare nodes of an image
        if given.loss in (None, loss) and given.shape in (None, shape):
            failed += measure_case(getattr(cases, loss)(shape, False), given.seconds, rows)
    if given.csv:
        rows.append_to(given.csv)
        print(f"Appended to {given.csv}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
