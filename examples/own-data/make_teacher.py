"""Trains the teacher of this example with PyTorch and writes it as TorchScript: teacher.pt.

    java PaintPhotos.java target/more 800 2
    python3 make_teacher.py target/more teacher.pt

It needs PyTorch, NumPy and Pillow. The photographs are other ones than those that students learn from.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

CLASSES = 5
NOBODYS = 255
CROP = 64
# What the recipe's data are normalised by, unless it says otherwise: the colours of ImageNet.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def block(channels, out, stride=1):
    return nn.Sequential(
        nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU()
    )


class Teacher(nn.Module):
    """Outputs by name are the taps that losses read."""

    def __init__(self):
        super().__init__()
        self.first = block(3, 14, 2)
        self.quarter = nn.Sequential(block(14, 28, 2), block(28, 28))
        self.eighth = nn.Sequential(block(28, 40, 2), block(40, 40))
        self.decoder = block(68, 28)
        self.head = nn.Conv2d(28, CLASSES, 1)

    def forward(self, images):
        quarter = self.quarter(self.first(images))
        deep = F.interpolate(self.eighth(quarter), scale_factor=2.0, mode="bilinear")
        features = self.decoder(torch.cat([deep, quarter], 1))
        logits = self.head(features)
        upsampled = F.interpolate(logits, scale_factor=4.0, mode="bilinear")
        return {"features": features, "logits": logits, "upsampled": upsampled}


def photographs(folder):
    images, labels = [], []
    for mask in sorted(Path(folder, "masks").glob("*.png")):
        photo = np.asarray(Image.open(Path(folder, "images", mask.stem + ".jpg")), np.float32)
        values = np.asarray(Image.open(mask), np.int64)  # of the palette: 0 is nobody's
        images.append((photo / 255 - MEAN) / DEVIATION)
        labels.append(np.where(values == 0, NOBODYS, values - 1))
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2), torch.from_numpy(np.stack(labels))


def main(folder, file, steps=500, batch=16):
    torch.manual_seed(1)
    images, labels = photographs(folder)
    network = Teacher()
    optimizer = torch.optim.Adam(network.parameters(), 0.005)
    schedule = torch.optim.lr_scheduler.PolynomialLR(optimizer, steps, 0.9)
    for step in range(steps):
        chosen = torch.randint(len(images), [batch])
        top = int(torch.randint(images.shape[2] - CROP + 1, []))
        left = int(torch.randint(images.shape[3] - CROP + 1, []))
        window = np.s_[..., top : top + CROP, left : left + CROP]
        scores = network(images[chosen][window])["upsampled"]
        loss = F.cross_entropy(scores, labels[chosen][window], ignore_index=NOBODYS)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: loss {loss.item():.3f}")
    torch.jit.freeze(torch.jit.script(network.eval())).save(file)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], *map(int, sys.argv[3:]))
