package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** What the memory of channels keeps, and when it moves; golden files have the values. */
@InScope
class ChannelMemoryLossTest {
  private static LossInputs inputs(
      int studentChannels, int teacherChannels, long height, long step, TrainedPart part) {
    return new LossInputs(
        Map.of("features", Tensors.gaussian(1, 2, studentChannels, height, 8)),
        Map.of("features", Tensors.gaussian(2, 2, teacherChannels, height, 8)),
        Map.of(),
        Map.of(),
        OptionalLong.empty(),
        step,
        part);
  }

  private static TrainedPart part(ChannelMemoryLoss loss) {
    TrainedPart part = loss.trainedPart(inputs(3, 4, 8, 0, null), 5).orElseThrow();
    part.module().to(ScalarType.Double, false);
    return part;
  }

  private static Tensor queue(TrainedPart part) {
    return part.module().named_buffers().get("channels").select(0, 0).clone();
  }

  /** The teacher's channels by plain loops: means of windows of 4 x 4, of length 1. */
  private static double[][] channels() {
    double[] map = Tensors.values(inputs(3, 4, 8, 0, null).teacher("features"));
    double[][] rows = new double[8][4];
    for (int i = 0; i < map.length; i++) {
      rows[i / 64][i % 64 / 32 * 2 + i % 8 / 4] += map[i] / 16;
    }
    for (double[] row : rows) {
      double length = 0;
      for (double value : row) {
        length += value * value;
      }
      for (int i = 0; i < row.length; i++) {
        row[i] /= Math.sqrt(length);
      }
    }
    return rows;
  }

  @Test
  void someOfTheBatchsChannelsAreEnqueuedInARing() {
    ChannelMemoryLoss loss = new ChannelMemoryLoss(7, 5, 3, 0.1);
    try (TrainedPart part = part(loss)) {
      Tensor before = queue(part);
      loss.forward(inputs(3, 4, 8, 0, part));
      Tensor after = queue(part);
      double[][] channels = channels();
      int[] found = new int[channels.length];
      for (int place = 0; place < 5; place++) {
        double[] entry = Tensors.values(after.select(0, place));
        for (int i = 0; i < channels.length; i++) {
          found[i] += Tensors.relativeError(entry, channels[i]) < 1e-14 ? 1 : 0;
        }
      }
      assertEquals(5, Arrays.stream(found).sum());
      assertEquals(1, Arrays.stream(found).max().orElseThrow());
      assertTrue(torch.equal(before.narrow(0, 5, 2), after.narrow(0, 5, 2)));
      loss.forward(inputs(3, 4, 8, 1, part));
      assertTrue(torch.equal(after.narrow(0, 3, 2), queue(part).narrow(0, 3, 2)));
      Tensor next = part.module().named_buffers().get("channels_next");
      assertArrayEquals(new double[] {3}, Tensors.values(next));
    }
  }

  @Test
  void inEvaluationModeNothingIsEnqueued() {
    ChannelMemoryLoss loss = new ChannelMemoryLoss(7, 5, 3, 0.1);
    try (TrainedPart part = part(loss)) {
      part.module().eval();
      Tensor before = queue(part);
      loss.forward(inputs(3, 4, 8, 0, part));
      assertTrue(torch.equal(before, queue(part)));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 1 | 1 | 1 | channels is 0, expected 1 or more",
        "4 | 5 | 1 | 1 | channelsPerStep is 5 and samples is 1, but the queue keeps 4 channels",
        "4 | 1 | 5 | 1 | channelsPerStep is 1 and samples is 5, but the queue keeps 4 channels",
        "4 | 1 | 1 | 0 | temperature is 0.0, expected a finite number greater than 0"
      })
  void impossibleSettingsAreRefused(
      int channels, int perStep, int samples, double temperature, String said) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () -> new ChannelMemoryLoss(channels, perStep, samples, temperature));
    assertEquals("channel memory loss: " + said, e.getMessage());
  }

  @Test
  void sizesThatDoNotFitTheQueueAreRefused() {
    ChannelMemoryLoss loss = new ChannelMemoryLoss(7, 5, 3, 0.1);
    assertEquals(
        "channel memory loss: student [2, 3, 6, 8] has height and width 6 and 8, expected multiples"
            + " of 4, by which the queue's length of H W / 16 is whole",
        assertThrows(
                IllegalArgumentException.class, () -> loss.trainedPart(inputs(3, 4, 6, 0, null), 5))
            .getMessage());
    try (TrainedPart part = part(loss)) {
      assertEquals(
          "channel memory loss: student and teacher have 3 and 4 channels of 6 windows, but the"
              + " memory was made for 3 and 4 channels of 4",
          assertThrows(
                  IllegalArgumentException.class, () -> loss.forward(inputs(3, 4, 12, 0, part)))
              .getMessage());
    }
    assertThrows(IllegalArgumentException.class, () -> loss.forward(inputs(3, 4, 8, 0, null)));
  }
}
