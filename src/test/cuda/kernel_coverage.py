#!/usr/bin/env python3
"""Do the tests in kernel_smoke/ run every kernel? Fails with the names of those that they leave out.

  kernel_coverage.py SMOKE_TESTS LIBRARY SLOW_F64     the program, libstructkd_cuda_emulated.so, and the tests that
                                                     run once more with the forms of GPUs whose f64 is slow

Kernels that differ in element types alone count as one. What is launched is told by the emulator, which then
runs nothing; what could be is the list that launch.cuh keeps of all kernels, read from LIBRARY's symbols.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

# What the smoke tests need not launch, and why.
LEFT_OUT = {
    # The code of <T, 10>, which runs, with more and with fewer classes per thread. They begin at 769 and 1409 classes,
    # whose products of all pairs of classes take long.
    "class_grad_reread_kernel<T, 6>",
    "class_grad_reread_kernel<T, 11>",
}


def shape_of(kernel):
    """Without namespaces, and T for every type of elements but that of arithmetic: Fma<float> is not Fma<double>."""
    for noise in ("structkd::", "cuda::", "(anonymous namespace)::", "{anonymous}::", "void "):
        kernel = kernel.replace(noise, "")
    kernel = re.sub(r"(?<!Fma<)\b(double|float|Half|BFloat16)\b", "T", kernel)
    return kernel.replace("> >", ">>").replace("> >", ">>")


def registered(library):
    symbols = subprocess.run(["nm", "-C", library], capture_output=True, text=True, check=True).stdout
    kernels = re.findall(r"Registered<&(.+)>::entry$", symbols, re.MULTILINE)
    return {shape_of(without_parameters(kernel.strip("()"))) for kernel in kernels}


def without_parameters(signature):
    """ "void k<Tile<1>>(Nodes" -> "void k<Tile<1>>": up to the first parenthesis that no namespace's name is."""
    signature = signature.replace("(anonymous namespace)::", "")
    return signature.split("(")[0]


def launched(program, slow_f64):
    runs = [("*", {}), (slow_f64, {"STRUCTKD_CUDA_F64": "slow"})]
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "launches"
        for cases, environment in runs:
            settings = {**os.environ, **environment, "STRUCTKD_SIMT_LAUNCHES": str(record)}
            subprocess.run([program, f"--gtest_filter={cases}", "--gtest_brief=1"], env=settings, check=True,
                           stdout=sys.stderr)
        return {shape_of(line.split(";")[0]) for line in record.read_text().splitlines()}


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, library, slow_f64 = sys.argv[1:]
    known, seen = registered(library), launched(program, slow_f64)
    failures = [f"{kernel}: no case in kernel_smoke/ launches it" for kernel in sorted(known - seen - LEFT_OUT)]
    failures += [f"{kernel}: LEFT_OUT names it, but it is launched" for kernel in sorted(LEFT_OUT & seen)]
    failures += [f"{kernel}: LEFT_OUT names it, but there is none" for kernel in sorted(LEFT_OUT - known)]
    failures += [f"{kernel}: launched, but not known before main" for kernel in sorted(seen - known)]
    if failures:
        sys.exit("\n".join(failures))
    print(f"{len(seen)} kernels of different shapes launched, {len(LEFT_OUT)} left out")


if __name__ == "__main__":
    main()
