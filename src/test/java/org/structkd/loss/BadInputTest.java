package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refusal;

import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Operator;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** What losses say about arguments beside the maps, and operators without Java's checks. */
@InScope
@Tag("emulated")
class BadInputTest {
  private static Tensor good() {
    return Tensors.gaussian(1, 2, 4, 3, 5).to(ScalarType.Float);
  }

  /** Whatever comes beside the maps: each is named, with both devices. */
  @Test
  void furtherArgumentsOfAnotherDevice() {
    Tensor plane = torch.ones(2, 3, 5).to(meta(), ScalarType.Float);
    Tensor mask = plane.to(ScalarType.Byte);
    Tensor table = torch.zeros(2, 2).to(meta(), ScalarType.Int);
    GlobalStructuralLoss global = GlobalStructuralLoss.standard();
    assertEquals(
        "pair-wise loss: weights is on meta and nodes on cpu, expected one device",
        refusal(() -> PairwiseLoss.skdCvpr19().forward(good(), good(), plane)));
    assertEquals(
        "pixel-wise loss: mask is on meta and student on cpu, expected one device",
        refusal(() -> PixelwiseLoss.kd().forward(good(), good(), mask)));
    assertEquals(
        "inter-class similarity loss: mask is on meta and student on cpu, expected one device",
        refusal(() -> InterClassSimilarityLoss.paper().forward(good(), good(), mask)));
    assertEquals(
        "global structural loss: indices is on meta and student on cpu, expected one device",
        refusal(
            () ->
                global.forwardAt(
                    good(), good(), new GlobalStructuralSamples(table, table), null, 1)));
    assertEquals(
        "global structural loss: labels is on meta and teacher on cpu, expected one device",
        refusal(() -> global.forward(good(), good(), good(), mask.to(ScalarType.Long), 1)));
  }

  /** The kernel asks LibTorch's floor for scratch, and what that throws must come through. */
  @Test
  void moreScratchThanThereIs() {
    // K x K sums are 2^47 bytes, beyond the addresses of a process; the map is a single number.
    Tensor map = torch.zeros(1, 1, 1, 1).expand(1, 1 << 22, 2, 2);
    InterClassSimilarityLoss loss = InterClassSimilarityLoss.paper();
    String said = assertThrows(StructkdException.class, () -> loss.forward(map, map)).getMessage();
    assertTrue(said.matches("out of memory: [0-9]+ bytes"), said);
  }

  @Test
  void operatorsNameBothDevices() {
    String said =
        assertThrows(
                StructkdException.class,
                () ->
                    NativeCall.of(
                        () ->
                            Operator.call(
                                "pixelwise",
                                good(),
                                good(),
                                torch.ones(2, 3, 5).to(meta(), ScalarType.Byte),
                                "kl_teacher_student",
                                "pixels",
                                1.0,
                                true)))
            .getMessage();
    assertTrue(said.startsWith("pixel-wise loss: mask is on meta"), said);
    said =
        assertThrows(
                StructkdException.class,
                () ->
                    NativeCall.of(
                        () ->
                            Operator.call(
                                "pairwise",
                                good(),
                                elsewhere(),
                                null,
                                "differentiable",
                                "max",
                                1e-12,
                                "per_image",
                                "exact",
                                "squared",
                                "mean")))
            .getMessage();
    assertTrue(said.startsWith("pair-wise loss: teacher is on meta"), said);
  }

  private static Device meta() {
    return new Device(DeviceType.Meta);
  }

  private static Tensor elsewhere() {
    return good().to(meta(), ScalarType.Float);
  }
}
