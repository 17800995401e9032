#!/usr/bin/env python3
"""Checks and measures the losses as PyTorch operators, against the same formulas composed of PyTorch's own,
in f32 and as a training under bf16 autocast calls them.

    bench/python/gpu_compare.py --quick             build, check, measure the main sizes: about 150 s
    bench/python/gpu_compare.py --csv mine.csv      all sizes, torch.compile too
    bench/python/gpu_compare.py --device cpu        the same on the CPU: small sizes, no rates

Needs PyTorch 2.10 or newer, CMake 3.22, ninja, g++ 11 and, for CUDA, nvcc 13; no JDK and no network.
"""

import argparse
import pathlib
import platform
import sys
import time
import traceback

import torch

import cases
import checks
import losses
import measure
import operators as our
from results import WRONG, WRONG_FAST_BF16, Rows, first_line, tell


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


def rows_of(device):
    name = torch.cuda.get_device_name() if device == "cuda" else platform.processor() or "cpu"
    notes = [name, f"structkd {our.version()}, PyTorch {torch.__version__}, CUDA {torch.version.cuda}"]
    if device == "cuda":
        driver = first_line("nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader")
        notes.append(f"driver {driver}, CUDA events, cold L2")
    return Rows(name, our.version(), f"pytorch={torch.__version__}", notes)


def line(times, ours, peak, errors, plan):
    text = "%9.4f ms (%.4f to %.4f)" % tuple(times)
    text += f" {times[0] / ours[0]:7.1f}x" if ours else ""
    text += f" {peak:9.1f} MiB" if peak is not None else ""
    text += "  error %.1e, of the gradient %.1e" % tuple(errors) if errors else ""
    return f"{text}  {plan}"


def tf32(loss):
    """The same with products in TF32, which PyTorch does not do unless it is told."""

    def call(*args, **kwargs):
        torch.backends.cuda.matmul.allow_tf32 = True
        return loss(*args, **kwargs)

    return call


def autocast(loss, device):
    """The same as a training in mixed precision calls it: only forward under autocast, as PyTorch asks for."""

    def call(*args, **kwargs):
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            return loss(*args, **kwargs)

    return call


def is_ours(provider):
    return provider.startswith("structkd")


def ways(case, dtype, device, quick):
    """The listed providers for maps of a type, ours first. To compile takes too long for --quick."""
    module = losses.ALL[case.loss]
    eager = module.eager
    known = {
        "structkd": module.ours,
        "structkd-fast": getattr(module, "fast", None),
        "eager": eager,
        "eager-tf32": tf32(eager),
        "authors": module.authors,
        "compile": torch.compile(eager, dynamic=False),
    }
    for name in ("structkd", "structkd-fast", "eager", "compile"):
        known[name + cases.BF16] = autocast(known[name], device)
    chosen = [name for name in case.providers if cases.dtype_of(name) == dtype]
    if quick:
        chosen = [name for name in chosen if not name.startswith("compile")]
    return {name: known[name] for name in sorted(chosen, key=lambda name: not is_ours(name))}


def measure_case(case, given, rows, clock, deadline):
    """Returns the sentences of what went wrong on our side."""
    failures = []
    for dtype in (torch.float32, torch.bfloat16):
        measure.clean()
        torch.compiler.reset()  # one size after another, each compiled for itself
        providers = ways(case, dtype, clock.device, given.quick)
        if providers:
            failures += measure_providers(case, dtype, providers, given, rows, clock, deadline)
    return failures


def measure_providers(case, dtype, providers, given, rows, clock, deadline):
    """All of one type of maps, whose truth is that of their numbers: rounding them is nobody's error."""
    device = clock.device
    student, teacher = (x.to(dtype) for x in case.inputs(device))
    truth = checks.value_and_gradient(case.truth(device), student.double(), teacher.double())
    found, times, failures = {}, {}, []
    for provider, loss in providers.items():
        if time.monotonic() > deadline:
            tell(case, provider, "left out: no time")
            continue
        try:
            if provider != "authors":  # another divisor, a detached length or permutations of its own
                index = torch.int32 if is_ours(provider) else torch.int64
                measure.clean()
                compared = case.without_draw(loss, device, index)
                found[provider] = measure.errors(compared, truth, student, teacher)
                limit = WRONG_FAST_BF16 if provider == "structkd-fast-bf16" else WRONG
                if is_ours(provider) and not max(found[provider]) <= limit:
                    raise ArithmeticError(f"wrong result, errors {found[provider]} ({our.last_plan()})")
            measure.clean()
            call = measure.step(loss, student, teacher)
            times[provider] = measure.percentiles(clock.times(call, given.case_seconds))
            plan = f"({our.last_plan()})" if is_ours(provider) else ""
            peak = measure.peak_mebibytes(call, student.nbytes) if device == "cuda" else None
            errors = found.get(provider)
            rows.add(case, provider, "speed_ms", times[provider])
            if peak is not None:
                rows.add(case, provider, "peak_memory_mib", [peak] * 3)
            if errors is not None:
                rows.add(case, provider, "gradient_error", [errors[1]] * 3)
            ours = times.get("structkd", times.get("structkd" + cases.BF16))
            tell(case, provider, line(times[provider], ours, peak, errors, plan))
        except torch.OutOfMemoryError:
            tell(case, provider, "out of memory")
        except Exception as error:  # the other providers and cases are still wanted
            text = str(error).splitlines()[0]
            tell(case, provider, f"FAILED: {text}")
            if is_ours(provider):
                failures.append(f"{case.loss} {case.shape} {provider}: {text}")
                traceback.print_exc()
    return failures + accuracy(case, found)


def accuracy(case, found):
    """At most twice eager's error plus the rounding of f32; of the value, one number, a lucky eager says little."""
    unit = checks.ROUNDING[torch.float32]
    broken = []
    for suffix in ("", cases.BF16):
        if "structkd" + suffix not in found or "eager" + suffix not in found:
            continue
        errors = zip(("value", "gradient"), (16, 4), found["structkd" + suffix], found["eager" + suffix])
        for part, slack, ours, eager in errors:
            if not ours <= 2 * eager + slack * unit:
                what = f"{case.loss} {case.shape} structkd{suffix}"
                broken.append(f"{what}: {part} error {ours:.2g}, of eager {eager:.2g}")
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
    rows = rows_of(given.device)
    failures = [] if given.no_checks else checks.run(device, given.loss)
    print(f"checks ended after {time.monotonic() - begin:.0f} s", flush=True)
    if not given.no_times and given.device != "emulated":
        clock = measure.Clock(device)
        for case in cases.listed("gpu" if device == "cuda" else "small"):
            if (given.quick and not case.quick) or (given.loss and case.loss not in given.loss):
                continue
            if time.monotonic() - begin > given.seconds:
                tell(case, "", "left out: no time")
                continue
            try:
                failures += measure_case(case, given, rows, clock, begin + given.seconds)
            except torch.OutOfMemoryError:
                tell(case, "", "left out: no memory for the truth")
        if given.csv:
            rows.append_to(given.csv)
    print("\n".join(["FAILED:", *failures] if failures else ["All checks passed."]))
    print(f"{time.monotonic() - begin:.0f} s")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
