"""Inter-class similarity: the gaps of the divergences of all pairs of classes."""

import torch
import torch.nn.functional as F

from operators import ops

MANNERS_SHAPE = (2, 19, 33, 65)


def ours(
    student, teacher, mask=None, temperature=1.0, row_normalize=False, mode="paper"
):
    return ops.inter_class_similarity(student, teacher, mask, mode, temperature, row_normalize)


def eager(student, teacher):
    """Mean squared gap of the K x K divergences between the spatial distributions of two classes."""

    def divergences(logits):
        logs = F.log_softmax(logits.flatten(2), 2)
        shares = logs.exp()
        return (shares * logs).sum(2, keepdim=True) - torch.bmm(shares, logs.transpose(1, 2))

    return F.mse_loss(divergences(student), divergences(teacher))


def authors(student, teacher):
    """AICSD's way: one divergence after another, in a loop over pairs of classes."""

    def divergences(logits):
        logs = F.log_softmax(logits.flatten(2), 2)
        pairs = [
            F.kl_div(logs[:, j], logs[:, i], reduction="none", log_target=True).sum(1)
            for i in range(logs.shape[1])
            for j in range(logs.shape[1])
        ]
        return torch.stack(pairs)

    return F.mse_loss(divergences(student), divergences(teacher))


def golden(student, teacher, options):
    mode = options["mode"]
    return ours(
        student,
        teacher,
        mode=mode.lower(),
        temperature=options.get("temperature", 1.0),
        row_normalize=options.get("row_normalize", mode in ("CODE_HEAD", "CODE_HW_SYM")),
    )


def variants(device):
    yield "", (2, 19, 9, 13), ours, eager
    yield "K=40", (1, 40, 9, 13), ours, eager
