"""Relational loss: distances of embeddings; angles and areas in the checks."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (12, 8, 1, 1)


def ours(student, teacher, relation="distance", normalize=False):
    return ops.relational(student, teacher, relation, normalize)


def rows(x):
    return x.flatten(2).transpose(1, 2).flatten(0, 1)


def distances(e):
    apart = (e[:, None] - e[None]).square().sum(2).clamp_min(1e-12).sqrt()
    apart = apart * (1 - torch.eye(len(e), dtype=e.dtype, device=e.device))
    return apart / (apart.sum() / (len(e) * (len(e) - 1)))


def angles(e):
    units = F.normalize(e[None] - e[:, None], dim=2)
    return torch.bmm(units, units.transpose(1, 2))


def eager(student, teacher):
    return F.smooth_l1_loss(distances(rows(student)), distances(rows(teacher)))


def eager_angles(student, teacher):
    return F.smooth_l1_loss(angles(rows(student)), angles(rows(teacher)))


def authors(student, teacher):
    """RKD: squared lengths minus products."""

    def pdist(e):
        square = e.pow(2).sum(dim=1)
        apart = (square[:, None] + square[None] - 2 * (e @ e.t())).clamp(min=1e-12).sqrt()
        apart = apart * (1 - torch.eye(len(e), dtype=e.dtype, device=e.device))
        return apart / apart[apart > 0].mean()

    return F.smooth_l1_loss(pdist(rows(student)), pdist(rows(teacher)))


def golden(student, teacher, options):
    maps = (x.reshape(*x.shape[:2], 1, 1) for x in (student, teacher))
    return ours(*maps, options["kind"].lower(), options.get("normalize", False))


def variants(device):
    shape = (9, 5, 1, 1)
    yield "", shape, ours, eager
    yield "authors", shape, ours, authors
    yield "angle", shape, lambda s, t: ours(s, t, "angle"), eager_angles
