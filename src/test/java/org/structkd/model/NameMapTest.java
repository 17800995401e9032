package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.structkd.data.DataFileException;
import org.structkd.testing.InScope;

/** Weights of other programs: other names, other element types. */
@InScope
class NameMapTest {
  private static final NameMap NAMES =
      NameMap.SAME.with("module.classifier.", "head.").with("module.", "");

  private SegmentationNet trained;
  private SegmentationNet fresh;

  @BeforeEach
  void open() {
    trained = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 1);
    fresh = new SegmentationNet(new SegmentationNet.Config(1, 2, 3), 2);
  }

  private static TensorFile file(Map<String, Tensor> tensors) throws IOException {
    TensorFile.Builder file = TensorFile.builder();
    tensors.forEach(file::tensor);
    return TensorFile.read(new ByteArrayInputStream(file.build("it").toBytes()), "theirs");
  }

  /** The trained net as another program would have saved it. */
  private Map<String, Tensor> theirs() {
    Map<String, Tensor> tensors = new TreeMap<>();
    StateDict.tensorsOf(trained.module())
        .forEach(
            (name, tensor) ->
                tensors.put(
                    name.startsWith("head.")
                        ? "module.classifier." + name.substring("head.".length())
                        : "module." + name,
                    tensor));
    return tensors;
  }

  @Test
  void otherNamesAreMapped() throws IOException {
    StateDict.Loaded loaded = StateDict.load(fresh.module(), file(theirs()), NAMES);
    assertEquals(new StateDict.Loaded(List.of(), List.of()), loaded);
    assertEquals(trained.fingerprint(), fresh.fingerprint());
  }

  @Test
  void whatIsSavedUnderOtherNamesIsLoadedByThem() throws IOException {
    TensorFile.Builder file = TensorFile.builder();
    StateDict.save(trained.module(), file, NAMES);
    TensorFile saved = file.build("saved");
    assertEquals(theirs().keySet(), new TreeSet<>(saved.names()));
    StateDict.load(fresh.module(), saved, NAMES);
    assertEquals(trained.fingerprint(), fresh.fingerprint());
  }

  @Test
  void otherTypesAreConvertedAndTold() throws IOException {
    Map<String, Tensor> theirs = theirs();
    Tensor exact = torch.full_like(theirs.get("module.classifier.weight"), scalar(0.5));
    theirs.put("module.classifier.weight", exact.to(ScalarType.Half));
    theirs.put(
        "module.half_norm.num_batches_tracked", torch.tensor(7L).squeeze().to(ScalarType.Int));
    theirs.put("module.aux.weight", torch.zeros(3));
    StateDict.Loaded loaded = StateDict.load(fresh.module(), file(theirs), NAMES);
    assertEquals(
        List.of("head.weight from F16 to F32", "half_norm.num_batches_tracked from I32 to I64"),
        loaded.converted());
    assertEquals(List.of("module.aux.weight"), loaded.unused());
    Tensor head = StateDict.parametersOf(fresh.module()).get("head.weight");
    assertEquals(ScalarType.Float, head.scalar_type().intern());
    assertTrue(head.eq(scalar(0.5)).all().item_bool());
  }

  private static Scalar scalar(double value) {
    return new Scalar(value);
  }

  private void assertRefused(String sentence, Map<String, Tensor> theirs, NameMap names)
      throws IOException {
    String before = fresh.fingerprint();
    TensorFile file = file(theirs);
    DataFileException e =
        assertThrows(DataFileException.class, () -> StateDict.load(fresh.module(), file, names));
    assertTrue(e.getMessage().contains(sentence), e.getMessage());
    assertEquals(before, fresh.fingerprint());
  }

  @Test
  void aMissingTensorIsNamedOnBothSidesWithWhatIsLeft() throws IOException {
    assertRefused(
        "tensor \"module.half_conv.weight\" for \"half_conv.weight\"",
        Map.of("model.half_conv.weight", torch.zeros(2, 1, 3, 3)),
        NAMES);
    assertRefused(
        "without a place in the module are model.half_conv.weight",
        Map.of("model.half_conv.weight", torch.zeros(2, 1, 3, 3)),
        NAMES);
  }

  @Test
  void twoTensorsForOnePlaceAreRefused() throws IOException {
    Map<String, Tensor> theirs = theirs();
    theirs.put("head.bias", torch.zeros(3));
    assertRefused("one tensor for \"head.bias\" of the module", theirs, NAMES);
  }

  @Test
  void anotherShapeAnotherKindAndWhatTheTypeCannotHoldAreRefused() throws IOException {
    Map<String, Tensor> shape = theirs();
    shape.put("module.classifier.bias", torch.zeros(4));
    assertRefused("to be F32 [3]", shape, NAMES);
    Map<String, Tensor> kind = theirs();
    kind.put("module.classifier.bias", torch.zeros(3).to(ScalarType.Long));
    assertRefused("I64 [3]", kind, NAMES);
    Map<String, Tensor> huge = theirs();
    huge.put("module.classifier.bias", torch.zeros(3).to(ScalarType.Double).add(scalar(1e300)));
    assertRefused("to be finite as F32", huge, NAMES);
  }

  @Test
  void aRuleThatWouldNeverBeUsedIsRefused() {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> NAMES.with("module.", "net."));
    assertTrue(e.getMessage().contains("two rules have the beginning \"module.\""));
  }
}
