package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
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
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class DepthNetTest {
  private static DepthNet net(int channels, int width) {
    return new DepthNet(new DepthNet.Config(channels, width, 0.5, 20.25), 1);
  }

  @ParameterizedTest
  @CsvSource({"1, 1, 16, 32", "3, 4, 48, 16"})
  void tapsHaveTheirShapesAndRanges(int channels, int width, int h, int w) {
    try (DepthNet net = net(channels, width)) {
      Map<String, Tensor> taps = net.infer(torch.rand(2, channels, h, w));
      assertEquals(net.taps(), taps.keySet());
      for (int scale = 0; scale < DepthNet.SCALES; scale++) {
        assertArrayEquals(
            new long[] {2, 1, h >> scale + 1, w >> scale + 1},
            taps.get("disparity" + scale).shape());
      }
      assertArrayEquals(new long[] {2, 2L * width, h / 4, w / 4}, taps.get("features").shape());
      assertArrayEquals(new long[] {2, 1, h, w}, taps.get("disparity").shape());
      for (double depth : Tensors.values(taps.get("depth"))) {
        assertTrue(depth >= 0.5 && depth <= 20.25, "depth " + depth);
      }
    }
  }

  /** At disparities of 0 and 1, of which the sigmoid tells no more. */
  @Test
  void depthIsBetweenTheNearestAndTheFarthest() {
    try (DepthNet net = net(1, 2)) {
      Tensor images = torch.rand(1, 1, 16, 16);
      long parameters = net.module().parameters().size();
      Tensor bias = net.module().parameters().get(parameters - 1).set_requires_grad(false);
      bias.fill_(new Scalar(1e4));
      assertEquals(0.5, Tensors.values(net.infer(images).get("depth"))[7], 1e-6);
      bias.fill_(new Scalar(-1e4));
      assertEquals(20.25, Tensors.values(net.infer(images).get("depth"))[7], 1e-5);
    }
  }

  @Test
  void aFileHoldsTheNetwork() throws IOException {
    try (DepthNet one = net(3, 2);
        TensorFile file =
            TensorFile.read(new ByteArrayInputStream(one.toFile(Map.of()).toBytes()), "it");
        DepthNet same = DepthNet.of(file);
        TrainableNetwork any = NetworkFile.network(file)) {
      assertEquals(one.config(), same.config());
      assertEquals(one.fingerprint(), same.fingerprint());
      assertEquals(one.fingerprint(), any.fingerprint());
    }
  }

  @Test
  void aFileWithAnotherRangeThanNumbersIsRefused() throws IOException {
    try (DepthNet one = net(1, 2)) {
      for (String farthest : new String[] {"far", "0.5", "NaN"}) {
        byte[] bytes = one.toFile(Map.of("farthest", farthest)).toBytes();
        try (TensorFile file = TensorFile.read(new ByteArrayInputStream(bytes), "it")) {
          DataFileException e = assertThrows(DataFileException.class, () -> DepthNet.of(file));
          assertTrue(e.getMessage().contains("the shape of a network"), e.getMessage());
        }
      }
    }
  }

  @Test
  void equalSeedsGiveEqualWeights() {
    try (DepthNet one = net(1, 2);
        DepthNet same = net(1, 2);
        DepthNet other = new DepthNet(one.config(), 2)) {
      assertEquals(one.fingerprint(), same.fingerprint());
      assertTrue(!one.fingerprint().equals(other.fingerprint()));
      assertEquals(11, one.convolutions().size());
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (DepthNet net = net(3, 1)) {
      String expected = ", expected [B, 3, H, W] with H and W multiples of 16";
      refused(
          "depth net: images are [1, 1, 16, 16]" + expected,
          () -> net.infer(torch.zeros(1, 1, 16, 16)));
      refused(
          "depth net: images are [1, 3, 16, 24]" + expected,
          () -> net.infer(torch.zeros(1, 3, 16, 24)));
      assertThrows(
          IllegalArgumentException.class,
          () -> net.infer(torch.zeros(1, 3, 16, 16).to(ScalarType.Double)));
    }
    refused("depth net: channels is 0, expected 1 or more", () -> new DepthNet.Config(0, 1, 1, 2));
    refused("depth net: width is 513, expected 1 to 512", () -> new DepthNet.Config(1, 513, 1, 2));
    refused(
        "depth net: nearest is 2.0 and farthest is 2.0, expected finite numbers above 0, nearest"
            + " first",
        () -> new DepthNet.Config(1, 1, 2, 2));
  }
}
