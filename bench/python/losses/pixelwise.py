"""Pixel-wise divergence of the teacher from the student."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (2, 19, 33, 65)

# Divergence and divisor of each preset of the golden files.
PRESETS = {
    "SKD": ("cross_entropy", "pixels_per_image"),
    "SKD_PAPER": ("kl_student_teacher", "pixels"),
    "KD": ("kl_teacher_student", "pixels"),
    "AICSD": ("kl_teacher_student", "elements"),
}

def ours(
    student, teacher, mask=None, divergence="kl_teacher_student", divisor="pixels", temperature=1.0
):
    return ops.pixelwise(student, teacher, mask, divergence, divisor, temperature, True)


def eager(student, teacher):
    """Mean over pixels of KL(softmax(teacher), softmax(student))."""
    pixels = student.shape[0] * student[0, 0].numel()
    return F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1), reduction="sum") / pixels


def authors(student, teacher):
    """SKD: cross entropy over rows of classes, summed and divided by the map size alone."""
    height, width = student.shape[2:]

    def rows(logits):
        return logits.permute(0, 2, 3, 1).contiguous().view(-1, logits.shape[1])

    target = F.softmax(rows(teacher), 1)
    return torch.sum(-target * F.log_softmax(rows(student), 1)) / width / height


def golden(student, teacher, options):
    divergence, divisor = PRESETS[options["preset"]]
    temperature = options.get("temperature", 1)
    return ours(student, teacher, None, divergence, divisor, temperature)


def variants(device):
    shape = (2, 19, 9, 13)
    mask = torch.arange(2 * 9 * 13, device=device).view(2, 9, 13) % 3 != 0

    def masked(s, t):
        logs, share = torch.log_softmax(s, 1), torch.softmax(t, 1)
        pixels = (share * (share.log() - logs)).sum(1)
        return pixels[mask].mean()

    yield "", shape, ours, eager
    yield "mask", shape, lambda s, t: ours(s, t, mask), masked
    yield "authors", shape, lambda s, t: ours(s, t, None, "cross_entropy", "pixels_per_image"), authors
