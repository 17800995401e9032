package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.StructkdException;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

@InScope
class SegmentationNetTest {
  private static SegmentationNet net(int width, long seed) {
    return new SegmentationNet(new SegmentationNet.Config(1, width, 11), seed);
  }

  private static Tensor images(long batch, long height, long width) {
    return Tensors.gaussian(1, batch, 1, height, width).to(ScalarType.Float);
  }

  @Test
  void tapsHaveTheShapesThatAreDocumented() {
    SegmentationNet net = net(6, 1);
    Map<String, Tensor> outputs = net.forward(images(2, 48, 40));
    assertEquals(net.taps(), outputs.keySet());
    assertArrayEquals(new long[] {2, 12, 12, 10}, outputs.get("features").shape());
    assertArrayEquals(new long[] {2, 11, 12, 10}, outputs.get("logits").shape());
    assertArrayEquals(new long[] {2, 11, 48, 40}, outputs.get("upsampled").shape());
    assertTrue(outputs.get("logits").requires_grad());
  }

  /** Counted by hand: 3x3 convolutions without bias, two numbers per normalised channel, head. */
  @Test
  void parametersAreThoseOfTheLayers() {
    assertEquals(13_985, parameters(net(6, 1)));
    assertEquals(219_203, parameters(net(24, 1)));
  }

  private static long parameters(SegmentationNet net) {
    return StateDict.parameterCount(net.module());
  }

  @Test
  void equalSeedsGiveEqualWeights() {
    byte[] one = net(4, 1).toFile(Map.of()).toBytes();
    assertArrayEquals(one, net(4, 1).toFile(Map.of()).toBytes());
    assertFalse(Arrays.equals(one, net(4, 2).toFile(Map.of()).toBytes()));
  }

  @Test
  void inferenceHasNoGradientAndChangesNothing() {
    SegmentationNet net = net(4, 1);
    byte[] before = net.toFile(Map.of()).toBytes();
    Tensor images = images(2, 16, 16);
    Tensor first = net.infer(images).get("logits");
    assertFalse(first.requires_grad());
    assertTrue(net.module().is_training());
    assertArrayEquals(before, net.toFile(Map.of()).toBytes());
    assertTrue(first.narrow(0, 0, 1).allclose(net.infer(images.narrow(0, 0, 1)).get("logits")));
  }

  @Test
  void aFileGivesTheSameNet() throws IOException {
    SegmentationNet net = net(5, 3);
    SegmentationNet copy = SegmentationNet.of(net.toFile(Map.of("note", "x")));
    assertEquals(net.config(), copy.config());
    assertFalse(copy.module().is_training());
    Tensor images = images(1, 16, 16);
    assertTrue(net.infer(images).get("logits").equal(copy.infer(images).get("logits")));
  }

  @Test
  void weightsOfAnotherNetAreRefusedAndChangeNothing() {
    SegmentationNet net = net(5, 3);
    byte[] before = net.toFile(Map.of()).toBytes();
    DataFileException error =
        assertThrows(
            DataFileException.class,
            () -> StateDict.restore(net.module(), net(6, 3).toFile(Map.of())));
    assertTrue(error.getMessage().contains("another network"), error.getMessage());
    assertArrayEquals(before, net.toFile(Map.of()).toBytes());
    TensorFile other = TensorFile.builder().property("network", "transformer").build("it");
    assertThrows(DataFileException.class, () -> SegmentationNet.of(other));
  }

  @Test
  void impossibleShapesAreRefusedWithBothNumbers() {
    assertThrows(IllegalArgumentException.class, () -> net(0, 1));
    assertThrows(IllegalArgumentException.class, () -> net(513, 1));
    SegmentationNet net = net(4, 1);
    for (long[] shape : new long[][] {{1, 1, 44, 48}, {1, 3, 48, 48}, {1, 48, 48}}) {
      IllegalArgumentException error =
          assertThrows(IllegalArgumentException.class, () -> net.forward(torch.zeros(shape)));
      assertTrue(error.getMessage().contains(Arrays.toString(shape)), error.getMessage());
    }
  }

  @Test
  void imagesThatItCannotTakeAreRefusedInASentence() {
    SegmentationNet net = new SegmentationNet(new SegmentationNet.Config(1, 4, 3), 1);
    for (ScalarType type : new ScalarType[] {ScalarType.Byte, ScalarType.Half, ScalarType.Double}) {
      refused(
          "segmentation net: images are "
              + type
              + ", expected Float as the network's parameters: convert them with to(...), bytes to 0 .."
              + " 1",
          () -> net.forward(torch.ones(2, 1, 16, 16).to(type)));
    }
    Tensor closed = torch.ones(2, 1, 16, 16);
    closed.close();
    refused(
        "segmentation net: images has been closed, or its PointerScope has ended",
        () -> net.infer(closed));
    StructkdException one =
        assertThrows(StructkdException.class, () -> net.forward(torch.ones(1, 1, 8, 8)));
    assertTrue(one.getMessage().contains("single position"), one.getMessage());
  }
}
