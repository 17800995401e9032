"""The losses composed of PyTorch operators: as one writes them best, and as the publications' code does."""

import torch
import torch.nn.functional as F

GROUPS = 8  # of the similarity map in global_structural


def pixelwise(student, teacher):
    """Mean over pixels of KL(softmax(teacher), softmax(student))."""
    pixels = student.shape[0] * student[0, 0].numel()
    return F.kl_div(F.log_softmax(student, 1), F.softmax(teacher, 1), reduction="sum") / pixels


def pixelwise_authors(student, teacher):
    """SKD: cross entropy over rows of classes, summed and divided by the map size alone."""
    height, width = student.shape[2:]

    def rows(logits):
        return logits.permute(0, 2, 3, 1).contiguous().view(-1, logits.shape[1])

    target = F.softmax(rows(teacher), 1)
    return torch.sum(-target * F.log_softmax(rows(student), 1)) / width / height


def unit_rows(features, eps):
    """[B, C, N] of [B, C, H, W], each node scaled to unit length."""
    rows = features.flatten(2)
    return rows / rows.norm(dim=1, keepdim=True).clamp_min(eps)


def pairwise(student, teacher):
    """Mean squared gap of the cosine similarities of all pairs of nodes of an image."""

    def affinities(features):
        unit = unit_rows(features, 1e-12)
        return torch.bmm(unit.transpose(1, 2), unit)

    return F.mse_loss(affinities(student), affinities(teacher))


def pairwise_authors(student, teacher):
    """SKD: the length is detached, the square is divided twice before it is summed."""

    def affinities(features):
        length = (features**2).sum(dim=1, keepdim=True) ** 0.5 + 1e-8
        unit = (features / length.detach()).flatten(2)
        return torch.einsum("icm,icn->imn", unit, unit)

    nodes = student[0, 0].numel()
    return (((affinities(teacher) - affinities(student)) ** 2) / nodes**2 / student.shape[0]).sum()


def pairwise_gram(student, teacher):
    """The pair-wise loss by its C x C Gram matrices: in f64 the truth for maps whose N x N matrices do
    not fit."""
    s, t = unit_rows(student, 1e-12), unit_rows(teacher, 1e-12)

    def squared(a, b):
        return torch.bmm(a, b.transpose(1, 2)).square().sum()

    return (squared(s, s) - 2 * squared(s, t) + squared(t, t)) / (s.shape[0] * s.shape[2] ** 2)


IN_LITTLE_MEMORY = {"pairwise": pairwise_gram}


def inter_class_similarity(student, teacher):
    """Mean squared gap of the K x K divergences between the spatial distributions of two classes."""

    def divergences(logits):
        logs = F.log_softmax(logits.flatten(2), 2)
        shares = logs.exp()
        return (shares * logs).sum(2, keepdim=True) - torch.bmm(shares, logs.transpose(1, 2))

    return F.mse_loss(divergences(student), divergences(teacher))


def inter_class_similarity_authors(student, teacher):
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


def global_structural(student, teacher, permutation=None):
    """KL between the entries of shuffled column groups of the cosine similarity maps of all nodes."""

    def similarities(features):
        unit = unit_rows(features, 1e-8)
        return torch.bmm(unit.transpose(1, 2), unit)

    ours, theirs = similarities(student), similarities(teacher)
    if permutation is None:
        permutation = torch.rand(ours.shape, device=ours.device).argsort(2)

    def groups(v):
        b, m, _ = v.shape
        return v.gather(2, permutation).view(b, m, GROUPS, -1).transpose(1, 2).flatten(2)

    divergence = F.kl_div(F.log_softmax(groups(ours), 2), F.softmax(groups(theirs), 2), reduction="sum")
    return divergence / (GROUPS * student.shape[0])


def global_structural_authors(student, teacher):
    """GSKD's way: one image after another, a permutation drawn for each row, groups in a loop."""
    total = 0
    for s, t in zip(student, teacher):
        s, t = (F.normalize(x.flatten(1).t(), dim=1, eps=1e-8) for x in (s, t))
        ours, theirs = s @ s.t(), t @ t.t()
        rows = [torch.randperm(ours.shape[0], device=ours.device) for _ in range(ours.shape[0])]
        order = torch.stack(rows)
        ours, theirs = ours.gather(1, order), theirs.gather(1, order)
        width = ours.shape[0] // GROUPS
        for g in range(GROUPS):
            part = slice(g * width, (g + 1) * width)
            log_q = F.log_softmax(ours[:, part].flatten(), 0)
            total = total + F.kl_div(log_q, F.softmax(theirs[:, part].flatten(), 0), reduction="sum")
    return total / (GROUPS * student.shape[0])
