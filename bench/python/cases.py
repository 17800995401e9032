"""What is measured: losses at sizes, each by several providers on the same inputs."""

import dataclasses
from typing import Callable, Optional

import torch

import formulas
import operators as our


@dataclasses.dataclass
class Case:
    loss: str
    shape: str  # "8x512x64x64", or "8x512x64x64-aligned": the teacher is the student plus a tenth of noise
    quick: bool
    x_name: str
    providers: dict  # name -> (student, teacher) -> loss
    truth: Callable  # in f64, computes what "structkd" and "eager" compute
    # What is compared with the truth, where that is not what is timed; never the authors' code, which has
    # another divisor, a detached length or permutations of its own.
    compared: Optional[dict] = None

    @property
    def sizes(self):
        return [int(n) for n in self.shape.split("-")[0].split("x")]

    @property
    def checked(self):
        return {name: loss for name, loss in (self.compared or self.providers).items() if name != "authors"}

    @property
    def x(self):
        b, c, h, w = self.sizes
        return {"pixels": b * h * w, "nodes": h * w, "samples": h * w, "classes": c}[self.x_name]

    def inputs(self, device):
        """Gaussian features, or logits whose classes have a spread each, as a network's have."""
        generator = torch.Generator(device=device).manual_seed(42)
        student = torch.randn(self.sizes, generator=generator, device=device)
        noise = torch.randn(self.sizes, generator=generator, device=device)
        teacher = student + 0.1 * noise if self.shape.endswith("-aligned") else noise
        if self.x_name in ("pixels", "classes"):
            for x in (student, teacher):
                x *= 0.5 + 3 * torch.rand(1, x.shape[1], 1, 1, generator=generator, device=device)
        return student, teacher


def tf32(loss):
    """The same with products in TF32, which PyTorch does not do unless it is told."""

    def call(student, teacher):
        torch.backends.cuda.matmul.allow_tf32 = True
        return loss(student, teacher)

    return call


def pairwise(shape, quick):
    providers = {
        "structkd": our.pairwise,
        "eager": formulas.pairwise,
        "eager-tf32": tf32(formulas.pairwise),
        "authors": formulas.pairwise_authors,
    }
    if shape.endswith("-aligned"):
        providers = {
            "structkd": our.pairwise,
            "structkd-fast": our.pairwise_fast,
            "eager-tf32": providers["eager-tf32"],
        }
    return Case("pairwise", shape, quick, "nodes", providers, formulas.pairwise_gram)


def pixelwise(shape, quick):
    providers = {
        "structkd": our.pixelwise,
        "eager": formulas.pixelwise,
        "authors": formulas.pixelwise_authors,
    }
    return Case("pixelwise", shape, quick, "pixels", providers, formulas.pixelwise)


def inter_class_similarity(shape, quick):
    eager = formulas.inter_class_similarity
    providers = {
        "structkd": our.inter_class_similarity,
        "eager": eager,
        "eager-tf32": tf32(eager),
        "authors": formulas.inter_class_similarity_authors,
    }
    if int(shape.split("x")[1]) > 40:
        del providers["authors"]  # a loop over 22500 pairs
    return Case("inter_class_similarity", shape, quick, "classes", providers, eager)


def global_structural(shape, quick):
    b, _, h, w = (int(n) for n in shape.split("x"))
    order = torch.rand(b, h * w, h * w, generator=torch.Generator().manual_seed(3)).argsort(2)
    eager = formulas.global_structural

    def at_order(student, teacher):
        return our.global_structural(student, teacher, permutation=order.int().to(student.device))

    providers = {
        "structkd": our.global_structural,  # draws, as in training
        "eager": eager,
        "eager-tf32": tf32(eager),
        "authors": formulas.global_structural_authors,
    }
    case = Case("global_structural", shape, quick, "samples", providers, None)
    # A drawn permutation cannot be compared: both sides are checked with one that is given.
    case.truth = lambda s, t: eager(s, t, order.to(s.device))
    case.compared = {"structkd": at_order, "eager": case.truth, "eager-tf32": tf32(case.truth)}
    return case


def all_cases(device):
    if torch.device(device).type != "cuda":
        return [
            pixelwise("2x19x65x65", True),
            pairwise("2x32x33x33", True),
            inter_class_similarity("2x19x65x65", True),
            global_structural("2x64x8x19", True),
        ]
    return [
        pairwise("8x512x64x64", True),
        pixelwise("8x19x512x1024", True),
        inter_class_similarity("8x19x512x1024", True),
        global_structural("8x512x8x19", True),
        pairwise("1x512x128x256", True),
        pairwise("8x512x64x64-aligned", True),
        pairwise("8x128x64x64", True),
        pairwise("1x64x128x256", True),
        inter_class_similarity("8x150x512x512", True),
        pairwise("8x2048x64x64", True),
        pairwise("1x512x128x256-aligned", False),
        pairwise("8x2048x64x64-aligned", False),
        pairwise("1x128x128x128", False),
        pixelwise("8x150x512x512", False),
        pixelwise("8x21x512x512", False),
        pixelwise("1x19x1024x2048", False),
        inter_class_similarity("8x21x512x512", False),
        global_structural("8x512x30x40", False),
    ]
