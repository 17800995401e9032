package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

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

/** What the memory keeps, in which order, and when it moves; golden files have the values. */
@InScope
class ClassMemoryLossTest {
  private static final long IGNORED = 255;

  private static ClassMemoryLoss small(int pixels, int regions, int pixelsPerImage) {
    return new ClassMemoryLoss(2, pixels, regions, pixelsPerImage, 2, 2, 0.1, 1, 1, 1);
  }

  private static LossInputs inputs(Tensor teacher, long[] labels, long step, TrainedPart part) {
    long[] shape = {teacher.size(0), teacher.size(2), teacher.size(3)};
    return new LossInputs(
        Map.of("features", Tensors.gaussian(3, shape[0], 3, shape[1], shape[2])),
        Map.of("features", teacher),
        Map.of("labels", Tensor.create(labels, shape)),
        Map.of(),
        OptionalLong.of(IGNORED),
        step,
        part);
  }

  private static TrainedPart part(ClassMemoryLoss loss, LossInputs inputs) {
    TrainedPart part = loss.trainedPart(inputs, 5).orElseThrow();
    part.module().to(ScalarType.Double, false);
    return part;
  }

  private static Tensor buffer(TrainedPart part, String name) {
    return part.module().named_buffers().get(name);
  }

  private static double[] entry(TrainedPart part, String queue, long group, long place) {
    return Tensors.values(buffer(part, queue).select(0, group).select(0, place));
  }

  /** Maps [2, 2, 1, 3]: pixels of known directions. */
  private static Tensor teacher() {
    return Tensor.create(new double[] {3, 0, 1, 4, 2, 0, 0, 1, 5, 1, 0, 12}, 2, 2, 1, 3);
  }

  private static final long[] LABELS = {0, 0, 1, IGNORED, 1, 0};

  @Test
  void regionsAndPixelsAreEnqueuedImageByImage() {
    ClassMemoryLoss loss = small(7, 3, 3);
    try (TrainedPart part = part(loss, inputs(teacher(), LABELS, 0, null))) {
      double[] untouched = entry(part, "regions", 1, 2);
      loss.forward(inputs(teacher(), LABELS, 0, part));
      // Image 0: (3, 4)/5 and (0, 1) of class 0, (1, 0) of class 1; image 1: (1, 0) and (5, 12)/13.
      double length = Math.hypot(0.6, 1.8);
      assertArrayEquals(
          new double[] {0.6 / length, 1.8 / length}, entry(part, "regions", 0, 0), 1e-15);
      assertArrayEquals(new double[] {5 / 13.0, 12 / 13.0}, entry(part, "regions", 0, 1), 1e-15);
      assertArrayEquals(new double[] {1, 0}, entry(part, "regions", 1, 0), 1e-15);
      assertArrayEquals(new double[] {1, 0}, entry(part, "regions", 1, 1), 1e-15);
      assertArrayEquals(untouched, entry(part, "regions", 1, 2));
      assertArrayEquals(new double[] {2, 2}, Tensors.values(buffer(part, "regions_next")));
      assertArrayEquals(new double[] {3, 2}, Tensors.values(buffer(part, "pixels_next")));
      double first = entry(part, "pixels", 0, 0)[0] + entry(part, "pixels", 0, 1)[0];
      assertEquals(0.6, first, 1e-15); // both of image 0, in a random order
      assertArrayEquals(new double[] {5 / 13.0, 12 / 13.0}, entry(part, "pixels", 0, 2), 1e-15);
    }
  }

  @Test
  void theOldestEntriesAreOverwrittenInARing() {
    ClassMemoryLoss loss = small(6, 3, 3);
    try (TrainedPart part = part(loss, inputs(teacher(), LABELS, 0, null))) {
      loss.forward(inputs(teacher(), LABELS, 0, part));
      double[] second = entry(part, "regions", 0, 1);
      loss.forward(inputs(teacher(), LABELS, 0, part)); // as a step that accumulates does
      assertArrayEquals(new double[] {1, 1}, Tensors.values(buffer(part, "regions_next")));
      assertArrayEquals(second, entry(part, "regions", 0, 0)); // 2 comes in at places 2 and 0
      assertArrayEquals(new double[] {0, 4}, Tensors.values(buffer(part, "pixels_next")));
    }
  }

