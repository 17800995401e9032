package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/** How the files of a data set for segmentation lie in its directory, and what masks mean. */
public enum ImageLayout {
  /**
   * {@code images/} and {@code masks/} with files of equal names but for the ending, in any folders
   * below. {@code splits/train.txt}, {@code validation.txt} and {@code test.txt}, if they are
   * there, name the files of each split, a line each; otherwise a tenth of all is for validation
   * and a tenth to test, chosen by their names.
   */
  FOLDER {
    @Override
    Map<Split, List<ImagePair>> pairs(Path root) throws IOException {
      ImageTree tree = new ImageTree(root, "images", "", "masks", "");
      Map<Split, List<ImagePair>> splits = new EnumMap<>(Split.class);
      if (!tree.hasList("splits/train.txt")) {
        List<ImagePair> all = tree.pairs();
        List<ImagePair> rest = HeldOut.rest(all, "test");
        splits.put(Split.TEST, HeldOut.tenth(all, "test"));
        splits.put(Split.VALIDATION, HeldOut.tenth(rest, "validation"));
        splits.put(Split.TRAIN, HeldOut.rest(rest, "validation"));
        return splits;
      }
      for (Split split : Split.values()) {
        splits.put(split, tree.listed("splits/" + split + ".txt"));
      }
      return splits;
    }
  },

  /**
   * CamVid as SegNet's authors divided it: {@code train}, {@code val} and {@code test} beside
   * {@code trainannot} and so on, masks of 0 to 10, 11 does not count.
   *
   * <p>Source: G. Brostow et al., "Semantic object classes in video", Pattern Recognition Letters
   * 2009; V. Badrinarayanan et al., "SegNet", TPAMI 2017, whose classes these are.
   */
  CAMVID {
    private static final int VOID = 11;

    @Override
    Map<Split, List<ImagePair>> pairs(Path root) throws IOException {
      Map<Split, List<ImagePair>> splits = new EnumMap<>(Split.class);
      splits.put(Split.TRAIN, new ImageTree(root, "train", "", "trainannot", "").pairs());
      splits.put(Split.VALIDATION, new ImageTree(root, "val", "", "valannot", "").pairs());
      splits.put(Split.TEST, new ImageTree(root, "test", "", "testannot", "").pairs());
      return splits;
    }

    @Override
    public LabelTable labels() {
      List<String> classes =
          List.of(
              "sky",
              "building",
              "pole",
              "road",
              "pavement",
              "tree",
              "sign",
              "fence",
              "car",
              "pedestrian",
              "bicyclist");
      Map<String, Integer> labels = numbered(IntStream.range(0, classes.size()));
      labels.put(String.valueOf(VOID), LabelTable.NONE);
      return new LabelTable(classes, labels, false);
    }
  },

  /**
   * Pascal VOC 2012: {@code JPEGImages}, {@code SegmentationClass}, and the names in {@code
   * ImageSets/Segmentation}. Where there are {@code trainaug.txt} and {@code SegmentationClassAug},
   * the masks that B. Hariharan et al. added (ICCV 2011) are used. The published validation split
   * is the test here, as that of the challenge has no masks; a tenth of the training images is for
   * validation.
   *
   * <p>Source: M. Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2015.
   */
  PASCAL_VOC {
    @Override
    Map<Split, List<ImagePair>> pairs(Path root) throws IOException {
      String lists = "ImageSets/Segmentation/";
      ImageTree tree = new ImageTree(root, "JPEGImages", "", "SegmentationClass", "");
      boolean added = tree.hasList(lists + "trainaug.txt");
      List<ImagePair> train =
          added
              ? new ImageTree(root, "JPEGImages", "", "SegmentationClassAug", "")
                  .listed(lists + "trainaug.txt")
              : tree.listed(lists + "train.txt");
      return heldOut(train, tree.listed(lists + "val.txt"));
    }

    @Override
    public LabelTable labels() {
      return LabelTable.of(
          List.of(
              "background",
              "aeroplane",
              "bicycle",
              "bird",
              "boat",
              "bottle",
              "bus",
              "car",
              "cat",
              "chair",
              "cow",
              "dining table",
              "dog",
              "horse",
              "motorbike",
              "person",
              "potted plant",
              "sheep",
              "sofa",
              "train",
              "monitor"));
    }
  },

