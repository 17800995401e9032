package org.structkd.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Made folders that look like the published ones. */
class ImageLayoutTest {
  @TempDir private Path root;

  private void pair(String image, String mask) throws IOException {
    ImageFolder.photograph(root.resolve(image), 2, 2, (row, column) -> 0);
    ImageFolder.mask(root.resolve(mask), 2, 2, at -> at);
  }

  private static List<String> names(Map<Split, List<ImagePair>> pairs, Split split) {
    return pairs.get(split).stream().map(ImagePair::name).toList();
  }

  @Test
  void camvidHasThreeFoldersOfEach() throws IOException {
    pair("train/a.png", "trainannot/a.png");
    pair("val/b.png", "valannot/b.png");
    pair("test/c.png", "testannot/c.png");
    Map<Split, List<ImagePair>> pairs = ImageLayout.CAMVID.pairs(root);
    assertEquals(List.of("a"), names(pairs, Split.TRAIN));
    assertEquals(List.of("b"), names(pairs, Split.VALIDATION));
    assertEquals(List.of("c"), names(pairs, Split.TEST));
    byte[] classes = classes(ImageLayout.CAMVID, 0, 10, 11);
    assertEquals("0 10 255", text(classes));
    assertThrows(DataFileException.class, () -> classes(ImageLayout.CAMVID, 12));
  }

  @Test
  void vocTakesTheAddedMasksWhereTheyAre() throws IOException {
    for (String name : List.of("2007_1", "2007_2", "2007_3", "2007_4")) {
      pair("JPEGImages/" + name + ".jpg", "SegmentationClass/" + name + ".png");
    }
    Path lists = Files.createDirectories(root.resolve("ImageSets/Segmentation"));
    // Some editors write a mark in front of the first name that nobody sees.
    Files.writeString(lists.resolve("train.txt"), "\uFEFF2007_1\n2007_2\n2007_3\n");
    Files.writeString(lists.resolve("val.txt"), "2007_4\n");
    Map<Split, List<ImagePair>> pairs = ImageLayout.PASCAL_VOC.pairs(root);
    assertEquals(2, pairs.get(Split.TRAIN).size());
    assertEquals(1, pairs.get(Split.VALIDATION).size());
    assertEquals(List.of("2007_4"), names(pairs, Split.TEST));
    pair("JPEGImages/2008_1.jpg", "SegmentationClassAug/2008_1.png");
    pair("JPEGImages/2008_2.jpg", "SegmentationClassAug/2008_2.png");
    Files.writeString(lists.resolve("trainaug.txt"), "2008_1\n2008_2\n");
    Map<Split, List<ImagePair>> added = ImageLayout.PASCAL_VOC.pairs(root);
    assertTrue(names(added, Split.TRAIN).get(0).startsWith("2008_"));
    assertTrue(
        added.get(Split.TRAIN).get(0).mask().startsWith(root.resolve("SegmentationClassAug")));
    assertEquals("0 20 255", text(classes(ImageLayout.PASCAL_VOC, 0, 20, 255)));
    assertThrows(DataFileException.class, () -> classes(ImageLayout.PASCAL_VOC, 21));
  }

  @Test
  void cityscapesHasNineteenOfItsValues() throws IOException {
    for (String name : List.of("ulm/ulm_1", "ulm/ulm_2")) {
      pair(
          "leftImg8bit/train/" + name + "_leftImg8bit.png",
          "gtFine/train/" + name + "_gtFine_labelIds.png");
      pair("leftImg8bit/train/" + name + "_leftImg8bit.png", "gtFine/train/" + name + "_color.png");
    }
    pair(
        "leftImg8bit/val/bonn/bonn_1_leftImg8bit.png",
        "gtFine/val/bonn/bonn_1_gtFine_labelIds.png");
    Map<Split, List<ImagePair>> pairs = ImageLayout.CITYSCAPES.pairs(root);
    assertEquals(1, pairs.get(Split.TRAIN).size());
    assertEquals(1, pairs.get(Split.VALIDATION).size());
    assertEquals(List.of("bonn/bonn_1"), names(pairs, Split.TEST));
    assertEquals("255 0 1 255 18 255", text(classes(ImageLayout.CITYSCAPES, 0, 7, 8, 9, 33, 255)));
    assertEquals(19, ImageLayout.CITYSCAPES.labels().classes().size());
  }

  @Test
  void adeCountsFromOne() throws IOException {
    pair("images/training/ADE_train_1.jpg", "annotations/training/ADE_train_1.png");
    pair("images/training/ADE_train_2.jpg", "annotations/training/ADE_train_2.png");
    pair("images/validation/ADE_val_1.jpg", "annotations/validation/ADE_val_1.png");
    Map<Split, List<ImagePair>> pairs = ImageLayout.ADE20K.pairs(root);
    assertEquals(List.of("ADE_val_1"), names(pairs, Split.TEST));
    assertEquals("255 0 149", text(classes(ImageLayout.ADE20K, 0, 1, 150)));
    assertThrows(DataFileException.class, () -> classes(ImageLayout.ADE20K, 151));
  }

  @Test
  void aMissingFolderIsNamed() {
    DataFileException error =
        assertThrows(DataFileException.class, () -> ImageLayout.CITYSCAPES.pairs(root));
    assertEquals(
        root.resolve("leftImg8bit/train") + ": expected a folder of images, found nothing",
        error.getMessage());
  }

  private static byte[] classes(ImageLayout layout, int... values) throws IOException {
    return layout
        .labels()
        .classes(new PictureFile.Mask(1, values.length, values, false), Path.of("mask.png"));
  }

  private static String text(byte[] classes) {
    StringBuilder text = new StringBuilder();
    for (byte label : classes) {
      text.append(text.isEmpty() ? "" : " ").append(label & 255);
    }
    return text.toString();
  }
}
