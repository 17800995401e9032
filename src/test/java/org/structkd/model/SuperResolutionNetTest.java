package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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
class SuperResolutionNetTest {
  private static SuperResolutionNet net(int channels, int blocks, int scale) {
    return new SuperResolutionNet(new SuperResolutionNet.Config(channels, 4, blocks, scale), 1);
  }

  /** Any height and width will do. */
  @ParameterizedTest
  @CsvSource({"1, 1, 2", "3, 2, 2", "3, 3, 4"})
  void tapsHaveTheirShapes(int channels, int blocks, int scale) {
    try (SuperResolutionNet net = net(channels, blocks, scale)) {
      Map<String, Tensor> taps = net.infer(torch.rand(2, channels, 5, 7));
      assertEquals(net.taps(), taps.keySet());
      assertArrayEquals(new long[] {2, 4, 5, 7}, taps.get("features").shape());
      assertArrayEquals(new long[] {2, 4, 5, 7}, taps.get("body").shape());
      assertArrayEquals(new long[] {2, 4}, taps.get("embeddings").shape());
      assertArrayEquals(new long[] {2, 4, 5L * scale, 7L * scale}, taps.get("enlarged").shape());
      assertArrayEquals(
          new long[] {2, channels, 5L * scale, 7L * scale}, taps.get("image").shape());
      assertNotEquals(
          true, Tensors.sameBits(taps.get("features"), taps.get("body")), "they are two maps");
    }
  }

  /** A tail of zeros adds nothing to what bicubic interpolation gives. */
  @Test
  void whatTheLayersFindIsAddedToTheEnlargedImage() {
    try (SuperResolutionNet net = net(1, 1, 2)) {
      Tensor images = torch.rand(1, 1, 6, 6);
      Tensor enlarged = torch.upsample_bicubic2d(images, new long[] {12, 12}, false);
      assertNotEquals(true, Tensors.sameBits(enlarged, net.infer(images).get("image")));
      long parameters = net.module().parameters().size();
      for (long i = parameters - 2; i < parameters; i++) {
        net.module().parameters().get(i).set_requires_grad(false).mul_(new Scalar(0));
      }
      assertTrue(Tensors.sameBits(enlarged, net.infer(images).get("image")));
    }
  }

  @Test
  void aFileHoldsTheNetwork() throws IOException {
    try (SuperResolutionNet one = net(3, 2, 4);
        TensorFile file =
            TensorFile.read(new ByteArrayInputStream(one.toFile(Map.of()).toBytes()), "it");
        SuperResolutionNet same = SuperResolutionNet.of(file)) {
      assertEquals(one.config(), same.config());
      assertEquals(one.fingerprint(), same.fingerprint());
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    try (SuperResolutionNet net = net(3, 1, 2)) {
      assertEquals(
          "super-resolution net: images are [1, 1, 8, 8], expected [B, 3, H, W]",
          assertThrows(IllegalArgumentException.class, () -> net.infer(torch.zeros(1, 1, 8, 8)))
              .getMessage());
      assertThrows(
          IllegalArgumentException.class,
          () -> net.infer(torch.zeros(1, 3, 8, 8).to(ScalarType.Double)));
    }
    for (int[] sizes : new int[][] {{0, 4, 1, 2}, {1, 0, 1, 2}, {1, 4, 513, 2}, {1, 4, 1, 3}}) {
      assertThrows(
          IllegalArgumentException.class,
          () -> new SuperResolutionNet.Config(sizes[0], sizes[1], sizes[2], sizes[3]));
    }
  }
}
