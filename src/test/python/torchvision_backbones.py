"""Writes what TorchvisionTest compares with: weights of torchvision's networks and maps of images.

    torchvision_backbones.py NAME FOLDER

FOLDER/weights.safetensors is the network's state_dict as docs/teachers.md writes it, with random weights and
running statistics of random images. FOLDER/expected.safetensors holds images and what the network makes of them:
stage1 to stage4, the mean over positions (embeddings), and stage4 at output stride 8 (dilated) where torchvision
has that.
"""

import sys

import torch
import torchvision
from safetensors.torch import save_file

# The layers whose results are stages.
STAGES = {
    "resnet": ["layer1", "layer2", "layer3", "layer4"],
    "mobilenet_v2": ["features.3", "features.6", "features.13", "features.17"],
}


def maps(model, names, images):
    seen = {}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda module, inputs, output, tap=f"stage{i + 1}": seen.update({tap: output.clone()})
        )
        for i, name in enumerate(names)
    ]
    with torch.no_grad():
        model(images)
    for hook in hooks:
        hook.remove()
    return seen


def main():
    name, folder = sys.argv[1:]
    torch.manual_seed(1)
    model = getattr(torchvision.models, name)(weights=None)
    names = STAGES["resnet" if name.startswith("resnet") else name]
    model.train()
    with torch.no_grad():
        for _ in range(20):
            model(torch.randn(4, 3, 64, 64))
    model.eval()
    images = torch.randn(2, 3, 65, 97)
    expected = maps(model, names, images)
    last = maps(model, ["layer4" if name.startswith("resnet") else "features"], images)["stage1"]
    expected["embeddings"] = last.mean((2, 3))
    if name == "resnet50":
        dilated = torchvision.models.resnet50(weights=None, replace_stride_with_dilation=[False, True, True])
        dilated.load_state_dict(model.state_dict())
        expected["dilated"] = maps(dilated.eval(), names, images)["stage4"]
    save_file(model.state_dict(), f"{folder}/weights.safetensors")
    save_file({"images": images, **expected}, f"{folder}/expected.safetensors")
    print(sum(p.numel() for p in model.parameters()))


main()
