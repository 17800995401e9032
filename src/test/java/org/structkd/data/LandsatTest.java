package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.ImageInputStream;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.testing.InScope;
import org.structkd.testing.Tensors;
import org.w3c.dom.Node;

/** The bundled scene: its files, its classes, how the elevation lies on it, and who sees what. */
@InScope
class LandsatTest {
  private static final String FOLDER = "landsat/";
  private static final List<LandsatBand> RGB = Landsat.Config.defaults().images();

  private static Landsat data(int block, int crop, int labelled) {
    return Landsat.bundled(new Landsat.Config(RGB, block, crop, labelled, true));
  }

  private static Batch batch(Landsat data, int size, long step) throws Exception {
    return data.training(size).prepare(step).tensors();
  }

  private static InputStream open(String file) {
    InputStream in = LandsatScene.class.getResourceAsStream(FOLDER + file);
    assertNotNull(in, file);
    return in;
  }

  @ParameterizedTest
  @CsvSource({
    "L7_ETMs.tif, 3b722bf4470144b6691bf720bac08f47c99464acff4dd258252891c06312678e",
    "olinda_dem_utm25s.tif, 6954774429a04c827c8330943ee43a176a29d52be2f220100f352894c4b9f173"
  })
  void filesAreThoseOfThePackage(String file, String sum) throws Exception {
    try (InputStream in = open(file)) {
      byte[] digest = MessageDigest.getInstance("SHA-256").digest(in.readAllBytes());
      assertEquals(sum, HexFormat.of().formatHex(digest));
    }
  }

  @Test
  void theirLicenceLiesBesideThem() throws IOException {
    try (InputStream in = open("NOTICE")) {
      String notice = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(notice.contains("Apache\nLicense 2.0"), notice);
      assertTrue(notice.contains("Edzer Pebesma"), notice);
    }
  }

  /** Numbers of a GeoTIFF tag. */
  private static double[] tag(String file, int number) throws IOException {
    try (InputStream in = open(file);
        ImageInputStream bytes = ImageIO.createImageInputStream(in)) {
      ImageReader reader = ImageIO.getImageReaders(bytes).next();
      reader.setInput(bytes);
      IIOMetadata metadata = reader.getImageMetadata(0);
      Node directory = metadata.getAsTree(metadata.getNativeMetadataFormatName()).getFirstChild();
      for (Node field = directory.getFirstChild(); field != null; field = field.getNextSibling()) {
        if (field.getAttributes().getNamedItem("number").getNodeValue().equals("" + number)) {
          Node values = field.getFirstChild();
          double[] numbers = new double[values.getChildNodes().getLength()];
          for (int i = 0; i < numbers.length; i++) {
            Node value = values.getChildNodes().item(i).getAttributes().getNamedItem("value");
            numbers[i] = Double.parseDouble(value.getNodeValue());
          }
          return numbers;
        }
      }
      throw new AssertionError(file + " has no tag " + number);
    }
  }

  /** The sizes of pixels that the code has, and one corner: as the files tell by GeoTIFF's tags. */
  @Test
  void bothFilesBeginInOneCorner() throws IOException {
    assertArrayEquals(tag("L7_ETMs.tif", 33922), tag("olinda_dem_utm25s.tif", 33922));
    assertEquals(LandsatScene.SCENE_METRES, tag("L7_ETMs.tif", 33550)[0], 1e-6);
    assertEquals(LandsatScene.ELEVATION_METRES, tag("olinda_dem_utm25s.tif", 33550)[1], 1e-9);
  }

  @Test
  void elevationLiesWhereItShould() throws IOException {
    var elevation = ImageIO.read(open("olinda_dem_utm25s.tif")).getRaster();
    LandsatScene scene = LandsatScene.bundled();
    float[] plane = scene.planes()[LandsatBand.ELEVATION.ordinal()];
    // The outermost pixels lie beyond the middle of the elevation's outermost ones.
    assertEquals(elevation.getSampleDouble(0, 0, 0) / 100, plane[0], 1e-6);
    double ratio = LandsatScene.ELEVATION_METRES / LandsatScene.SCENE_METRES;
    double squares = 0;
    int count = 0;
    for (int row = 1; row < 110; row++) {
      for (int column = 1; column < 110; column++) {
        // The middle of a pixel of the elevation lies in this pixel of the scene.
        int at = (int) ((row + 0.5) * ratio) * scene.width() + (int) ((column + 0.5) * ratio);
        double exact = elevation.getSampleDouble(column, row, 0) / 100;
        squares += (plane[at] - exact) * (plane[at] - exact);
        count++;
      }
    }
    double own = Math.sqrt(squares / count);
    assertTrue(own < 0.02, "differs by " + 100 * own + " m where pixels lie on each other");
    // Water is low and built-up ground is not: a shift or a swap of axes would mix them.
    assertTrue(
        meanOf(plane, scene.labels(), LandsatScene.WATER) + 0.05
            < meanOf(plane, scene.labels(), LandsatScene.BUILT_UP));
  }

