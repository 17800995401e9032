package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.structkd.testing.Refusals.refused;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Python;
import org.structkd.testing.Tensors;

/** A convolution with offsets, against its formula in plain Java. */
@InScope
class DeformableConvolutionTest {
  private static final int IN = 2;
  private static final int OUT = 3;

  @TempDir private Path folder;

  private Module module;

  @BeforeEach
  void make() {
    module = new ModuleDictImpl();
  }

  private DeformableConvolution layer(int kernel, int stride, int dilation) {
    DeformableConvolution layer =
        new DeformableConvolution(
            module, "a", new DeformableConvolution.Config(IN, OUT, kernel, stride, dilation), 1);
    module.to(ScalarType.Double, false);
    return layer;
  }

  private Map<String, Tensor> parameters() {
    return new TreeMap<>(StateDict.parametersOf(module));
  }

  private Tensor weight() {
    return parameters().get("a.weight");
  }

  private static Tensor input(long height, long width) {
    return Tensors.gaussian(1, 2, IN, height, width);
  }

  /** Between pixels, and far outside. */
  private static Tensor offsets(int points, long height, long width) {
    return Tensors.gaussian(2, 2, 2L * points, height, width).mul(new Scalar(1.7));
  }

  private static Tensor masks(int points, long height, long width) {
    return torch.sigmoid(Tensors.gaussian(3, 2, points, height, width));
  }

  /** x between pixels; 0 outside of the map. */
  private static double at(double[] map, int height, int width, double y, double x) {
    int top = (int) Math.floor(y);
    int left = (int) Math.floor(x);
    double sum = 0;
    for (int row = top; row <= top + 1; row++) {
      for (int column = left; column <= left + 1; column++) {
        if (row >= 0 && row < height && column >= 0 && column < width) {
          double share = (1 - Math.abs(y - row)) * (1 - Math.abs(x - column));
          sum += share * map[row * width + column];
        }
      }
    }
    return sum;
  }

