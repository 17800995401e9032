"""The cases of bench/cases.json, by the providers that Python has, on the same inputs as the other benches."""

import dataclasses
import json
import re

import torch

import losses
from operators import ROOT


BF16 = "-bf16"  # ends the name of a provider whose maps are bf16, computed under autocast


def dtype_of(provider):
    return torch.bfloat16 if provider.endswith(BF16) else torch.float32


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
        """A way to compute the loss that can be compared: where it would draw at random, with a given draw."""
        fixed = getattr(losses.ALL[self.loss], "without_draw", None)
        return way if fixed is None else fixed(way, self.sizes, device, index)

    def truth(self, device):
        """What all but the authors' code compute: right in f64."""
        module = losses.ALL[self.loss]
        return self.without_draw(getattr(module, "in_little_memory", module.eager), device)


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
            # The formulas here are those of the usual mode, and compare nodes of an image.
            if case.get("kernels_only") or not re.fullmatch(r"[\dx]+(-aligned)?", case["name"]):
                continue
            providers = of_group["providers"]
            if "-aligned" in case["name"]:
                providers = of_group.get("aligned_providers", providers)
            providers = tuple(p for p in providers if p not in case.get("without", []))
            yield Case(loss, case["name"], *common, providers, case.get("quick", False), "targets" in case)
