package org.structkd.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.structkd.data.DataFileException;
import org.structkd.internal.Words;
import org.structkd.model.BackboneNet.Backbone;
import org.structkd.model.BackboneNet.Config;
import org.structkd.model.BackboneNet.Head;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;

/** Backbones with heads: shapes, parameters, what dilations compute, files and weights. */
@InScope
class BackboneNetTest {
  /** A small net of 3 classes. */
  private static BackboneNet small(Backbone backbone, Head head, int outputStride) {
    int features = head == Head.CLASSIFIER ? 0 : 16;
    return new BackboneNet(new Config(3, backbone, head, 0.125, outputStride, features, 3), 1);
  }

  private static Tensor images(long batch, long height, long width) {
    return Tensors.gaussian(1, batch, 3, height, width).to(ScalarType.Float);
  }

  private static long parameters(TrainableNetwork net) {
    return StateDict.parameterCount(net.module());
  }

  /** Those that torchvision's documentation gives for its classifiers of ImageNet. */
  @ParameterizedTest
  @CsvSource({
    "RESNET18, 11689512",
    "RESNET34, 21797672",
    "RESNET50, 25557032",
    "MOBILENET_V2, 3504872"
  })
  void classifiersHaveTheParametersOfTorchvisions(Backbone backbone, long expected) {
    try (BackboneNet net = new BackboneNet(new Config(3, backbone, Head.CLASSIFIER, 1000), 1)) {
      assertEquals(expected, parameters(net));
    }
  }

  @Test
  void parametersHaveTorchvisionsNames() {
    assertTrue(
        names(small(Backbone.RESNET50, Head.PSPNET, 8))
            .containsAll(
                Set.of(
                    "backbone.conv1.weight",
                    "backbone.bn1.running_mean",
                    "backbone.layer1.0.downsample.0.weight",
                    "backbone.layer4.2.bn3.num_batches_tracked",
                    "head.pyramid6_conv.weight",
                    "head.classifier.bias")));
    Set<String> mobile = names(small(Backbone.MOBILENET_V2, Head.CLASSIFIER, 32));
    assertTrue(
        mobile.containsAll(
            Set.of(
                "backbone.features.0.0.weight",
                "backbone.features.1.conv.0.1.running_var",
                "backbone.features.1.conv.2.bias",
                "backbone.features.17.conv.3.weight",
                "backbone.features.18.1.bias")));
    assertFalse(
        names(small(Backbone.MOBILENET_V2, Head.LRASPP, 16))
            .contains("backbone.features.18.0.weight"));
  }

  private static Set<String> names(TrainableNetwork net) {
    return StateDict.tensorsOf(net.module()).keySet();
  }

  /** 97 and 65 pixels are 25 and 17 at a quarter, 13 and 9 at an eighth, 7 and 5, 4 and 3. */
  @ParameterizedTest
  @EnumSource(Backbone.class)
  void mapsOfOddImagesAreRoundedUp(Backbone backbone) {
    for (int outputStride : new int[] {8, 16, 32}) {
      try (BackboneNet net = small(backbone, Head.LRASPP, outputStride)) {
        Map<String, Tensor> outputs = net.infer(images(2, 97, 65));
        assertEquals(net.taps(), outputs.keySet());
        assertSize(outputs.get("stage1"), 25, 17);
        assertSize(outputs.get("stage2"), 13, 9);
        assertSize(outputs.get("stage3"), outputStride == 8 ? 13 : 7, outputStride == 8 ? 9 : 5);
        long[] deepest =
            Map.of(8, new long[] {13, 9}, 16, new long[] {7, 5}, 32, new long[] {4, 3})
                .get(outputStride);
        assertSize(outputs.get("stage4"), deepest[0], deepest[1]);
        assertArrayEquals(new long[] {2, 3, 97, 65}, outputs.get("upsampled").shape());
      }
    }
  }

  private static void assertSize(Tensor map, long height, long width) {
    assertEquals(2, map.size(0));
    assertEquals(height + "x" + width, map.size(2) + "x" + map.size(3));
  }

