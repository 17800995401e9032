"""Runs the operators on the golden cases of src/test/resources/golden, whose README.md says what they are."""

import json
import math
from functools import partial

import torch
import torch.nn.functional as F

import operators as our

FOLDER = our.ROOT / "src/test/resources/golden"
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}

PIXELWISE = {
    "SKD": ("cross_entropy", "pixels_per_image"),
    "SKD_PAPER": ("kl_student_teacher", "pixels"),
    "KD": ("kl_teacher_student", "pixels"),
    "AICSD": ("kl_teacher_student", "elements"),
}
# Norm, guard of the length, eps, and the windows of the maximum along an axis.
PAIRWISE = {
    "SKD_MASTER": ("detached", "add", 1e-8, lambda size, scale: max(1, int(size * scale))),
    "SKD_CVPR19": ("differentiable", "max", 1e-12, lambda size, scale: 1),
    "CIRKD": ("differentiable", "max", 1e-12, lambda size, scale: min(2, size)),
}
COMPARISON = {"F1": "group_divergence", "F2": "row_divergence", "F3": "descriptor_relation"}


def check(device):
    """Each case that an operator alone can compute, in f64 and f32."""
    for file in (FOLDER / "golden.json", *sorted(FOLDER.glob("variants/*.json"))):
        cases = json.loads(file.read_text())["cases"]
        for case in cases:
            loss = LOSSES.get(case["op"])
            if loss is None or case["options"].get("stage") == "full":
                continue
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


def pixelwise(student, teacher, options):
    divergence, divisor = PIXELWISE[options["preset"]]
    temperature = options.get("temperature", 1)
    return our.pixelwise(student, teacher, None, divergence, divisor, temperature)


def pairwise(student, teacher, options):
    norm, eps_mode, eps, window = PAIRWISE[options["preset"]]
    if options.get("pool") != "NONE":
        kernel = [window(size, options.get("scale", 0.5)) for size in student.shape[2:]]
        student, teacher = (F.max_pool2d(x, kernel, kernel, ceil_mode=True) for x in (student, teacher))
    return our.pairwise(student, teacher, None, norm, eps_mode, eps)


def inter_class_similarity(student, teacher, options):
    mode = options["mode"]
    return our.inter_class_similarity(
        student,
        teacher,
        mode=mode.lower(),
        temperature=options.get("temperature", 1.0),
        row_normalize=options.get("row_normalize", mode in ("CODE_HEAD", "CODE_HW_SYM")),
    )


def global_structural(student, teacher, options):
    """Stage block: rows [classes, samples, channels], as they are."""
    classes = student.shape[0]
    student, teacher = (x.flatten(0, 1).t()[None, :, None] for x in (student, teacher))
    released = options.get("preset") == "AUTHORS_RELEASED"
    reduction = options.get("reduction", "DIV_L" if released else "SUM")
    remainder = options.get("remainder", "ADDED" if released else "AVERAGED")
    nodes = student.shape[3]
    permutation = formula_permutation(nodes).to(student.device)
    return our.global_structural(
        student,
        teacher,
        permutation=permutation,
        comparison=COMPARISON[options.get("compare", "F1")],
        width=options["group_width"],
        temperature=options.get("temperature", 1.0),
        normalize=False,
        classes=classes,
        similarity=options.get("similarity", "SELF").lower(),
        shuffle=options.get("shuffle", "ROW_INDEPENDENT").lower(),
        reduction=reduction.lower(),
        remainder=remainder.lower(),
    )


def formula_permutation(nodes):
    """Row i has (c j + i) mod M at place j, c running through the numbers coprime to M."""
    coprime = [k for k in range(1, nodes) if math.gcd(k, nodes) == 1] or [1]
    c = torch.tensor([coprime[i % len(coprime)] for i in range(nodes)])
    i = torch.arange(nodes)
    return ((c[:, None] * i[None, :] + i[:, None]) % nodes).int()


LOSSES = {
    "pixelwise": pixelwise,
    "pairwise": pairwise,
    "inter_class_similarity": inter_class_similarity,
    "global_structural": global_structural,
}
