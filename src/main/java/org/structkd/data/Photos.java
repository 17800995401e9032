package org.structkd.data;

import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;

/**
 * Twelve photographs of scikit-image's collection: eight to learn from, of which one is for
 * validation, and four to test. Grey ones have three equal channels.
 */
final class Photos {
  private static final String FOLDER = "usr/lib/python3/dist-packages/skimage/data/";
  private static final String SUFFIX = ".png";

  /** Those of each split, by the names of their files; no motif is in two. */
  private static final Map<Split, List<String>> NAMES =
      Map.of(
          Split.TRAIN,
          List.of(
              "coffee", "motorcycle_left", "ihc", "retina", "hubble_deep_field", "grass", "gravel"),
          Split.VALIDATION,
          List.of("rocket"),
          Split.TEST,
          List.of("astronaut", "chelsea", "camera", "brick"));

  /** Sums of the files in python3-skimage 0.19.3-8 of Debian 12. */
  static final PackagedData DATA =
      new PackagedData(
          "photos",
          "12 photographs of scikit-image's collection, 300 x 451 to 1411 x 1411, 8 to learn from and"
              + " 4 to test, for super-resolution.",
          "BSD-3-Clause as a collection (Debian's copyright file); by their authors most are CC0 or"
              + " in the public domain; motorcycle_left is of Middlebury's stereo data of 2014.",
          "python3-skimage",
          "20.7 MB",
          List.of(
              item(
                  "coffee.png", "cc02f8ca188b167c775a7101b5d767d1e71792cf762c33d6fa15a4599b5a8de7"),
              item(
                  "motorcycle_left.png",
                  "db18e9c4157617403c3537a6ba355dfeafe9a7eabb6b9b94cb33f6525dd49179"),
              item("ihc.png", "f8dd1aa387ddd1f49d8ad13b50921b237df8e9b262606d258770687b0ef93cef"),
              item(
                  "retina.jpg", "38a07f36f27f095e818aea7b96d34202c05176d30253c66733f2e00379e9e0e6"),
              item(
                  "hubble_deep_field.jpg",
                  "3a19c5dd8a927a9334bb1229a6d63711b1c0c767fb27e2286e7c84a3e2c2f5f4"),
              item("grass.png", "b6b6022426b38936c43a4ac09635cd78af074e90f42ffa8227ac8b7452d39f89"),
              item(
                  "gravel.png", "c48615b451bf1e606fbd72c0aa9f8cc0f068ab7111ef7d93bb9b0f2586440c12"),
              item(
                  "rocket.jpg", "c2dd0de7c538df8d111e479619b129464d0269d0ae5fd18ca91d33a7fdfea95c"),
              item(
                  "astronaut.png",
                  "88431cd9653ccd539741b555fb0a46b61558b301d4110412b5bc28b5e3ea6cb5"),
              item(
                  "chelsea.png",
                  "596aa1e7cb875eb79f437e310381d26b338a81c2da23439704a73c4651e8c4bb"),
              item(
                  "camera.png", "b0793d2adda0fa6ae899c03989482bff9a42d3d5690fc7e3648f2795d730c23a"),
              item(
                  "brick.png", "7966caf324f6ba843118d98f7a07746d22f6a343430add0233eca5f6eaaa8fcf")),
          Photos::convert);

  private Photos() {}

  private static PackagedData.Item item(String name, String sha256) {
    return new PackagedData.Item(FOLDER + name, sha256);
  }

  /** One format for all: colours, without loss. */
  private static void convert(Path root, Path into) throws IOException {
    for (PackagedData.Item item : DATA.files()) {
      Path file = root.resolve(item.path());
      Picture picture = read(file);
      int plane = picture.height() * picture.width();
      BufferedImage image =
          new BufferedImage(picture.width(), picture.height(), BufferedImage.TYPE_INT_RGB);
      for (int at = 0; at < plane; at++) {
        int colour = 0;
        for (int channel = 0; channel < 3; channel++) {
          colour = colour << 8 | picture.levels()[channel * plane + at] & 255;
        }
        image.setRGB(at % picture.width(), at / picture.width(), colour);
      }
      String name = file.getFileName().toString();
      Path to = into.resolve(name.substring(0, name.lastIndexOf('.')) + SUFFIX);
      if (!ImageIO.write(image, "png", to.toFile())) {
        throw new IOException(to + " cannot be written: this Java writes no PNG");
      }
    }
  }

  /** Samples as they are: a colour model would change grey ones. */
  static Picture read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(file.toString(), "a photograph", "nothing");
    }
    BufferedImage image = ImageIO.read(file.toFile());
    Raster raster = image == null ? null : image.getRaster();
    if (raster == null || raster.getSampleModel().getSampleSize(0) != 8) {
      throw new DataFileException(
          file.toString(), "a photograph of 8 bits a channel", "something else");
    }
    int plane = raster.getWidth() * raster.getHeight();
    byte[] levels = new byte[3 * plane];
    for (int channel = 0; channel < 3; channel++) {
      int band = Math.min(channel, raster.getNumBands() - 1);
      int[] samples =
          raster.getSamples(0, 0, raster.getWidth(), raster.getHeight(), band, (int[]) null);
      for (int at = 0; at < plane; at++) {
        levels[channel * plane + at] = (byte) samples[at];
      }
    }
    return new Picture(3, raster.getHeight(), raster.getWidth(), levels);
  }

  /** The photographs of a split, out of the folder that {@link #convert} filled. */
  static List<Picture> of(Path folder, Split split) throws IOException {
    List<Picture> pictures = new ArrayList<>();
    for (String name : NAMES.get(split)) {
      pictures.add(read(folder.resolve(name + SUFFIX)));
    }
    return pictures;
  }
}
