"""Figures of a run as rows of the CSV that all benches share."""

import datetime
import os
import subprocess

import torch

import cases
from operators import ROOT

HEADER = "kernel,provider,mode,metric,x_name,x_value,y_value_50,y_value_20,y_value_80,config,device,timestamp,version"
# A wrong answer gets no time, whoever gave it. The accuracy of eager in f32 on hard inputs comes near a thousandth.
WRONG = 1e-2
# Products of bf16 operands, with a gradient rounded to bf16, may err by twice 2^-7.
WRONG_FAST_BF16 = 2**-6


class Rows:
    def __init__(self, device, version, environment, notes):
        now = datetime.datetime.now(datetime.timezone.utc)
        self.time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        self.device, self.version, self.environment = device, f"{version}+{commit()}", environment
        load = f"{self.time}, load average before {os.getloadavg()[0]:.2f}"
        self.lines = [f"# {note}" for note in (*notes, load)]
        print("\n".join(line[2:] for line in self.lines), flush=True)

    def add(self, case, provider, metric, values, gap=None):
        """A median with its 20th and 80th percentile, or why there is none."""
        dtype = "bf16" if cases.dtype_of(provider) == torch.bfloat16 else "f32"
        config = f"shape={case.shape} dtype={dtype} {self.environment}" + (f' gap=""{gap}""' if gap else "")
        numbers = ",".join(f"{v:.5g}" for v in values) if values else ",,"
        self.lines.append(
            f'{case.loss},{provider},full,{metric},{case.x_name},{case.x},{numbers},"{config}",'
            f'"{self.device}",{self.time},{self.version}'
        )

    def append_to(self, path):
        """A reader sees the file before or after."""
        old = path.read_text().splitlines() if path.exists() else [HEADER]
        if HEADER not in old:
            raise SystemExit(f"{path} has other columns")
        new = path.with_name(path.name + ".tmp")
        new.write_text("\n".join(old + self.lines) + "\n")
        new.replace(path)
        print(f"Appended to {path}")


def tell(case, provider, text):
    print(f"{case.loss:24} {case.shape:22} {provider:18} {text}", flush=True)


def first_line(*command):
    """What a program prints, "unknown" where it is missing or fails."""
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return (done.stdout.splitlines() or ["unknown"])[0]


def commit():
    """The one that is told, as for a copy of a checkout; else that of the checkout, if there is one."""
    return os.environ.get("STRUCTKD_COMMIT") or first_line("git", "rev-parse", "--short=10", "HEAD")
