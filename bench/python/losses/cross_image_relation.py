"""Cross-image relation loss: the divergences of a node's likeness to all nodes of every image."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (2, 32, 9, 11)

# Which axis has the nodes, and the window of the mean, of each preset of the golden files.
PRESETS = {"CIRKD": ("positions", 1), "CIRKD_POOLED": ("positions", 2), "CIRKDV2_CHANNEL": ("channels", 4)}


def ours(student, teacher, temperature=0.1, eps=1e-12):
    return ops.cross_image_relation(student, teacher, temperature, eps)


def eager(student, teacher, temperature=0.1):
    """The mean over rows and pairs of images, all of them in one matrix."""

    def log_rows(features):
        images, nodes = features.shape[0], features[0, 0].numel()
        unit = F.normalize(features.flatten(2).transpose(1, 2).flatten(0, 1), dim=1)
        return F.log_softmax((unit @ unit.T / temperature).view(-1, images, nodes), 2)

    logs = log_rows(student)
    return F.kl_div(logs, log_rows(teacher), reduction="sum", log_target=True) / (logs.shape[0] * logs.shape[1])


def authors(student, teacher, temperature=0.1):
    """CIRKD: one pair of images after the other."""
    s, t = (F.normalize(x, dim=1).flatten(2).transpose(1, 2) for x in (student, teacher))
    images = len(s)
    total = 0.0
    for m in range(images):
        for n in range(images):
            logs = F.log_softmax(s[m] @ s[n].T / temperature, dim=1)
            total = total + F.kl_div(logs, F.softmax(t[m] @ t[n].T / temperature, dim=1), reduction="batchmean")
    return total / images**2


def golden(student, teacher, options):
    nodes, window = PRESETS[options.get("preset", "CIRKD")]
    if window > 1:
        student, teacher = (F.avg_pool2d(x, window, ceil_mode=True) for x in (student, teacher))
    if nodes == "channels":
        student, teacher = (x.flatten(2).transpose(1, 2).unsqueeze(3) for x in (student, teacher))
    return ours(student, teacher, options.get("temperature", 0.1))


def variants(device):
    yield "", (2, 19, 9, 13), ours, eager
    yield "authors", (3, 40, 5, 7), ours, authors