  @ParameterizedTest
  @CsvSource({
    "PSPNET, 5, 4",
    "DEEPLABV3_PLUS, 9, 8",
    "DEEPLABV3_PLUS_SEPARABLE, 9, 8",
    "LRASPP, 5, 4"
  })
  void headsMakeMapsOfTheirSizeAndAllOfThemLearns(Head head, long height, long width) {
    try (BackboneNet net = small(Backbone.RESNET18, head, 8)) {
      Map<String, Tensor> outputs = net.forward(images(2, 33, 31));
      assertArrayEquals(new long[] {2, 16, height, width}, outputs.get("features").shape());
      assertArrayEquals(new long[] {2, 3, height, width}, outputs.get("logits").shape());
      assertArrayEquals(new long[] {2, 3, 33, 31}, outputs.get("upsampled").shape());
      assertArrayEquals(new long[] {2, 64}, outputs.get("embeddings").shape());
      outputs.get("upsampled").square().sum().backward();
      StateDict.parametersOf(net.module())
          .forEach((name, tensor) -> assertTrue(tensor.grad().defined(), name));
    }
  }

  /**
   * Counted by hand: of 2,048 channels to 256, joined with 48 of the first stage, for 19 classes.
   */
  @ParameterizedTest
  @CsvSource({"DEEPLABV3_PLUS, 16843635", "DEEPLABV3_PLUS_SEPARABLE, 3187587"})
  void separableConvolutionsSaveMostOfAHead(Head head, long expected) {
    try (BackboneNet net = new BackboneNet(new Config(3, Backbone.RESNET50, head, 19), 1)) {
      assertEquals(
          expected,
          StateDict.parametersOf(net.module()).entrySet().stream()
              .filter(parameter -> parameter.getKey().startsWith("head."))
              .mapToLong(parameter -> parameter.getValue().numel())
              .sum());
      if (head == Head.DEEPLABV3_PLUS_SEPARABLE) {
        Map<String, Tensor> all = StateDict.parametersOf(net.module());
        assertArrayEquals(
            new long[] {2048, 1, 3, 3}, all.get("head.atrous3_depthwise_conv.weight").shape());
        assertArrayEquals(
            new long[] {256, 304, 1, 1}, all.get("head.first_pointwise_conv.weight").shape());
      }
    }
  }

  @Test
  void classifiersTellOneClassForTheImage() {
    for (Backbone backbone : Backbone.values()) {
      try (BackboneNet net = small(backbone, Head.CLASSIFIER, 32)) {
        Map<String, Tensor> outputs = net.forward(images(2, 64, 33));
        assertArrayEquals(new long[] {2, 3}, outputs.get("logits").shape());
        assertFalse(outputs.containsKey("upsampled"));
        outputs.get("logits").square().sum().backward();
        StateDict.parametersOf(net.module())
            .forEach((name, tensor) -> assertTrue(tensor.grad().defined(), name));
      }
    }
  }

  /** A dilated backbone computes at every second position what the strided one computes at all. */
  @ParameterizedTest
  @EnumSource(Backbone.class)
  void dilationsComputeWhatStridesDid(Backbone backbone) throws IOException {
    Tensor images = images(1, 101, 67);
    try (BackboneNet strided = small(backbone, Head.LRASPP, 32);
        BackboneNet half = small(backbone, Head.LRASPP, 16);
        BackboneNet quarter = small(backbone, Head.LRASPP, 8)) {
      calibrate(strided, images);
      half.loadBackbone(file(strided));
      quarter.loadBackbone(file(strided));
      Tensor expected = strided.infer(images).get("stage4");
      assertTrue(expected.std(false).item_double() > 1e-3, "a map of nothing proves nothing");
      Tensor everySecond = everyNth(half.infer(images).get("stage4"), 2);
      Tensor everyFourth = everyNth(quarter.infer(images).get("stage4"), 4);
      assertTrue(Tensors.relativeError(everySecond, expected) < 1e-5);
      assertTrue(Tensors.relativeError(everyFourth, expected) < 1e-5);
    }
  }

