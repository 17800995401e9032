package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The images in the jar. */
class FashionSubsetTest {
  private static final String FOLDER = "fashion-mnist-subset/";
  private static final String[] FILES = {
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz"
  };
  private static final Path DEBIAN = Path.of("/usr/share/datasets/fashion-mnist");
  private static final int FOUR_MIB = 4 << 20;

  private final FashionScenes scenes = FashionScenes.bundled(SceneConfig.defaults());

  @Test
  void everyGarmentHasAsManyImagesInASplit() {
    assertBalanced(Split.TRAIN, FashionSubsetMaker.TRAIN_PER_GARMENT);
    assertBalanced(Split.VALIDATION, FashionSubsetMaker.VALIDATION_PER_GARMENT);
    assertBalanced(Split.TEST, FashionSubsetMaker.TEST_PER_GARMENT);
  }

  private void assertBalanced(Split split, int perGarment) {
    SourceImages sources = scenes.sources(split);
    int[] seen = new int[SourceImages.GARMENTS];
    for (int i = 0; i < sources.count(); i++) {
      seen[sources.label(i)]++;
    }
    int[] expected = new int[SourceImages.GARMENTS];
    Arrays.fill(expected, perGarment);
    assertArrayEquals(expected, seen, split.toString());
    assertEquals(10 * perGarment, scenes.sourceImages(split));
  }

  @Test
  void noImageOccursTwiceInAnySplit() {
    Set<String> seen = new HashSet<>();
    for (Split split : Split.values()) {
      SourceImages sources = scenes.sources(split);
      for (int i = 0; i < sources.count(); i++) {
        assertTrue(seen.add(pixels(sources, i)), split + " image " + i);
      }
    }
    assertEquals(6000, seen.size());
  }

  private static String pixels(SourceImages sources, int image) {
    StringBuilder pixels = new StringBuilder();
    for (int row = 0; row < SourceImages.SIZE; row++) {
      for (int column = 0; column < SourceImages.SIZE; column++) {
        pixels.append((char) sources.pixel(image, row, column));
      }
    }
    return pixels.toString();
  }

  @Test
  void contentIsThatOfTheCommittedSubset() throws IOException {
    Fingerprint content = new Fingerprint();
    for (String file : FILES) {
      try (InputStream in = open(file)) {
        IdxFile idx = IdxFile.read(in, file, file.contains("images") ? 3 : 1);
        for (int i = 0; i < idx.length(); i++) {
          content.add(idx.element(i));
        }
      }
    }
    assertEquals("f6f3627e773d2794", content.text());
  }

  @Test
  void fitsFourMebibytesAndCarriesItsLicence() throws IOException {
    int total = 0;
    for (String file : FILES) {
      try (InputStream in = open(file)) {
        total += in.readAllBytes().length;
      }
    }
    assertTrue(total <= FOUR_MIB, total + " bytes");
    try (InputStream in = open("NOTICE")) {
      String notice = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      assertTrue(notice.contains("Copyright (c) 2017 Zalando SE"), notice);
      assertTrue(notice.contains("Permission is hereby granted, free of charge"), notice);
    }
  }

  @Test
  void isWhatTheMakerMakesOfTheInstalledOriginal(@TempDir Path made) throws IOException {
    assumeTrue(Files.isDirectory(DEBIAN), "dataset-fashion-mnist is not installed");
    FashionSubsetMaker.main(new String[] {DEBIAN.toString(), made.toString()});
    for (String file : FILES) {
      int rank = file.contains("images") ? 3 : 1;
      try (InputStream in = open(file)) {
        IdxFile bundled = IdxFile.read(in, file, rank);
        IdxFile fresh = IdxFile.read(made.resolve(file), rank);
        assertEquals(bundled.length(), fresh.length());
        for (int i = 0; i < fresh.length(); i++) {
          assertEquals(bundled.element(i), fresh.element(i), file + " element " + i);
        }
      }
    }
  }

  private static InputStream open(String file) {
    InputStream in = FashionScenes.class.getResourceAsStream(FOLDER + file);
    assertNotNull(in, file);
    return in;
  }
}
