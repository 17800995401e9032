"""The cases of bench/cases.json, by the providers that Python has, on the same inputs as the other benches."""

import dataclasses
import functools
import json

import torch

import formulas
from operators import ROOT


@dataclasses.dataclass(frozen=True)
class Case:
    loss: str
    shape: str  # batch x channels x height x width, "-aligned": the teacher is the student plus a tenth of noise
    inputs_are: str
    x_name: str
    providers: tuple
    quick: bool = False
    is_asked: bool = False  # it has targets

    @property
    def sizes(self):
        return [int(n) for n in self.shape.split("-")[0].split("x")]

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
        if self.inputs_are == "logits":
            for x in (student, teacher):
                x *= 0.5 + 3 * torch.rand(1, x.shape[1], 1, 1, generator=generator, device=device)
        return student, teacher

    def without_draw(self, way, device, index=torch.int64):
        """A way to compute the loss, with a given permutation where it would draw one: only so it can be compared."""
        if self.loss != "global_structural":
            return way
        b, _, h, w = self.sizes
        order = torch.rand(b, h * w, h * w, generator=torch.Generator().manual_seed(3)).argsort(2)
        return functools.partial(way, permutation=order.to(device, index))

    def truth(self, device):
        """What all but the authors' code compute: right in f64."""
        eager = getattr(formulas, self.loss)
        return self.without_draw(formulas.IN_LITTLE_MEMORY.get(self.loss, eager), device)


def listed(group):
    """All of "cpu" or "gpu" that PyTorch programs can measure; of "small" each loss's one size."""
    for loss, of_loss in json.loads((ROOT / "bench" / "cases.json").read_text()).items():
        common = (of_loss["inputs"], of_loss["x"])
        if group == "small":
            if "small" in of_loss:
                yield Case(loss, of_loss["small"], *common, tuple(of_loss["gpu"]["providers"]), quick=True)
            continue
        of_group = of_loss.get(group, {"cases": []})
        for case in of_group["cases"]:
            # Pairs across the batch: the formulas here compare nodes of an image.
            if case.get("kernels_only") or "-whole" in case["name"]:
                continue
            providers = of_group["providers"]
            if "-aligned" in case["name"]:
                providers = of_group.get("aligned_providers", providers)
            providers = tuple(p for p in providers if p not in case.get("without", []))
            yield Case(loss, case["name"], *common, providers, case.get("quick", False), "targets" in case)
