package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.structkd.testing.Refusals.refused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.structkd.data.ScenePainter.Placement;

class FashionScenesTest {
  private static final SceneConfig DEFAULTS = SceneConfig.defaults();
  private static final FashionScenes SCENES = FashionScenes.bundled(DEFAULTS);
  private static final FashionScenes CLEAN = SCENES.withConfig(DEFAULTS.withNoise(0));
  private static final int SIZE = FashionScenes.SIZE;
  private static final int PIXELS = SIZE * SIZE;

  /** Stored when the scenes were last looked at; a change alters every published result. */
  @Test
  void scenesAreTheStoredOnes() {
    assertEquals("d8a15281c26635bc", fingerprint(SCENES, Split.TRAIN, 0));
    assertEquals("3f683281aecac2a8", fingerprint(SCENES, Split.VALIDATION, 0));
    assertEquals("7b95df31cd761007", fingerprint(SCENES, Split.TEST, 0));
    assertEquals("3fd549fbddbedd69", fingerprint(SCENES, Split.TRAIN, Long.MAX_VALUE - 8));
    FashionScenes seed2 = SCENES.withConfig(DEFAULTS.withSeed(2));
    assertEquals("b0908194db3cd63e", fingerprint(seed2, Split.TRAIN, 0));
  }

  private static String fingerprint(FashionScenes scenes, Split split, long first) {
    Fingerprint fingerprint = new Fingerprint();
    fingerprint.add(scenes.batch(split, first, 8));
    return fingerprint.text();
  }

  @Test
  void aSceneDependsOnNothingButItsIndex() {
    SceneBatch batch = SCENES.batch(Split.TRAIN, 100, 5);
    SceneBatch again = FashionScenes.bundled().batch(Split.TRAIN, 100, 5);
    assertArrayEquals(batch.images(), again.images());
    assertArrayEquals(batch.labels(), again.labels());
    SceneBatch picked = SCENES.batch(Split.TRAIN, new long[] {104, 3, 102});
    assertSameScene(batch, 4, picked, 0);
    assertSameScene(batch, 2, picked, 2);
    assertSameScene(SCENES.batch(Split.TRAIN, 3, 1), 0, picked, 1);
  }

  private static void assertSameScene(SceneBatch expected, int i, SceneBatch actual, int j) {
    assertArrayEquals(
        Arrays.copyOfRange(expected.images(), i * PIXELS, (i + 1) * PIXELS),
        Arrays.copyOfRange(actual.images(), j * PIXELS, (j + 1) * PIXELS));
    assertArrayEquals(
        Arrays.copyOfRange(expected.labels(), i * PIXELS, (i + 1) * PIXELS),
        Arrays.copyOfRange(actual.labels(), j * PIXELS, (j + 1) * PIXELS));
  }

  @Test
  void manyThreadsGetTheScenesThatOneGets() {
    List<String> one = IntStream.range(0, 64).mapToObj(FashionScenesTest::trainBatch).toList();
    List<String> many =
        IntStream.range(0, 64).parallel().mapToObj(FashionScenesTest::trainBatch).toList();
    assertEquals(one, many);
    assertEquals(64, one.stream().distinct().count());
  }

  private static String trainBatch(int step) {
    return fingerprint(SCENES, Split.TRAIN, 8L * step);
  }

  @Test
  void seedsAndSplitsGiveOtherScenes() {
    FashionScenes seed2 = SCENES.withConfig(DEFAULTS.withSeed(2));
    List<String> all = new ArrayList<>();
    for (Split split : Split.values()) {
      all.add(fingerprint(SCENES, split, 0));
      all.add(fingerprint(seed2, split, 0));
    }
    assertEquals(6, all.stream().distinct().count());
  }

  /** Paints from the top: the first garment with a bright pixel there decides. */
  @ParameterizedTest
  @EnumSource(Split.class)
  void labelsAndIntensitiesAreThoseOfTheTopmostPaintedPixel(Split split) {
    for (int index = 0; index < 200; index++) {
      SceneBatch scene = CLEAN.batch(split, index, 1);
      List<Placement> placements = CLEAN.painter(split).placements(CLEAN.key(split, index));
      SourceImages sources = CLEAN.sources(split);
      for (int pixel = 0; pixel < PIXELS; pixel++) {
        int label = 0;
        float intensity = 0;
        for (int g = placements.size() - 1; g >= 0 && label == 0; g--) {
          Placement at = placements.get(g);
          int row = pixel / SIZE - at.top();
          int column = pixel % SIZE - at.left();
          boolean inside = row >= 0 && row < 28 && column >= 0 && column < 28;
          if (inside && sources.pixel(at.image(), row, column) >= 16) {
            label = sources.label(at.image()) + 1;
            intensity = sources.pixel(at.image(), row, column) / 255f;
          }
        }
        assertEquals(label, scene.labels()[pixel], "scene " + index + " pixel " + pixel);
        assertEquals(intensity, scene.images()[pixel], "scene " + index + " pixel " + pixel);
      }
    }
  }

