package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.OptionalLong;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.structkd.loss.MaskedGenerativeLoss.Masking;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Masks of a student's map, and the generator that makes the teacher's of what is left. */
@InScope
class MaskedGenerativeLossTest {
  private static String refused(Runnable call) {
    return assertThrows(IllegalArgumentException.class, call::run).getMessage();
  }

  private static LossInputs inputs(Tensor student, Tensor teacher, long step, TrainedPart part) {
    return new LossInputs(
        Map.of("features", student),
        Map.of("features", teacher),
        Map.of(),
        Map.of(),
        OptionalLong.empty(),
        step,
        part);
  }

  /** Bool [B, C, H, W], true where the student gets a gradient: what the mask left. */
  private static Tensor kept(MaskedGenerativeLoss loss, long seed, long step) {
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 6, 20, 20), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 6, 20, 20).to(ScalarType.Float);
    try (TrainedPart part =
        loss.trainedPart(inputs(student, teacher, 0, null), seed).orElseThrow()) {
      loss.forward(inputs(student, teacher, step, part)).backward();
      return student.grad().ne(new Scalar(0));
    }
  }

  private static double share(Tensor bool) {
    return bool.to(ScalarType.Double).mean().item_double();
  }

  @Test
  void allChannelsOfAPositionAreMasked() {
    Tensor kept = kept(MaskedGenerativeLoss.segmentation(), 7, 0);
    assertEquals(0.25, share(kept), 0.08);
    assertTrue(torch.equal(kept, kept.narrow(1, 0, 1).expand(kept.shape())));
    assertTrue(!torch.equal(kept.select(0, 0), kept.select(0, 1)), "both images have one mask");
  }

  @Test
  void allPositionsOfAChannelAreMasked() {
    Tensor kept = kept(new MaskedGenerativeLoss(0.5, Masking.CHANNELS), 7, 0);
    assertEquals(0.5, share(kept), 0.3); // of 12 channels
    assertTrue(torch.equal(kept, kept.narrow(2, 0, 1).narrow(3, 0, 1).expand(kept.shape())));
    assertEquals(1, share(kept(new MaskedGenerativeLoss(0, Masking.CHANNELS), 7, 0)));
  }

  @Test
  void aMaskIsDrawnBySeedAndStep() {
    MaskedGenerativeLoss loss = MaskedGenerativeLoss.segmentation();
    Tensor once = kept(loss, 7, 3);
    assertTrue(torch.equal(once, kept(loss, 7, 3)));
    assertTrue(!torch.equal(once, kept(loss, 7, 4)));
    assertTrue(!torch.equal(once, kept(loss, 8, 3)));
  }

  @Test
  void theLayersLearnAndAlignOtherChannelsAndSizes() {
    MaskedGenerativeLoss loss = MaskedGenerativeLoss.detection();
    Tensor student = Tensors.leaf(Tensors.gaussian(1, 2, 3, 4, 4), ScalarType.Float);
    Tensor teacher = Tensors.gaussian(2, 2, 5, 8, 6).to(ScalarType.Float);
    try (TrainedPart part = loss.trainedPart(inputs(student, teacher, 0, null), 7).orElseThrow()) {
      LossValue value = loss.measure(inputs(student, teacher, 0, part));
      value.loss().backward();
      assertEquals(2 * 8 * 6, value.tookPart().item_long());
      assertEquals(6, part.module().parameters().size());
      for (long i = 0; i < 6; i++) {
        Tensor gradient = part.module().parameters().get(i).grad();
        assertTrue(gradient.abs().sum().item_double() > 0);
      }
      Tensor wider = Tensors.gaussian(1, 2, 4, 4, 4);
      assertTrue(
          refused(() -> loss.forward(inputs(wider, teacher, 0, part)))
              .contains("has 4 channels, but the generator was made for 3"));
    }
  }

  @Test
  void whatDoesNotFitIsRefused() {
    MaskedGenerativeLoss loss = MaskedGenerativeLoss.segmentation();
    Tensor map = Tensors.gaussian(1, 2, 3, 4, 4);
    assertEquals(
        "masked generative loss: it has no generator: make one by trainedPart()",
        refused(() -> loss.forward(inputs(map, map, 0, null))));
    Tensor vectors = Tensors.gaussian(1, 2, 3);
    assertTrue(
        refused(() -> loss.trainedPart(inputs(vectors, vectors, 0, null), 7))
            .contains("has rank 2"));
    for (double ratio : new double[] {-0.1, 1, Double.NaN}) {
      assertTrue(
          refused(() -> new MaskedGenerativeLoss(ratio, Masking.POSITIONS))
              .contains("maskRatio is " + ratio));
    }
    assertTrue(refused(() -> new MaskedGenerativeLoss(0.5, null)).contains("masking is null"));
  }
}