  /** Running statistics of these images, so that no map fades away with depth. */
  private static void calibrate(BackboneNet net, Tensor images) {
    for (int i = 0; i < 30; i++) {
      net.forward(images);
    }
  }

  private static Tensor everyNth(Tensor map, long step) {
    for (int axis = 2; axis <= 3; axis++) {
      long count = (map.size(axis) + step - 1) / step;
      long[] places = new long[(int) count];
      for (int i = 0; i < count; i++) {
        places[i] = i * step;
      }
      map = map.index_select(axis, Tensor.create(places));
    }
    return map;
  }

  @Test
  void thePageHasEachBackboneAndEachHeadWithItsDefaults() throws IOException {
    String page = Files.readString(Path.of("docs/backbones.md"));
    for (Backbone backbone : Backbone.values()) {
      assertTrue(page.contains("\n| `" + Words.of(backbone) + "` |"), backbone.name());
    }
    for (Head head : Head.values()) {
      String row = "\\n\\| `%s` \\|.*\\| %d \\| %d \\|\\n";
      assertTrue(
          Pattern.compile(row.formatted(Words.of(head), head.outputStride(), head.features()))
              .matcher(page)
              .find(),
          head.name());
    }
  }

  @Test
  void equalSeedsGiveEqualWeights() {
    Config config = new Config(1, Backbone.MOBILENET_V2, Head.PSPNET, 0.125, 16, 8, 2);
    assertEquals(
        new BackboneNet(config, 1).fingerprint(), new BackboneNet(config, 1).fingerprint());
    assertFalse(
        new BackboneNet(config, 1).fingerprint().equals(new BackboneNet(config, 2).fingerprint()));
  }

  @Test
  void filesGiveTheSameNetwork() throws IOException {
    Tensor images = images(1, 40, 48);
    try (BackboneNet net = small(Backbone.MOBILENET_V2, Head.DEEPLABV3_PLUS, 16);
        TensorFile file = file(net);
        TrainableNetwork copy = NetworkFile.network(file)) {
      assertEquals("mobilenet_v2", file.property("backbone"));
      assertEquals(net.config(), ((BackboneNet) copy).config());
      assertTrue(net.infer(images).get("logits").equal(copy.infer(images).get("logits")));
    }
    TensorFile.Builder other = TensorFile.builder().property("network", BackboneNet.KIND);
    Map.of(
            "channels",
            "3",
            "backbone",
            "resnet19",
            "head",
            "pspnet",
            "width",
            "1",
            "outputStride",
            "8",
            "features",
            "8",
            "classes",
            "2")
        .forEach(other::property);
    assertEquals(
        "it: expected the shape of a network, found a network's shape has no backbone \"resnet19\","
            + " it has: mobilenet_v2, resnet18, resnet34, resnet50; did you mean \"resnet18\"?",
        assertThrows(DataFileException.class, () -> NetworkFile.network(other.build("it")))
            .getMessage());
  }

  private static TensorFile file(TrainableNetwork net) throws IOException {
    return TensorFile.read(new ByteArrayInputStream(net.toFile(Map.of()).toBytes()), "it");
  }

  /** Weights of a classifier as torchvision names them. */
  private static Map<String, Tensor> theirs(Backbone backbone) {
    BackboneNet net = small(backbone, Head.CLASSIFIER, 32);
    Map<String, Tensor> tensors = new TreeMap<>();
    StateDict.tensorsOf(net.module())
        .forEach(
            (name, tensor) ->
                tensors.put(
                    name.replace("backbone.", "").replace("head.classifier", "fc"), tensor));
    return tensors;
  }

  private static TensorFile file(Map<String, Tensor> tensors) {
    TensorFile.Builder file = TensorFile.builder();
    tensors.forEach(file::tensor);
    return file.build("theirs");
  }

