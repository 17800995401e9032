#!/usr/bin/env python3
"""Checks and measures the losses as PyTorch operators, against the same formulas composed of PyTorch's own.

    bench/python/gpu_compare.py --quick             build, check, measure the main sizes: about 150 s
    bench/python/gpu_compare.py --csv mine.csv      all sizes, torch.compile too
    bench/python/gpu_compare.py --device cpu        the same on the CPU: small sizes, no rates

Needs PyTorch 2.10 or newer, CMake 3.22, ninja, g++ 11 and, for CUDA, nvcc 13; no JDK and no network.
"""

import argparse
import datetime
import pathlib
import platform
import subprocess
import sys
import time
import traceback

import torch

import cases
import checks
import formulas
import measure
import operators as our

HEADER = "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,config,device,timestamp,version"
# A wrong answer gets no time, whoever gave it. The accuracy rule below is stricter; eager in f32 may come near.
WRONG = 1e-2


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--device",
        choices=("cuda", "cpu", "emulated"),
        default="cuda",
        help="emulated: the CUDA kernels on the CPU, thread by thread; checks alone",
    )
    parser.add_argument("--quick", action="store_true", help="the main sizes, within --seconds")
    parser.add_argument("--seconds", type=float, help="no case is begun after this time; 140 with --quick")
    parser.add_argument(
        "--case-seconds",
        type=float,
        default=None,
        help="time for one provider at one size: 0.5 with --quick, else 2",
    )
    parser.add_argument("--loss", action="append", help="only this one; may be repeated")
    parser.add_argument("--csv", type=pathlib.Path, help="append the results to this file")
    parser.add_argument("--library", type=pathlib.Path, help="folder with libraries that are built already")
    parser.add_argument("--architectures", default="native", help="what nvcc builds for, such as 90")
    parser.add_argument("--no-checks", action="store_true", help="measure alone")
    parser.add_argument("--no-times", action="store_true", help="check alone")
    given = parser.parse_args()
    given.seconds = given.seconds or (140 if given.quick else 3600)
    given.case_seconds = given.case_seconds or (0.5 if given.quick else 2.0)
    return given


class Results:
    """Figures as lines for people and as rows of the CSV."""

    def __init__(self, device):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.torch_device = "cuda" if device == "cuda" else "cpu"
        self.time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.device = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "cpu"
        self.version = f"{our.version()}+{commit()}"
        self.rows = []
        where = f"driver {driver()}, f32, CUDA events, cold L2, " if device == "cuda" else ""
        self.notes = [
            self.device,
            f"structkd {self.version}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}",
            where + self.time,
        ]
        print("\n".join(self.notes), flush=True)

    def add(self, case, provider, times, peak, errors):
        self._row(case, provider, "speed_ms", times)
        if peak is not None:
            self._row(case, provider, "peak_memory_mib", [peak] * 3)
        if errors is not None:
            self._row(case, provider, "gradient_error", [errors[1]] * 3)

    def _row(self, case, provider, metric, values):
        config = f'"shape={case.shape} dtype=f32 pytorch={torch.__version__}"'
        numbers = ",".join(f"{v:.5g}" for v in values)
        self.rows.append(
            f"{case.loss},{provider},full,{metric},{case.x_name},{case.x},{numbers},{config},"
            f'"{self.device}",{self.time},{self.version}'
        )

    @staticmethod
    def line(times, ours, peak, errors, plan):
        text = "%9.4f ms (%.4f to %.4f)" % tuple(times)
        text += f" {times[0] / ours[0]:7.1f}x" if ours else ""
        text += f" {peak:9.1f} MiB" if peak is not None else ""
        text += "  error %.1e, of the gradient %.1e" % tuple(errors) if errors else ""
        return f"{text}  {plan}"

    def write(self, path):
        old = path.read_text().splitlines() if path.exists() else [HEADER]
        if HEADER not in old:
            raise SystemExit(f"{path} has other columns")
        path.write_text("\n".join(old + [f"# {note}" for note in self.notes] + self.rows) + "\n")