  @Test
  void garmentsAreTwoToFourAtAllPlacesAndOfAllSources() {
    ScenePainter painter = SCENES.painter(Split.VALIDATION);
    int[] garments = new int[5];
    boolean[] tops = new boolean[SIZE + 28];
    boolean[] lefts = new boolean[SIZE + 28];
    boolean[] images = new boolean[SCENES.sourceImages(Split.VALIDATION)];
    for (int index = 0; index < 3000; index++) {
      List<Placement> placements = painter.placements(SCENES.key(Split.VALIDATION, index));
      garments[placements.size()]++;
      for (Placement at : placements) {
        tops[at.top() + 28] = true;
        lefts[at.left() + 28] = true;
        images[at.image()] = true;
      }
    }
    for (int count = 2; count <= 4; count++) {
      assertEquals(1000, garments[count], 130, count + " garments"); // five standard deviations
    }
    for (int place = -28; place < SIZE; place++) {
      boolean possible = place >= -14 && place <= 34;
      assertEquals(possible, tops[place + 28], "top " + place);
      assertEquals(possible, lefts[place + 28], "left " + place);
    }
    for (int image = 0; image < images.length; image++) {
      assertTrue(images[image], "image " + image + " never drawn");
    }
  }

  @Test
  void everyClassCoversItsShare() {
    int[] seen = new int[FashionScenes.CLASSES];
    SceneBatch batch = SCENES.batch(Split.TRAIN, 0, 2000);
    for (byte label : batch.labels()) {
      seen[label]++;
    }
    double background = seen[0] / (double) batch.labels().length;
    assertTrue(background > 0.55 && background < 0.75, "background " + background);
    for (int label = 1; label < FashionScenes.CLASSES; label++) {
      // A sandal has about 170 bright pixels, a coat 520.
      double share = seen[label] / (double) batch.labels().length;
      assertTrue(share > 0.01 && share < 0.07, FashionScenes.CLASS_NAMES.get(label) + " " + share);
    }
  }

  @Test
  void noiseIsWhatIsLeftOfTheCleanScene() {
    float[] noisy = SCENES.batch(Split.TEST, 0, 100).images();
    float[] clean = CLEAN.batch(Split.TEST, 0, 100).images();
    double mean = 0;
    double square = 0;
    boolean belowBlack = false;
    for (int i = 0; i < noisy.length; i++) {
      double noise = noisy[i] - clean[i];
      mean += noise / noisy.length;
      square += noise * noise / noisy.length;
      belowBlack |= noisy[i] < -0.1;
    }
    assertEquals(0, mean, 5 * 0.1 / Math.sqrt(noisy.length));
    assertEquals(0.1, Math.sqrt(square), 0.001);
    assertTrue(belowBlack, "intensities are not clipped");
  }

  @Test
  void garmentsPerSceneCanBeChosen() {
    FashionScenes one = SCENES.withConfig(DEFAULTS.withGarments(1, 1).withNoise(0));
    SceneBatch batch = one.batch(Split.TRAIN, 0, 50);
    for (int b = 0; b < 50; b++) {
      byte[] labels = Arrays.copyOfRange(batch.labels(), b * PIXELS, (b + 1) * PIXELS);
      assertTrue(
          IntStream.range(0, PIXELS).map(i -> labels[i]).filter(l -> l != 0).distinct().count()
              <= 1);
    }
    assertEquals(1, one.config().maxGarments());
    assertEquals(4, SCENES.config().maxGarments());
  }

  @Test
  void everyClassHasAName() {
    assertEquals(FashionScenes.CLASSES, FashionScenes.CLASS_NAMES.size());
    assertEquals("ankle boot", FashionScenes.CLASS_NAMES.get(10));
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 0, 65_537})
  void refusesImpossibleBatchSizes(int count) {
    refused(
        "number of scenes must be 1 to 65536 but is " + count,
        () -> SCENES.batch(Split.TRAIN, 0, count));
  }

  @Test
  void refusesIndicesOutOfRange() {
    refused("firstIndex must be 0 or greater but is -1", () -> SCENES.batch(Split.TRAIN, -1, 1));
    refused(
        "indices[1] must be 0 or greater but is -7",
        () -> SCENES.batch(Split.TRAIN, new long[] {0, -7}));
    refused(
        "number of scenes must be 1 to 65536 but is 0",
        () -> SCENES.batch(Split.TRAIN, new long[0]));
    refused(
        "firstIndex + count must be less than 2^63 but firstIndex is 9223372036854775807",
        () -> SCENES.batch(Split.TRAIN, Long.MAX_VALUE, 1));
  }

  @Test
  void refusesImpossibleSettings() {
    refused("minGarments must be 1 to 64 but is 0", () -> DEFAULTS.withGarments(0, 4));
    refused(
        "maxGarments must be minGarments (3) to 64 but is 2", () -> DEFAULTS.withGarments(3, 2));
    refused(
        "maxGarments must be minGarments (3) to 64 but is 65", () -> DEFAULTS.withGarments(3, 65));
    refused("noise must be 0 to 1 but is -0.1", () -> DEFAULTS.withNoise(-0.1f));
    refused("noise must be 0 to 1 but is NaN", () -> DEFAULTS.withNoise(Float.NaN));
  }

  @Test
  void refusesABatchWhoseArraysDoNotFit() {
    refused(
        "images must have 4608 elements (2 scenes of 48x48) but has 2304",
        () -> new SceneBatch(2, new float[PIXELS], new byte[2 * PIXELS]));
    refused(
        "labels must have 2304 elements (1 scenes of 48x48) but has 1",
        () -> new SceneBatch(1, new float[PIXELS], new byte[1]));
    refused("size must be 1 to 65536 but is 0", () -> new SceneBatch(0, new float[0], new byte[0]));
  }
}
