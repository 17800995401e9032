"""Channel-wise divergence of the teacher from the student."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (2, 19, 33, 65)


def ours(student, teacher, mask=None, temperature=4.0):
    return ops.channelwise(student, teacher, mask, temperature)


def eager(student, teacher, temperature=4.0):
    """Mean over channels of KL(softmax(teacher), softmax(student)), softmax over positions, times temperature^2."""
    log_s = F.log_softmax(student.flatten(2) / temperature, 2)
    share = F.softmax(teacher.flatten(2) / temperature, 2)
    channels = student.shape[0] * student.shape[1]
    return temperature**2 * F.kl_div(log_s, share, reduction="sum") / channels


def authors(student, teacher, temperature=4.0):
    """The logarithm of a softmax, as the public codes have it."""
    share_s = F.softmax(student.flatten(2) / temperature, 2)
    share_t = F.softmax(teacher.flatten(2) / temperature, 2)
    loss = F.kl_div(share_s.log(), share_t, reduction="sum")
    return temperature**2 * loss / (student.shape[0] * student.shape[1])


def golden(student, teacher, options):
    return ours(student, teacher, None, options.get("temperature", 4.0))


def variants(device):
    shape = (2, 19, 9, 13)
    mask = torch.arange(2 * 9 * 13, device=device).view(2, 9, 13) % 3 != 0

    def masked(s, t):
        # As many positions of each image are left.
        left = mask.flatten(1).unsqueeze(1).expand(2, 19, 9 * 13)
        flat = [map.flatten(2)[left].view(2, 19, -1).unsqueeze(3) for map in (s, t)]
        return eager(*flat)

    yield "", shape, ours, eager
    yield "mask", shape, lambda s, t: ours(s, t, mask), masked
    yield "authors", shape, ours, authors
