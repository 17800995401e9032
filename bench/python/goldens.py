"""Runs the operators on the golden cases of src/test/resources/golden, whose README.md says what they are."""

import json
import math
from functools import partial

import torch

import losses
from operators import ROOT

FOLDER = ROOT / "src/test/resources/golden"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def check(device):
    """Each case that an operator alone can compute, in f64 and f32."""
    for file in (FOLDER / "golden.json", *sorted(FOLDER.glob("variants/*.json"))):
        cases = json.loads(file.read_text())["cases"]
        for case in cases:
            if case["op"] not in losses.ALL:
                continue
            loss = losses.ALL[case["op"]].golden
            for dtype, tolerance in TOLERANCE.items():
                yield case["op"], f"{case['name']} {dtype}", partial(
                    error, case, loss, dtype, tolerance, device
                )


def error(case, loss, dtype, tolerance, device):
    options = case["options"]
    name = options.get("student", "S")
    student = values(case["inputs"][name], dtype, device).requires_grad_()
    teacher = values(case["inputs"][options.get("teacher", "T")], dtype, device)
    value = loss(student, teacher, options)
    if value is None:
        return None
    expected = case["out_f64"]["loss"]
    if not math.isclose(value.item(), expected, rel_tol=tolerance):
        return f"value {value.item():.12g}, expected {expected:.12g}"
    stored = (case.get("grad") or {}).get(name)
    if stored is None:
        return None
    value.backward()
    actual = student.grad.double().flatten().cpu()
    if "values" in stored:
        wanted = torch.tensor(stored["values"], dtype=torch.float64).flatten()
        gap, scale = (actual - wanted).abs().max().item(), wanted.abs().max().item()
    else:
        gap = abs(actual.abs().sum().item() - stored["abs_sum"])
        scale = stored["abs_sum"]
    return None if gap <= tolerance * scale else f"gradient is off by {gap / scale:.2g}"


def values(described, dtype, device):
    """x[i] = a sin(b i + c) + d over the row-major index, or the values themselves."""
    if isinstance(described, list):
        return torch.tensor(described, dtype=torch.float64).to(device, dtype)
    i = torch.arange(math.prod(described["shape"]), dtype=torch.float64)
    x = described["a"] * torch.sin(described["b"] * i + described["c"]) + described["d"]
    return x.reshape(described["shape"]).to(device, dtype)