  /**
   * Cityscapes: {@code leftImg8bit/train/CITY/*_leftImg8bit.png} beside {@code
   * gtFine/train/CITY/*_gtFine_labelIds.png}, whose 34 values are reduced to the 19 classes that
   * count. The published validation split is the test here, as the test server's has no masks; a
   * tenth of the training images is for validation.
   *
   * <p>Source: M. Cordts et al., "The Cityscapes Dataset", CVPR 2016; the 19 are those of its
   * evaluation.
   */
  CITYSCAPES {
    @Override
    Map<Split, List<ImagePair>> pairs(Path root) throws IOException {
      return heldOut(pairs(root, "train"), pairs(root, "val"));
    }

    private List<ImagePair> pairs(Path root, String split) throws IOException {
      return new ImageTree(
              root, "leftImg8bit/" + split, "_leftImg8bit", "gtFine/" + split, "_gtFine_labelIds")
          .pairs();
    }

    @Override
    public LabelTable labels() {
      List<String> classes =
          List.of(
              "road",
              "sidewalk",
              "building",
              "wall",
              "fence",
              "pole",
              "traffic light",
              "traffic sign",
              "vegetation",
              "terrain",
              "sky",
              "person",
              "rider",
              "car",
              "truck",
              "bus",
              "train",
              "motorcycle",
              "bicycle");
      int[] values = {7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33};
      return new LabelTable(classes, numbered(IntStream.of(values)), true);
    }
  },

  /**
   * ADE20K as its scene parsing challenge of 2016 has it: {@code images/training} and {@code
   * validation} beside {@code annotations}, masks of 1 to 150, 0 does not count. The published
   * validation split is the test here; a tenth of the training images is for validation.
   *
   * <p>Source: B. Zhou et al., "Scene Parsing through ADE20K Dataset", CVPR 2017.
   */
  ADE20K {
    private static final int CLASSES = 150;

    @Override
    Map<Split, List<ImagePair>> pairs(Path root) throws IOException {
      return heldOut(pairs(root, "training"), pairs(root, "validation"));
    }

    private List<ImagePair> pairs(Path root, String split) throws IOException {
      return new ImageTree(root, "images/" + split, "", "annotations/" + split, "").pairs();
    }

    @Override
    public LabelTable labels() {
      Map<String, Integer> labels = numbered(IntStream.rangeClosed(1, CLASSES));
      labels.put("0", LabelTable.NONE);
      return new LabelTable(
          IntStream.range(0, CLASSES).mapToObj(label -> "class " + label).toList(), labels, false);
    }
  };

  /**
   * {@return the files of each split}
   *
   * @throws DataFileException if a folder, a list or one file of a pair is missing
   */
  abstract Map<Split, List<ImagePair>> pairs(Path root) throws IOException;

  /** {@return what masks mean; null where whoever made them says} */
  public @Nullable LabelTable labels() {
    return null;
  }

  /** The values of the classes 0 and on. */
  private static Map<String, Integer> numbered(IntStream values) {
    Map<String, Integer> labels = new LinkedHashMap<>();
    values.forEach(value -> labels.put(String.valueOf(value), labels.size()));
    return labels;
  }

  private static Map<Split, List<ImagePair>> heldOut(List<ImagePair> train, List<ImagePair> test) {
    Map<Split, List<ImagePair>> splits = new EnumMap<>(Split.class);
    splits.put(Split.VALIDATION, HeldOut.tenth(train, "validation"));
    splits.put(Split.TRAIN, HeldOut.rest(train, "validation"));
    splits.put(Split.TEST, new ArrayList<>(test));
    return splits;
  }
}