  /** Each class has a direction of its own, so that a foreign pixel would be seen. */
  @Test
  void anImageGivesAtMostSoManyPixelsOfTheClassItself() {
    long[] labels = new long[2 * 8 * 8];
    double[] values = new double[2 * 2 * 8 * 8];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = i % 3 == 0 ? 1 : 0;
      values[i / 64 * 128 + (int) labels[i] * 64 + i % 64] = 1 + i;
    }
    Tensor teacher = Tensor.create(values, 2, 2, 8, 8);
    ClassMemoryLoss loss = small(50, 5, 16);
    try (TrainedPart part = part(loss, inputs(teacher, labels, 0, null))) {
      loss.forward(inputs(teacher, labels, 0, part));
      assertArrayEquals(new double[] {32, 32}, Tensors.values(buffer(part, "pixels_next")));
      for (int place = 0; place < 32; place++) {
        assertArrayEquals(new double[] {1, 0}, entry(part, "pixels", 0, place));
        assertArrayEquals(new double[] {0, 1}, entry(part, "pixels", 1, place));
      }
    }
  }

  @Test
  void inEvaluationModeNothingIsEnqueued() {
    ClassMemoryLoss loss = small(6, 3, 3);
    try (TrainedPart part = part(loss, inputs(teacher(), LABELS, 0, null))) {
      part.module().eval();
      Tensor before = buffer(part, "pixels").clone();
      double value = loss.forward(inputs(teacher(), LABELS, 0, part)).item_double();
      assertTrue(torch.equal(before, buffer(part, "pixels")));
      assertEquals(value, loss.forward(inputs(teacher(), LABELS, 0, part)).item_double());
    }
  }

  @Test
  void drawsFollowSeedAndStep() {
    Tensor teacher = Tensors.gaussian(1, 2, 4, 6, 6);
    long[] labels = new long[72];
    ClassMemoryLoss loss = small(40, 5, 4);
    Tensor[] memories = new Tensor[3];
    for (int i = 0; i < memories.length; i++) {
      try (TrainedPart part = part(loss, inputs(teacher, labels, 0, null))) {
        loss.forward(inputs(teacher, labels, i / 2, part));
        memories[i] = buffer(part, "pixels").clone();
      }
    }
    assertTrue(torch.equal(memories[0], memories[1]));
    assertFalse(torch.equal(memories[0], memories[2]));
  }

  @Test
  void withoutALabelTheLossIsZeroAndTheMemoryStays() {
    ClassMemoryLoss loss = small(6, 3, 3);
    long[] none = {IGNORED, IGNORED, IGNORED, IGNORED, -1, -1};
    try (TrainedPart part = part(loss, inputs(teacher(), LABELS, 0, null))) {
      LossValue value = loss.measure(inputs(teacher(), none, 0, part));
      assertEquals(0, value.loss().item_double());
      assertEquals(0, value.tookPart().item_long());
      assertArrayEquals(new double[] {0, 0}, Tensors.values(buffer(part, "pixels_next")));
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "0 | 9 | 9 | 1 | 1 | 1 | 0.1 | 1 | 1 | classes is 0, expected 1 or more",
        "2 | 0 | 9 | 1 | 1 | 1 | 0.1 | 1 | 1 | pixels is 0, expected 1 or more",
        "2 | 9 | 9 | 0 | 1 | 1 | 0.1 | 1 | 1 | pixelsPerImage is 0, expected 1 or more",
        "2 | 9 | 9 | 1 | 18 | 1 | 0.1 | 1 | 1 | pixelSamples is 18, that is 10 of each of 2 classes,"
            + " but pixels keeps 9 of a class",
        "2 | 9 | 9 | 1 | 1 | 20 | 0.1 | 1 | 1 | regionSamples is 20, that is 11 of each of 2"
            + " classes, but regions keeps 9 of a class",
        "2 | 9 | 9 | 1 | 1 | 1 | 0 | 1 | 1 | temperature is 0.0, expected a finite number greater"
            + " than 0",
        "2 | 9 | 9 | 1 | 1 | 1 | 1 | 0 | 0 | pixelWeight is 0.0 and regionWeight is 0.0, expected"
            + " finite numbers of at least 0, of which one is greater"
      })
  void impossibleSettingsAreRefused(
      int classes,
      int pixels,
      int regions,
      int perImage,
      int pixelSamples,
      int regionSamples,
      double temperature,
      double pixelWeight,
      double regionWeight,
      String said) {
    IllegalArgumentException e =
        assertThrows(
            IllegalArgumentException.class,
            () ->
                new ClassMemoryLoss(
                    classes,
                    pixels,
                    regions,
                    perImage,
                    pixelSamples,
                    regionSamples,
                    temperature,
                    1,
                    pixelWeight,
                    regionWeight));
    assertEquals("class memory loss: " + said, e.getMessage());
  }

  private static String refused(ClassMemoryLoss loss, LossInputs inputs) {
    return assertThrows(IllegalArgumentException.class, () -> loss.forward(inputs)).getMessage();
  }

  @Test
  void whatDoesNotFitTheMemoryIsRefused() {
    ClassMemoryLoss loss = small(6, 3, 3);
    assertEquals(
        "class memory loss: a batch of 2 enqueues up to 6 pixels and 2 regions of a class, but a"
            + " queue keeps 5 and 3",
        assertThrows(
                IllegalArgumentException.class,
                () -> small(5, 3, 3).trainedPart(inputs(teacher(), LABELS, 0, null), 5))
            .getMessage());
    assertTrue(refused(loss, inputs(teacher(), LABELS, 0, null)).endsWith("by trainedPart()"));
    try (TrainedPart part = part(loss, inputs(teacher(), LABELS, 0, null))) {
      assertEquals(
          "class memory loss: student and teacher have 3 and 4 channels, but the memory was made"
              + " for 3 and 2",
          refused(loss, inputs(Tensors.gaussian(1, 2, 4, 1, 3), LABELS, 0, part)));
      String said = refused(loss, inputs(teacher(), new long[] {0, 0, 1, 2, 1, 0}, 0, part));
      assertTrue(said.contains("labels has the value 2, expected 0 to 1"), said);
    }
  }
}
