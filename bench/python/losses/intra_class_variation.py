"""Intra-class variation loss: each position's cosine with the centre of its class, beside the teacher's."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (2, 24, 33, 65)

CLASSES = 19
SQUARES = 8


def squares(map):
    """Labels of the positions of a map: squares of one class each, as in a segmentation."""
    b, _, h, w = map.shape
    image, row, column = (torch.arange(n, device=map.device) for n in (b, h, w))
    square = (row * SQUARES // h * SQUARES)[:, None] + column * SQUARES // w
    return (image[:, None, None] * SQUARES**2 + square) % CLASSES


def ours(student, teacher, labels=None, mask=None):
    labels = squares(student) if labels is None else labels
    return ops.intra_class_variation(student, teacher, labels, mask, CLASSES)


def eager(student, teacher, labels=None):
    """Products with the table of members: centres, and of all cosines each position's own."""
    labels = squares(student) if labels is None else labels
    members = F.one_hot(labels.flatten(1).clamp(0, CLASSES), CLASSES + 1)[:, :, :CLASSES]

    def similarities(map):
        taken, positions = members.to(map.dtype), map.flatten(2)
        centres = positions.bmm(taken) / (taken.sum(1) + 1e-6).unsqueeze(1)
        own = centres.bmm(taken.transpose(1, 2))
        return F.cosine_similarity(positions, own, 1)

    gaps = similarities(student) - similarities(teacher)
    return (gaps.square() * members.sum(2)).sum() / labels.numel()


def authors(student, teacher, labels=None):
    """The centres as a map, written once more for each class, as the public codes have it."""
    labels = (squares(student) if labels is None else labels).unsqueeze(1)

    def similarities(map):
        centres = map.clone()
        for k in range(CLASSES):
            members = (labels == k).to(map.dtype)
            count = members.sum((-1, -2)) + 1e-6
            centre = ((map * members).sum((-1, -2)) / count)[:, :, None, None]
            centres = (1 - members) * centres + members * centre
        return F.cosine_similarity(map, centres, 1)

    return F.mse_loss(similarities(student), similarities(teacher))


def golden(student, teacher, options):
    return None  # labels are no option


def variants(device):
    shape = (2, 24, 9, 13)
    generator = torch.Generator().manual_seed(5)
    labels = torch.randint(0, CLASSES + 2, (2, 9, 13), generator=generator).to(device)
    valid = torch.arange(2 * 9 * 13, device=device).view(2, 9, 13) % 3 != 0
    counted = valid.sum() / valid.numel()

    def masked(s, t):
        return eager(s, t, labels.masked_fill(~valid, CLASSES)) / counted

    yield "", shape, ours, eager
    yield "labels", shape, lambda s, t: ours(s, t, labels), lambda s, t: eager(s, t, labels)
    yield "bytes", shape, lambda s, t: ours(s, t, labels.byte()), lambda s, t: eager(s, t, labels)
    yield "mask", shape, lambda s, t: ours(s, t, labels, valid), masked
    yield "authors", shape, ours, authors
