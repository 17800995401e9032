package org.structkd.loss;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.DeviceType;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.structkd.StructkdException;
import org.structkd.internal.NativeCall;
import org.structkd.internal.Operator;
import org.structkd.testing.Tensors;

/** What every loss says about maps that it cannot take, whichever of the two it is. */
@Tag("emulated")
class BadInputTest {
  private PointerScope scope;

  @BeforeEach
  void openScope() {
    scope = new PointerScope();
  }

  @AfterEach
  void closeScope() {
    scope.close();
  }

  static List<LossCalls.Named> losses() {
    return LossCalls.all().toList();
  }

  private static Tensor good() {
    return Tensors.gaussian(1, 2, 4, 3, 5).to(ScalarType.Float);
  }

  /** Refused in either place, with a sentence that names loss, place and reason. */
  private static void refused(LossCalls.Named loss, Tensor bad, String reason) {
    String asStudent = sentence(() -> loss.forward(bad, good()));
    String asTeacher = sentence(() -> loss.forward(good(), bad));
    for (String said : new String[] {asStudent, asTeacher}) {
      assertTrue(said.startsWith(loss.name() + ": "), said);
      assertTrue(said.contains(reason), said);
      assertFalse(said.contains("\n"), said);
    }
    assertTrue(asStudent.contains("student"), asStudent);
    assertTrue(asTeacher.contains("teacher"), asTeacher);
  }

  private static String sentence(Runnable call) {
    return assertThrows(IllegalArgumentException.class, call::run).getMessage();
  }

  @ParameterizedTest
  @MethodSource("losses")
  void nullClosedAndUndefinedTensors(LossCalls.Named loss) {
    refused(loss, null, " is null");
    Tensor closed = good();
    closed.close();
    refused(loss, closed, " has been closed, or its PointerScope has ended");
    Tensor ended;
    try (PointerScope inner = new PointerScope()) {
      ended = good();
      assertFalse(ended.isNull());
    }
    refused(loss, ended, " has been closed, or its PointerScope has ended");
    refused(loss, new Tensor(), " is an undefined tensor");
  }

  @ParameterizedTest
  @MethodSource("losses")
  void wrongRankAndEmptyMaps(LossCalls.Named loss) {
    refused(loss, torch.zeros(4), " [4] has rank 1, expected 4");
    refused(loss, torch.zeros(4, 3, 5), "differ in rank: reshape one of them");
    refused(loss, torch.zeros(1, 2, 4, 3, 5), " [1, 2, 4, 3, 5] has rank 5, expected 4");
    refused(loss, torch.zeros(0, 4, 3, 5), " [0, 4, 3, 5] is empty");
    refused(loss, torch.zeros(2, 4, 0, 5), " [2, 4, 0, 5] is empty");
  }

  @ParameterizedTest
  @MethodSource("losses")
  void integerMaps(LossCalls.Named loss) {
    for (ScalarType dtype : new ScalarType[] {ScalarType.Int, ScalarType.Long, ScalarType.Bool}) {
      refused(
          loss, good().to(dtype), " is " + dtype + ", expected Half, BFloat16, Float or Double");
    }
  }

  @ParameterizedTest
  @MethodSource("losses")
  void mapsOfDifferentSizeOrBatch(LossCalls.Named loss) {
    refused(loss, torch.zeros(3, 4, 3, 5), "differ in batch size");
    refused(loss, torch.zeros(2, 4, 5, 3), "differ in height and width: resize one of them");
  }

  /** The only other device that every machine has. */
  @ParameterizedTest
  @MethodSource("losses")
  void mapsOfAnotherDevice(LossCalls.Named loss) {
    refused(loss, elsewhere(), "expected one device");
    StructkdException both =
        assertThrows(StructkdException.class, () -> loss.forward(elsewhere(), elsewhere()));
    assertTrue(
        both.getMessage().matches(".*: (student|teacher) is on meta.*")
            && both.getMessage().contains(".cpu()"),
        both.getMessage());
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
        sentence(() -> PairwiseLoss.skdCvpr19().forward(good(), good(), plane)));
    assertEquals(
        "pixel-wise loss: mask is on meta and student on cpu, expected one device",
        sentence(() -> PixelwiseLoss.kd().forward(good(), good(), mask)));
    assertEquals(
        "inter-class similarity loss: mask is on meta and student on cpu, expected one device",
        sentence(() -> InterClassSimilarityLoss.paper().forward(good(), good(), mask)));
    assertEquals(
        "global structural loss: indices is on meta and student on cpu, expected one device",
        sentence(
            () ->
                global.forwardAt(
                    good(), good(), new GlobalStructuralSamples(table, table), null, 1)));
    assertEquals(
        "global structural loss: labels is on meta and teacher on cpu, expected one device",
        sentence(() -> global.forward(good(), good(), good(), mask.to(ScalarType.Long), 1)));
  }

  /** The kernel asks LibTorch's floor for scratch, and what that throws must come through. */
  @Test
  void moreScratchThanThereIs() {
    // K x K sums are 2^47 bytes, beyond the addresses of a process; the map is a single number.
    Tensor map = torch.zeros(1, 1, 1, 1).expand(1, 1 << 22, 2, 2);
    LossCalls.Named loss =
        losses().stream().filter(l -> l.name().startsWith("inter-class")).findFirst().orElseThrow();
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
                                "exact")))
            .getMessage();
    assertTrue(said.startsWith("pair-wise loss: teacher is on meta"), said);
  }

  private static Device meta() {
    return new Device(DeviceType.Meta);
  }

  private static Tensor elsewhere() {
    return good().to(meta(), ScalarType.Float);
  }

  /** NaN is no error of the caller but news about the training: it must arrive. */
  @ParameterizedTest
  @MethodSource("losses")
  void nanInEitherMapGivesANanLoss(LossCalls.Named loss) {
    Tensor broken = good();
    broken.select(0, 1).fill_(new Scalar(Double.NaN));
    assertTrue(Double.isNaN(loss.forward(broken, good()).item_double()));
    assertTrue(Double.isNaN(loss.forward(good(), broken).item_double()));
  }

  @ParameterizedTest
  @MethodSource("losses")
  void afterARefusalTheNextCallIsRight(LossCalls.Named loss) {
    Tensor teacher = Tensors.gaussian(2, 2, 4, 3, 5).to(ScalarType.Float);
    double expected = loss.forward(good(), teacher).item_double();
    assertThrows(RuntimeException.class, () -> loss.forward(good(), torch.zeros(1, 1)));
    assertEquals(expected, loss.forward(good(), teacher).item_double());
  }
}