  private static double meanOf(float[] plane, byte[] labels, byte label) {
    double sum = 0;
    int count = 0;
    for (int at = 0; at < plane.length; at++) {
      if (labels[at] == label) {
        sum += plane[at];
        count++;
      }
    }
    return sum / count;
  }

  @ParameterizedTest
  @CsvSource({
    "120, 50, 80, 90, 2", // NDWI exactly 0.2 is no water; NDVI 0.23; NDBI 0.06
    "121, 50, 80, 90, 0",
    "50, 60, 101, 10, 1",
    "50, 60, 100, 10, 3", // NDVI exactly 0.25
    "50, 60, 60, 70, 2",
    "50, 60, 60, 62, 3",
    "200, 20, 100, 200, 0", // water goes first
    "0, 0, 0, 0, 3"
  })
  void labelsFollowTheRules(int green, int red, int nir, int swir1, int label) {
    assertEquals(label, LandsatScene.label(green, red, nir, swir1));
  }

  /** Shares of the classes, counted apart from this code by other means. */
  @Test
  void classesHaveTheirShares() {
    int[] counts = new int[4];
    byte[] labels = LandsatScene.bundled().labels();
    for (byte label : labels) {
      counts[label]++;
    }
    double[] shares = Arrays.stream(counts).mapToDouble(n -> 100.0 * n / labels.length).toArray();
    assertArrayEquals(new double[] {19.9, 19.7, 55, 5.4}, shares, 0.5);
  }

  @ParameterizedTest
  @CsvSource({"48, 10, 10, 29", "32, 22, 22, 66", "174, 1, 1, 2", "64, 5, 5, 15"})
  void everyBlockIsInOneSplit(int block, int test, int validation, int train) {
    Landsat data = data(block, 16, 0);
    assertEquals(test, data.size(Split.TEST));
    assertEquals(validation, data.size(Split.VALIDATION));
    Map<Split, Integer> counts = new EnumMap<>(Split.class);
    for (int row = 0; row < 352 / block; row++) {
      for (int column = 0; column < 349 / block; column++) {
        counts.merge(Landsat.splitOf(row, column), 1, Integer::sum);
      }
    }
    assertEquals(
        Map.of(Split.TEST, test, Split.VALIDATION, validation, Split.TRAIN, train), counts);
  }

  /** What an example shows is told by its bands: no crop of a training is within another split. */
  @Test
  void noPixelIsInTwoSplits() throws Exception {
    int size = 32;
    Landsat data = Landsat.bundled(new Landsat.Config(RGB, size, size, 0, false));
    Map<String, Split> seen = new HashMap<>();
    for (Split split : List.of(Split.VALIDATION, Split.TEST)) {
      Tensor bands = data.examples(split, 0, data.size(split)).input("bands");
      for (int i = 0; i < data.size(split); i++) {
        assertEquals(null, seen.put(look(bands, i), split));
      }
    }
    int evaluated = seen.size();
    Set<String> trained = new HashSet<>();
    Tensor bands = batch(data, 66, 0).input("bands"); // each block once
    for (int i = 0; i < 66; i++) {
      trained.add(look(bands, i));
    }
    assertEquals(66, trained.size());
    trained.addAll(seen.keySet());
    assertEquals(66 + evaluated, trained.size());
  }

  private static String look(Tensor bands, int i) {
    return Arrays.toString(Tensors.values(bands.select(0, i)));
  }