def first_line(*command):
    """What a program prints, "unknown" where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=our.ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def commit():
    return first_line("git", "rev-parse", "--short=10", "HEAD")


def driver():
    return first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")


def measure_case(case, given, results, clock, deadline):
    """Returns the sentences of what went wrong on our side."""
    student, teacher = case.inputs(results.torch_device)
    measure.clean()
    truth = checks.value_and_gradient(case.truth, student.double(), teacher.double())
    providers, checked = dict(case.providers), dict(case.checked)
    if not given.quick:
        torch.compiler.reset()  # one size after another, each compiled for itself
        providers["compile"] = torch.compile(getattr(formulas, case.loss), dynamic=False)
        if case.compared is None:
            checked["compile"] = providers["compile"]
    found, times, failures = {}, {}, []

    def tell(provider, text):
        print(f"{case.loss:24} {case.shape:22} {provider:14} {text}", flush=True)

    for provider, loss in providers.items():
        if time.monotonic() > deadline:
            tell(provider, "left out: no time")
            continue
        try:
            if provider in checked:
                measure.clean()
                found[provider] = measure.errors(checked[provider], truth, student, teacher)
                if provider.startswith("structkd") and not max(found[provider]) <= WRONG:
                    raise ArithmeticError(f"wrong result, errors {found[provider]} ({our.last_plan()})")
            measure.clean()
            call = measure.step(loss, student, teacher)
            times[provider] = measure.percentiles(clock.times(call, given.case_seconds))
            plan = f"({our.last_plan()})" if provider.startswith("structkd") else ""
            peak = measure.peak_mebibytes(call, student.nbytes) if given.device == "cuda" else None
            results.add(case, provider, times[provider], peak, found.get(provider))
            tell(
                provider,
                results.line(times[provider], times.get("structkd"), peak, found.get(provider), plan),
            )
        except torch.OutOfMemoryError:
            tell(provider, "out of memory")
        except Exception as error:  # the other providers and cases are still wanted
            tell(provider, f"FAILED: {str(error).splitlines()[0]}")
            if provider.startswith("structkd"):
                failures.append(f"{case.loss} {case.shape} {provider}: {str(error).splitlines()[0]}")
                traceback.print_exc()
    return failures + accuracy(case, found)


def accuracy(case, found):
    """At most twice eager's error plus the rounding of f32; of the value, one number, a lucky eager says little."""
    if "structkd" not in found or "eager" not in found:
        return []
    unit = checks.ROUNDING[torch.float32]
    broken = []
    for part, slack, ours, eager in zip(("value", "gradient"), (16, 4), found["structkd"], found["eager"]):
        if not ours <= 2 * eager + slack * unit:
            broken.append(f"{case.loss} {case.shape}: {part} error {ours:.2g}, of eager {eager:.2g}")
    return broken


def main():
    given = arguments()
    begin = time.monotonic()
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("PyTorch sees no CUDA device here; --device cpu checks the rest")
    folder = given.library or our.build(given.device, given.architectures)
    our.load(folder.resolve(), given.device)
    print(f"operators from {folder} after {time.monotonic() - begin:.0f} s", flush=True)
    device = "cuda" if given.device == "cuda" else "cpu"
    results = Results(given.device)
    failures = [] if given.no_checks else checks.run(device, given.loss)
    print(f"checks ended after {time.monotonic() - begin:.0f} s", flush=True)
    if not given.no_times and given.device != "emulated":
        clock = measure.Clock(device)
        for case in cases.all_cases(device):
            if (given.quick and not case.quick) or (given.loss and case.loss not in given.loss):
                continue
            if time.monotonic() - begin > given.seconds:
                print(f"{case.loss:24} {case.shape:22} left out: no time", flush=True)
                continue
            try:
                failures += measure_case(case, given, results, clock, begin + given.seconds)
            except torch.OutOfMemoryError:
                print(f"{case.loss:24} {case.shape:22} left out: no memory for the truth", flush=True)
        if given.csv:
            results.write(given.csv)
    print("\n".join(["FAILED:", *failures] if failures else ["All checks passed."]))
    print(f"{time.monotonic() - begin:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
