"""Pair-wise loss: the gaps of the similarities of all pairs of nodes."""

import torch
import torch.nn.functional as F

from maps import unit_rows
from operators import ops

MANNERS_SHAPE = (2, 32, 32, 32)

# Norm, guard of the length, eps, and the windows of the maximum along an axis, of each preset of the golden files.
PRESETS = {
    "SKD_MASTER": ("detached", "add", 1e-8, lambda size, scale: max(1, int(size * scale))),
    "SKD_CVPR19": ("differentiable", "max", 1e-12, lambda size, scale: 1),
    "CIRKD": ("differentiable", "max", 1e-12, lambda size, scale: min(2, size)),
}

def ours(
    student,
    teacher,
    weights=None,
    norm="differentiable",
    eps_mode="max",
    eps=1e-12,
    whole=False,
    precision="exact",
    compare="squared",
    reduction="mean",
):
    pairs = "whole_batch" if whole else "per_image"
    return ops.pairwise(
        student, teacher, weights, norm, eps_mode, eps, pairs, precision, compare, reduction
    )


def fast(student, teacher):
    return ours(student, teacher, precision="fast")


def eager(student, teacher):
    """Mean squared gap of the cosine similarities of all pairs of nodes of an image."""

    def affinities(features):
        unit = unit_rows(features, 1e-12)
        return torch.bmm(unit.transpose(1, 2), unit)

    return F.mse_loss(affinities(student), affinities(teacher))


def authors(student, teacher):
    """SKD: the length is detached, the square is divided twice before it is summed."""

    def affinities(features):
        length = (features**2).sum(dim=1, keepdim=True) ** 0.5 + 1e-8
        unit = (features / length.detach()).flatten(2)
        return torch.einsum("icm,icn->imn", unit, unit)

    nodes = student[0, 0].numel()
    return (((affinities(teacher) - affinities(student)) ** 2) / nodes**2 / student.shape[0]).sum()


def in_little_memory(student, teacher):
    """The pair-wise loss by its C x C Gram matrices: in f64 the truth for maps whose N x N matrices do
    not fit."""
    s, t = unit_rows(student, 1e-12), unit_rows(teacher, 1e-12)

    def squared(a, b):
        return torch.bmm(a, b.transpose(1, 2)).square().sum()

    return (squared(s, s) - 2 * squared(s, t) + squared(t, t)) / (s.shape[0] * s.shape[2] ** 2)


def golden(student, teacher, options):
    norm, eps_mode, eps, window = PRESETS[options["preset"]]
    if options.get("pool") != "NONE":
        kernel = [window(size, options.get("scale", 0.5)) for size in student.shape[2:]]
        student, teacher = (F.max_pool2d(x, kernel, kernel, ceil_mode=True) for x in (student, teacher))
    return ours(student, teacher, None, norm, eps_mode, eps)


def variants(device):
    shape = (2, 19, 9, 13)

    def whole(s, t):
        return eager(*(x.transpose(0, 1).flatten(1)[None, :, :, None] for x in (s, t)))

    yield "", shape, ours, eager
    yield "C > N/2", (1, 70, 3, 7), ours, eager
    yield "authors", shape, lambda s, t: ours(s, t, None, "detached", "add", 1e-8), authors
    yield "whole batch", shape, lambda s, t: ours(s, t, whole=True), whole