  @Test
  void weightsOfABackboneAreLoadedWithoutThoseOfItsClasses() throws IOException {
    for (Backbone backbone : new Backbone[] {Backbone.RESNET18, Backbone.MOBILENET_V2}) {
      Map<String, Tensor> theirs = theirs(backbone);
      try (BackboneNet net =
          new BackboneNet(new Config(3, backbone, Head.PSPNET, 0.125, 8, 16, 3), 2)) {
        Map<String, Tensor> own = StateDict.tensorsOf(net.module());
        Tensor before = own.get("head.classifier.weight").clone();
        StateDict.Loaded loaded = net.loadBackbone(file(theirs));
        assertTrue(loaded.unused().containsAll(Set.of("fc.bias", "fc.weight")));
        own.forEach(
            (name, tensor) -> {
              if (name.startsWith("backbone.")) {
                assertTrue(tensor.equal(theirs.get(name.substring(9))), name);
              }
            });
        assertTrue(before.equal(own.get("head.classifier.weight")));
      }
    }
  }

  @Test
  void weightsOfAnotherBackboneAreRefusedAndNothingChanges() {
    BackboneNet net = small(Backbone.RESNET18, Head.PSPNET, 8);
    String before = net.fingerprint();
    Map<String, Tensor> larger = theirs(Backbone.RESNET34);
    refused(
        DataFileException.class,
        "theirs: expected the tensors of a resnet18, found others as well, as of a larger network:"
            + " layer1.2.bn1.bias, layer1.2.bn1.num_batches_tracked, layer1.2.bn1.running_mean,"
            + " layer1.2.bn1.running_var, layer1.2.bn1.weight and 91 more",
        () -> net.loadBackbone(file(larger)));
    Map<String, Tensor> incomplete = theirs(Backbone.RESNET18);
    incomplete.remove("layer3.1.conv2.weight");
    refused(
        DataFileException.class,
        "theirs: expected tensor \"layer3.1.conv2.weight\" for \"layer3.1.conv2.weight\" of the"
            + " module, found no tensor of this name; without a place in the module are fc.bias,"
            + " fc.weight",
        () -> net.loadBackbone(file(incomplete)));
    Map<String, Tensor> grey = theirs(Backbone.RESNET18);
    grey.put("conv1.weight", torch.zeros(8, 1, 7, 7));
    refused(
        DataFileException.class,
        "theirs: expected tensor \"conv1.weight\" to be F32 [8, 3, 7, 7], found F32 [8, 1, 7, 7]:"
            + " another network, or a name that means another tensor",
        () -> net.loadBackbone(file(grey)));
    assertEquals(before, net.fingerprint());
  }

  @Test
  void whatCannotBeIsRefusedInASentence() {
    refused(
        "backbone net: output stride is 4, expected 8, 16 or 32",
        () -> small(Backbone.RESNET18, Head.PSPNET, 4));
    refused(
        "backbone net: width is 3.0, expected 0.0625 to 2.0",
        () -> new Config(3, Backbone.RESNET18, Head.PSPNET, 3, 8, 16, 3));
    refused(
        "backbone net: features are 8, expected 0: a classifier has none",
        () -> new Config(3, Backbone.RESNET18, Head.CLASSIFIER, 1, 32, 8, 3));
    refused(
        "backbone net: classes is 0, expected 1 to 65536",
        () -> new Config(3, Backbone.RESNET18, Head.CLASSIFIER, 0));
    BackboneNet net = small(Backbone.RESNET18, Head.PSPNET, 8);
    refused(
        "backbone net: images are [1, 1, 8, 8], expected [B, 3, H, W]",
        () -> net.infer(torch.zeros(1, 1, 8, 8)));
    refused(
        "backbone net: images to train on are [1, 3, 64, 64], expected 2 or more: batch"
            + " normalisation of one value learns nothing",
        () -> net.forward(images(1, 64, 64)));
    refused(
        "backbone net: images to train on are [1, 3, 32, 32], expected 2 or more, or larger ones:"
            + " batch normalisation of one value learns nothing",
        () -> small(Backbone.RESNET18, Head.CLASSIFIER, 32).forward(images(1, 32, 32)));
    assertEquals(3, net.infer(images(1, 64, 64)).get("logits").size(1), "to infer one is enough");
  }
}
