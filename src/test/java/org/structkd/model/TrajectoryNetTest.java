package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Map;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class TrajectoryNetTest {
  private static TrajectoryNet net(int observed, int predicted, int neighbours, int width) {
    return new TrajectoryNet(new TrajectoryNet.Config(observed, predicted, neighbours, width), 1);
  }

  private static Map<String, Tensor> inputs(int examples, int observed, int neighbours) {
    return Map.of(
        "observed",
        Tensors.gaussian(1, examples, observed, 2).to(ScalarType.Float),
        "neighbours",
        Tensors.gaussian(2, examples, observed, 2L * neighbours).to(ScalarType.Float));
  }

  @ParameterizedTest
  @CsvSource({"1, 2, 1, 1, 1", "3, 8, 12, 4, 5", "2, 3, 7, 2, 16"})
  void tapsHaveTheirShapes(int examples, int observed, int predicted, int neighbours, int width) {
    try (TrajectoryNet net = net(observed, predicted, neighbours, width)) {
      Map<String, Tensor> taps = net.infer(inputs(examples, observed, neighbours));
      assertEquals(net.taps(), taps.keySet());
      assertArrayEquals(new long[] {examples, predicted, 2}, taps.get("positions").shape());
      assertArrayEquals(new long[] {examples, width}, taps.get("encoder").shape());
    }
  }

  /** A last layer of zeros leaves the last observed step, again and again. */
  @Test
  void changesAreAddedToTheLastObservedStep() {
    try (TrajectoryNet net = net(3, 2, 1, 4)) {
      Map<String, Tensor> inputs = inputs(1, 3, 1);
      double[] seen = Tensors.values(inputs.get("observed"));
      double x = seen[4] - seen[2];
      double y = seen[5] - seen[3];
      double[] walkedOn = {x, y, 2 * x, 2 * y};
      assertTrue(
          Tensors.relativeError(Tensors.values(net.infer(inputs).get("positions")), walkedOn)
              > 1e-3);
      long parameters = net.module().parameters().size();
      for (long i = parameters - 2; i < parameters; i++) {
        net.module().parameters().get(i).set_requires_grad(false).mul_(new Scalar(0));
      }
      assertArrayEquals(walkedOn, Tensors.values(net.infer(inputs).get("positions")), 1e-6);
    }
  }

  /** An example's answer does not depend on those beside it. */
  @Test
  void examplesAreApart() {
    try (TrajectoryNet net = net(8, 12, 3, 6)) {
      Map<String, Tensor> all = inputs(5, 8, 3);
      Tensor third =
          net.infer(
                  Map.of(
                      "observed", all.get("observed").narrow(0, 2, 1),
                      "neighbours", all.get("neighbours").narrow(0, 2, 1)))
              .get("positions");
      assertTrue(
          Tensors.relativeError(third, net.infer(all).get("positions").narrow(0, 2, 1)) < 1e-5);
    }
  }

  @Test
  void everyParameterLearns() {
    try (TrajectoryNet net = net(8, 12, 2, 5)) {
      net.forward(inputs(4, 8, 2)).get("positions").square().sum().backward();
      for (long i = 0; i < net.module().parameters().size(); i++) {
        Tensor gradient = net.module().parameters().get(i).grad();
        assertTrue(gradient.defined() && gradient.abs().sum().item_double() > 0, "of " + i);
      }
    }
  }

  @Test
  void aFileHoldsTheNetwork() throws IOException {
    try (TrajectoryNet one = net(8, 12, 4, 7);
        TensorFile file =
            TensorFile.read(new ByteArrayInputStream(one.toFile(Map.of()).toBytes()), "it");
        TrainableNetwork same = NetworkFile.network(file)) {
      assertEquals(one.config(), ((TrajectoryNet) same).config());
      assertEquals(one.fingerprint(), same.fingerprint());
      Map<String, Tensor> inputs = inputs(2, 8, 4);
      assertTrue(
          Tensors.sameBits(
              one.infer(inputs).get("positions"), same.infer(inputs).get("positions")));
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (TrajectoryNet net = net(8, 12, 4, 2)) {
      refused(
          "trajectory net: observed are [1, 7, 2], expected [B, 8, 2]",
          () -> net.infer(inputs(1, 7, 4)));
      refused(
          "trajectory net: neighbours are [1, 8, 6], expected [B, 8, 8]",
          () -> net.infer(inputs(1, 8, 3)));
      refused(
          "trajectory net: observed and neighbours have 1 and 2 examples, expected as many",
          () ->
              net.infer(
                  Map.of("observed", torch.zeros(1, 8, 2), "neighbours", torch.zeros(2, 8, 8))));
      refused(
          "what the network was given has no input \"neighbours\", it has: observed",
          () -> net.infer(Map.of("observed", torch.zeros(1, 8, 2))));
    }
    refused(
        "the width of a trajectory net must be 1 to 1024 but is 0",
        () -> new TrajectoryNet.Config(8, 12, 4, 0));
    refused(
        "the number of observed steps of a trajectory net must be 2 to 1024 but is 1",
        () -> new TrajectoryNet.Config(1, 12, 4, 3));
  }
}