  @ParameterizedTest
  @CsvSource({
    "3, 1, 1, 5, 7",
    "3, 2, 1, 7, 5",
    "3, 1, 2, 5, 5",
    "3, 2, 2, 8, 3",
    "1, 1, 1, 3, 3",
    "5, 3, 1, 7, 9",
    "3, 1, 1, 1, 1",
    "3, 1, 1, 1, 6",
    "3, 2, 1, 2, 1"
  })
  void isItsFormula(int kernel, int stride, int dilation, int height, int width) {
    DeformableConvolution layer = layer(kernel, stride, dilation);
    int points = kernel * kernel;
    int rows = (height + stride - 1) / stride;
    int columns = (width + stride - 1) / stride;
    Tensor offsets = offsets(points, rows, columns);
    Tensor masks = masks(points, rows, columns);
    Tensor result = layer.forward(input(height, width), offsets, masks);
    assertArrayEquals(new long[] {2, OUT, rows, columns}, result.shape());
    double[] actual = Tensors.values(result);
    double[] w = Tensors.values(weight());
    int i = 0;
    for (int b = 0; b < 2; b++) {
      double[] moved = Tensors.values(offsets.select(0, b));
      double[] m = Tensors.values(masks.select(0, b));
      for (int o = 0; o < OUT; o++) {
        for (int row = 0; row < rows; row++) {
          for (int column = 0; column < columns; column++, i++) {
            int p = row * columns + column;
            double expected = 0;
            for (int k = 0; k < points; k++) {
              double y = row * stride + (k / kernel - kernel / 2) * dilation;
              double x = column * stride + (k % kernel - kernel / 2) * dilation;
              y += moved[2 * k * rows * columns + p];
              x += moved[(2 * k + 1) * rows * columns + p];
              for (int c = 0; c < IN; c++) {
                double[] map = Tensors.values(input(height, width).select(0, b).select(0, c));
                expected +=
                    w[(o * IN + c) * points + k]
                        * m[k * rows * columns + p]
                        * at(map, height, width, y, x);
              }
            }
            assertEquals(expected, actual[i], 1e-12, "element " + i);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, 5, 7", "2, 7, 4", "3, 8, 8"})
  void beginsAsHalfOfAnOrdinaryConvolution(int stride, int height, int width) {
    DeformableConvolution layer = layer(3, stride, 1);
    Tensor ordinary =
        torch.conv2d(
            input(height, width),
            weight(),
            new TensorOptional(),
            new long[] {stride, stride},
            new long[] {1, 1},
            new long[] {1, 1},
            1);
    Tensor result = layer.forward(input(height, width));
    assertTrue(Tensors.relativeError(result.mul(new Scalar(2)), ordinary) < 1e-12);
  }

  /** Central differences of a weighted sum; offsets are drawn, so that none is on a pixel. */
  @Test
  void gradientsAreFiniteDifferences() {
    DeformableConvolution layer = layer(3, 2, 1);
    try (NoGradGuard noGrad = new NoGradGuard()) {
      parameters().get("a_offsets.weight").copy_(Tensors.gaussian(4, 27, IN, 3, 3));
      parameters().get("a_offsets.bias").copy_(Tensors.gaussian(5, 27));
    }
    Tensor input = Tensors.leaf(input(5, 3), ScalarType.Double);
    Tensor direction = Tensors.gaussian(6, 2, OUT, 3, 2);
    layer.forward(input).mul(direction).sum().backward();
    Map<String, Tensor> all = parameters();
    all.put("input", input);
    all.forEach(
        (name, tensor) -> {
          double[] gradient = Tensors.values(tensor.grad());
          for (int i = 0; i < gradient.length; i += 7) {
            double step = 1e-6;
            double slope =
                (value(layer, input, direction, tensor, i, step)
                        - value(layer, input, direction, tensor, i, -step))
                    / (2 * step);
            assertEquals(slope, gradient[i], 1e-6 * (1 + Math.abs(slope)), name + " " + i);
          }
        });
  }

  private static double value(
      DeformableConvolution layer, Tensor input, Tensor direction, Tensor of, int i, double step) {
    try (NoGradGuard noGrad = new NoGradGuard()) {
      Tensor element = of.view(-1).select(0, i);
      element.add_(new Scalar(step));
      double value = layer.forward(input).mul(direction).sum().item_double();
      element.sub_(new Scalar(step));
      return value;
    }
  }

  @ParameterizedTest
  @CsvSource({"3, 1, 1", "3, 2, 2", "5, 3, 1"})
  void isTorchvisions(int kernel, int stride, int dilation) throws Exception {
    assumeTrue(
        Python.has("f('safetensors') and f('torchvision')"),
        Python.INTERPRETER + " has no torchvision with safetensors; PYTHON names another one");
    DeformableConvolution layer = layer(kernel, stride, dilation);
    Tensor input = input(9, 7);
    long height = (9 + stride - 1) / stride;
    long width = (7 + stride - 1) / stride;
    Tensor offsets = offsets(kernel * kernel, height, width);
    Tensor masks = masks(kernel * kernel, height, width);
    TensorFile.Builder file = TensorFile.builder();
    file.tensor("input", input).tensor("offsets", offsets).tensor("masks", masks);
    file.tensor("weight", weight()).tensor("result", layer.forward(input, offsets, masks));
    Path path = folder.resolve("case.safetensors");
    Files.write(path, file.build("it").toBytes());
    List<String> printed =
        Python.lines(
            "deform_conv2d.py",
            path.toString(),
            Integer.toString(stride),
            Integer.toString(dilation));
    assertTrue(Double.parseDouble(printed.get(0)) < 1e-12, printed::toString);
  }

  @Test
  void impossibleShapesAreRefused() {
    refused("deformable convolution: kernel is 4, expected an odd number", () -> layer(4, 1, 1));
    refused("deformable convolution: stride is 0, expected 1 or more", () -> layer(3, 0, 1));
    refused("deformable convolution: dilation is 0, expected 1 or more", () -> layer(3, 1, 0));
    DeformableConvolution layer = layer(3, 1, 1);
    refused(
        "deformable convolution: input is [2, 3, 4, 4], expected [B, 2, H, W] that is not empty",
        () -> layer.forward(torch.zeros(2, 3, 4, 4)));
    refused(
        "deformable convolution: input is [2, 4, 4], expected [B, 2, H, W] that is not empty",
        () -> layer.forward(torch.zeros(2, 4, 4)));
    refused(
        "deformable convolution: input is [0, 2, 4, 4], expected [B, 2, H, W] that is not empty",
        () -> layer.forward(torch.zeros(0, 2, 4, 4)));
  }
}