  @Test
  void studentsSeeTheirBandsOfWhatTeachersSee() throws Exception {
    Landsat data =
        Landsat.bundled(
            new Landsat.Config(List.of(LandsatBand.ELEVATION, LandsatBand.GREEN), 48, 32, 0, true));
    Batch batch = batch(data, 3, 5);
    Tensor bands = batch.input("bands");
    Tensor images = batch.input("images");
    assertArrayEquals(new long[] {3, 7, 32, 32}, bands.shape());
    assertArrayEquals(new long[] {3, 2, 32, 32}, images.shape());
    assertTrue(images.select(1, 0).equal(bands.select(1, 6)));
    assertTrue(images.select(1, 1).equal(bands.select(1, 1)));
    assertTrue(bands.min().item_double() >= -0.01 && bands.max().item_double() <= 1);
  }

  /** Labels and bands of a turned crop are turned alike: the rules hold for its levels. */
  @Test
  void labelsOfACropAreThoseOfItsPixels() throws Exception {
    Batch batch = batch(data(48, 32, 0), 8, 3);
    double[] bands = Tensors.values(batch.input("bands"));
    long[] labels = new long[8 * 1024];
    batch.target("labels").contiguous().data_ptr_long().get(labels);
    for (int i = 0; i < labels.length; i++) {
      int at = i / 1024 * 7 * 1024 + i % 1024;
      assertEquals(
          LandsatScene.label(
              level(bands[at + 1024]),
              level(bands[at]),
              level(bands[at + 3 * 1024]),
              level(bands[at + 4 * 1024])),
          labels[i]);
    }
  }

  private static int level(double intensity) {
    return (int) Math.round(255 * intensity);
  }

  @Test
  void aBatchIsAFunctionOfSeedAndStep() throws Exception {
    Landsat data = data(48, 32, 0);
    Tensor first = batch(data, 4, 7).input("images");
    assertTrue(first.equal(batch(data(48, 32, 0), 4, 7).input("images")));
    assertFalse(first.equal(batch(data, 4, 8).input("images")));
    assertFalse(first.equal(batch(data.withSeed(1), 4, 7).input("images")));
  }

  @Test
  void halfOfABatchHasLabelsWhereOnlySomeBlocksHave() throws Exception {
    Landsat data = data(48, 48, 2);
    Set<String> labelled = new HashSet<>();
    Set<String> others = new HashSet<>();
    Landsat plain = Landsat.bundled(new Landsat.Config(RGB, 48, 48, 2, false));
    for (int step = 0; step < 20; step++) {
      Batch batch = batch(plain, 5, step);
      for (int i = 0; i < 5; i++) {
        (i < 3 ? labelled : others).add(look(batch.input("bands"), i));
      }
      Tensor labels = batch.target("labels");
      assertTrue(torch.all(labels.narrow(0, 3, 2).eq(new Scalar(255))).item_bool());
      assertTrue(labels.narrow(0, 0, 3).max().item_long() < 4);
    }
    assertEquals(2, labelled.size());
    assertEquals(27, others.size());
    labelled.retainAll(others);
    assertTrue(labelled.isEmpty());
    assertEquals(List.of("water", "vegetation", "built-up", "other"), data.classNames());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      textBlock =
          """
          48  | 49 | 0  | landsat: block is 48, expected 49, the crop, to 174, of which every split has one
          175 | 32 | 0  | landsat: block is 175, expected 32, the crop, to 174, of which every split has one
          48  | 0  | 0  | landsat: crop is 0, expected 1 to 174
          48  | 32 | 29 | landsat: labelled is 29, expected 0 to 28
          48  | 32 | -1 | landsat: labelled is -1, expected 0 to 2147483647
          """)
  void whatCannotBeCutIsRefused(int block, int crop, int labelled, String sentence) {
    IllegalArgumentException e =
        assertThrows(IllegalArgumentException.class, () -> data(block, crop, labelled));
    assertEquals(sentence, e.getMessage());
  }

  @Test
  void bandsThatComeTwiceOrNotAtAllAreRefused() {
    for (List<LandsatBand> bands :
        List.of(List.<LandsatBand>of(), List.of(LandsatBand.RED, LandsatBand.RED))) {
      IllegalArgumentException e =
          assertThrows(
              IllegalArgumentException.class, () -> new Landsat.Config(bands, 48, 32, 0, true));
      assertEquals(
          "landsat: images is " + bands + ", expected one band or more, each once", e.getMessage());
    }
  }
}
