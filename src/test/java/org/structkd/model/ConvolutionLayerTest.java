package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** The two forms of a layer, and when it has which. */
@InScope
class ConvolutionLayerTest {
  private Module module;
  private ConvolutionLayer layer;

  @BeforeEach
  void make() {
    module = new ModuleDictImpl();
    layer = ConvolutionLayer.normalized(module, "a", 3, 5, 2);
    try (NoGradGuard noGrad = new NoGradGuard()) { // statistics and weights that are not 0 and 1
      StateDict.tensorsOf(module).get("a_norm.running_mean").copy_(Tensors.gaussian(1, 5));
      StateDict.tensorsOf(module).get("a_norm.running_var").copy_(Tensors.gaussian(2, 5).abs());
      StateDict.tensorsOf(module).get("a_norm.weight").copy_(Tensors.gaussian(3, 5));
      StateDict.tensorsOf(module).get("a_norm.bias").copy_(Tensors.gaussian(4, 5));
    }
  }

  private static Tensor input(long seed) {
    return Tensors.gaussian(seed, 2, 3, 7, 6).to(ScalarType.Float);
  }

  private Tensor range() {
    return StateDict.buffersOf(module).get("a_conv_range");
  }

  private void observe(double rate, Tensor... inputs) {
    module.train(true);
    layer.addRange();
    layer.observe(rate);
    for (Tensor input : inputs) {
      layer.forward(input);
    }
    layer.observe(0);
    module.eval();
  }

  /** A convolution whose weights need no rounding does what convolution and normalisation did. */
  @Test
  void foldingEqualsConvolutionAndNormalization() {
    module.eval();
    Tensor expected = layer.forward(input(5));
    observe(0.01, input(5));
    ConvolutionLayer.Quantized stored = layer.quantized();
    Tensor weight = StateDict.parametersOf(module).get("a_conv.weight").to(ScalarType.Double);
    Tensor factor =
        StateDict.parametersOf(module)
            .get("a_norm.weight")
            .to(ScalarType.Double)
            .div(
                StateDict.buffersOf(module)
                    .get("a_norm.running_var")
                    .to(ScalarType.Double)
                    .add(new Scalar(1e-5))
                    .sqrt());
    Tensor folded = convolved(input(5), weight.mul(factor.view(-1, 1, 1, 1)), stored.bias());
    assertTrue(Tensors.relativeError(expected, folded) < 1e-6);
    Tensor quantized = layer.forward(input(5));
    double error = Tensors.relativeError(quantized, expected);
    assertTrue(error > 1e-5 && error < 0.03, "8 bits tell numbers to some hundredths: " + error);
  }

  private static Tensor convolved(Tensor input, Tensor weight, Tensor bias) {
    return torch.relu(
        torch.conv2d(
            input.to(ScalarType.Double),
            weight.to(ScalarType.Double),
            new TensorOptional(bias.to(ScalarType.Double)),
            new long[] {2, 2},
            new long[] {1, 1},
            new long[] {1, 1},
            1));
  }

  /** The integers that are stored, put together by another formula, give the same result. */
  @Test
  void whatIsStoredComputesTheSame() {
    observe(0.01, input(5));
    ConvolutionLayer.Quantized stored = layer.quantized();
    Tensor codes = // of inputs
        input(5)
            .to(ScalarType.Double)
            .div(new Scalar(stored.inputScale()))
            .round()
            .add(new Scalar(stored.inputZeroPoint()));
    assertTrue(codes.min().item_double() >= 0 && codes.max().item_double() <= 255);
    Tensor sums =
        torch.conv2d(
            codes.sub(new Scalar(stored.inputZeroPoint())),
            stored.weight().to(ScalarType.Double),
            new TensorOptional(),
            new long[] {2, 2},
            new long[] {1, 1},
            new long[] {1, 1},
            1);
    assertTrue(torch.equal(sums, sums.round()), "sums of whole numbers");
    Tensor scale = stored.weightScale().to(ScalarType.Double).mul(new Scalar(stored.inputScale()));
    Tensor result = torch.relu(sums.mul(scale.view(-1, 1, 1)).add(stored.bias().view(-1, 1, 1)));
    assertTrue(Tensors.relativeError(layer.forward(input(5)), result) < 1e-6);
  }

  /** Range and statistics by hand: first as it is, then a hundredth of the way. */
  @Test
  void rangesFollowAndStatisticsStay() {
    double[] mean = Tensors.values(StateDict.buffersOf(module).get("a_norm.running_mean"));
    observe(0.01, input(5), input(6));
    double[] first = {input(5).min().item_double(), input(5).max().item_double()};
    double[] second = {input(6).min().item_double(), input(6).max().item_double()};
    double[] expected = {
      first[0] + 0.01 * (second[0] - first[0]), first[1] + 0.01 * (second[1] - first[1])
    };
    assertArrayEquals(expected, Tensors.values(range()), 1e-6);
    assertArrayEquals(mean, Tensors.values(StateDict.buffersOf(module).get("a_norm.running_mean")));
    double[] before = Tensors.values(range());
    layer.forward(input(7));
    module.train(true);
    layer.forward(input(7));
    assertArrayEquals(before, Tensors.values(range()), "nobody observes");
  }

  @Test
  void aLayerWithoutRangeOrThatHasSeenNothingIsAFloatLayer() {
    module.eval();
    double[] expected = Tensors.values(layer.forward(input(5)));
    layer.addRange();
    layer.observe(0.5);
    assertArrayEquals(expected, Tensors.values(layer.forward(input(5))), "evaluates");
    assertFalse(layer.isQuantized());
    observe(0.5, torch.zeros(2, 3, 7, 6));
    assertFalse(layer.isQuantized(), "0 alone");
    observe(0.5, input(5));
    assertTrue(layer.isQuantized());
    assertArrayEquals(
        new double[] {input(5).min().item_double(), input(5).max().item_double()},
        Tensors.values(range()),
        "taken as they are");
  }

  /** Directions of the smooth function that is left where nothing is rounded away. */
  @Test
  void gradientsReachAllParametersAndTheInput() {
    module.train(true);
    layer.addRange();
    layer.observe(0.01);
    Tensor input = Tensors.leaf(input(5), ScalarType.Float);
    layer.forward(input).sum().backward();
    assertTrue(input.grad().ne(new Scalar(0)).any().item_bool());
    StateDict.parametersOf(module)
        .forEach((name, one) -> assertTrue(one.grad().ne(new Scalar(0)).any().item_bool(), name));
    assertEquals(3, StateDict.parametersOf(module).size());
  }

  @Test
  void aLayerThatIsNotQuantizedHasNothingToStore() {
    assertThrows(IllegalStateException.class, layer::quantized);
    assertThrows(IllegalStateException.class, () -> layer.observe(0.1));
    layer.addRange();
    assertThrows(IllegalStateException.class, layer::quantized);
  }
}
