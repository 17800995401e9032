package org.structkd.data;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.metadata.IIOMetadata;
import javax.imageio.stream.ImageInputStream;
import org.jspecify.annotations.Nullable;
import org.w3c.dom.Element;
import org.w3c.dom.Node;

/**
 * Files of images, in whichever format ImageIO has a reader for: PNG and JPEG above all. JPEG of
 * four inks and the way a camera was held are read by TwelveMonkeys' plug-in, which takes the place
 * of Java's own reader wherever it is on the class path.
 */
final class PictureFile {
  /**
   * Most pixels of a file: 16,384 x 16,384, so that a damaged header does not ask for all memory.
   */
  private static final long MAX_PIXELS = 1L << 28;

  /** Format of the metadata that every reader of ImageIO offers. */
  private static final String STANDARD_METADATA = "javax_imageio_1.0";

  /**
   * How a picture is turned before it is shown, by ImageIO's names: the variants of {@link
   * Turn#source}.
   */
  private static final Map<String, Turn> TURNS =
      Map.of(
          "normal", new Turn(false, false, false),
          "fliph", new Turn(true, false, false),
          "rotate180", new Turn(true, true, false),
          "flipv", new Turn(false, true, false),
          "flipvrotate90", new Turn(false, false, true),
          "rotate270", new Turn(false, true, true),
          "fliphrotate90", new Turn(true, true, true),
          "rotate90", new Turn(true, false, true));

  /** Where a pixel that is shown comes from: columns and rows are mirrored, and swapped first. */
  private record Turn(boolean mirrored, boolean upsideDown, boolean swapped) {
    static final Turn NONE = new Turn(false, false, false);

    /** The index in the file's picture of the pixel that is shown at a row and a column. */
    int source(int row, int column, int height, int width) {
      int r = swapped ? column : row;
      int c = swapped ? row : column;
      return (upsideDown ? height - 1 - r : r) * width + (mirrored ? width - 1 - c : c);
    }
  }

  /** What a file holds. */
  private record Decoded(BufferedImage image, Turn turn) {}

  private PictureFile() {}

  /**
   * {@return the colours of a photograph as it is shown: [3, height, width]} Grey ones have three
   * equal channels; transparency is left out.
   *
   * @throws DataFileException if there is no such file, or it is no image, is cut off or too large
   * @throws IOException if the disk fails
   */
  static Picture colours(Path file) throws IOException {
    Decoded decoded = decode(file, "a photograph");
    BufferedImage image = decoded.image;
    int plane = image.getHeight() * image.getWidth();
    byte[] levels = new byte[3 * plane];
    if (hasPlainSamples(image)) {
      Raster raster = image.getRaster();
      int bands = image.getColorModel().getNumColorComponents();
      for (int channel = 0; channel < 3; channel++) {
        int[] samples = samples(raster, Math.min(channel, bands - 1));
        for (int at = 0; at < plane; at++) {
          levels[channel * plane + at] = (byte) samples[at];
        }
      }
    } else {
      int[] colours =
          image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
      for (int at = 0; at < plane; at++) {
        levels[at] = (byte) (colours[at] >> 16);
        levels[plane + at] = (byte) (colours[at] >> 8);
        levels[2 * plane + at] = (byte) colours[at];
      }
    }
    return turned(new Picture(3, image.getHeight(), image.getWidth(), levels), decoded.turn);
  }

  /**
   * {@return the levels of a grey photograph as it is shown: [1, height, width]}
   *
   * @throws DataFileException as {@link #colours} does, and if it is not grey of 8 bits per pixel
   * @throws IOException if the disk fails
   */
  static Picture grey(Path file) throws IOException {
    Decoded decoded = decode(file, "a photograph");
    BufferedImage image = decoded.image;
    boolean isGrey =
        image.getRaster().getNumBands() == 1 && !(image.getColorModel() instanceof IndexColorModel);
    int bits = image.getColorModel().getPixelSize();
    if (!isGrey || bits != Byte.SIZE) {
      throw new DataFileException(
          file.toString(),
          "grey of 8 bits per pixel",
          (isGrey ? "grey of " : "colour of ") + bits + " bits");
    }
    int[] samples = samples(image.getRaster(), 0);
    byte[] levels = new byte[samples.length];
    for (int at = 0; at < samples.length; at++) {
      levels[at] = (byte) samples[at];
    }
    return turned(new Picture(1, image.getHeight(), image.getWidth(), levels), decoded.turn);
  }

  /** Samples of 8 bits are taken as they are: ImageIO's colour model would change grey ones. */
  private static boolean hasPlainSamples(BufferedImage image) {
    ColorModel model = image.getColorModel();
    int type = model.getColorSpace().getType();
    return !(model instanceof IndexColorModel)
        && (type == ColorSpace.TYPE_GRAY || type == ColorSpace.TYPE_RGB)
        && model.getComponentSize(0) == 8;
  }

  private static int[] samples(Raster raster, int band) {
    return raster.getSamples(0, 0, raster.getWidth(), raster.getHeight(), band, (int[]) null);
  }

  private static Picture turned(Picture picture, Turn turn) {
    if (turn.equals(Turn.NONE)) {
      return picture;
    }
    int height = turn.swapped ? picture.width() : picture.height();
    int width = turn.swapped ? picture.height() : picture.width();
    byte[] levels = new byte[picture.levels().length];
    int plane = height * width;
    for (int at = 0; at < plane; at++) {
      int from = turn.source(at / width, at % width, picture.height(), picture.width());
      for (int channel = 0; channel < picture.channels(); channel++) {
        levels[channel * plane + at] = picture.levels()[channel * plane + from];
      }
    }
    return new Picture(picture.channels(), height, width, levels);
  }

  /**
   * The numbers of a mask.
   *
   * @param height rows
   * @param width columns
   * @param values [height, width] indices of a palette, or levels of grey of 8 or 16 bits; of a
   *     mask in colours 0xRRGGBB
   * @param coloured whether they are colours
   */
  record Mask(int height, int width, int[] values, boolean coloured) {}

  /**
   * {@return the numbers of a mask}
   *
   * @throws DataFileException if there is no such file, or it is no image, is cut off or too large
   * @throws IOException if the disk fails
   */
  static Mask mask(Path file) throws IOException {
    BufferedImage image = decode(file, "a mask").image;
    int height = image.getHeight();
    int width = image.getWidth();
    if (image.getRaster().getNumBands() == 1) {
      return new Mask(height, width, samples(image.getRaster(), 0), false);
    }
    int[] colours = image.getRGB(0, 0, width, height, null, 0, width);
    for (int at = 0; at < colours.length; at++) {
      colours[at] &= 0xffffff;
    }
    return new Mask(height, width, colours, true);
  }

  private static Decoded decode(Path file, String expected) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(
          file.toString(), expected, Files.exists(file) ? "no file" : "nothing");
    }
    if (!Files.isReadable(file)) { // ImageIO would call it null
      throw new DataFileException(file.toString(), expected, "one that may not be read");
    }
    try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        String found = Files.size(file) == 0 ? "0 bytes" : "no image that this Java can read";
        throw new DataFileException(file.toString(), expected, found);
      }
      ImageReader reader = readers.next();
      try {
        return decode(reader, in, file, expected);
      } finally {
        reader.dispose();
      }
    }
  }

  private static Decoded decode(ImageReader reader, ImageInputStream in, Path file, String expected)
      throws IOException {
    String[] cut = {null};
    reader.addIIOReadWarningListener(
        (source, warning) -> {
          if (tellsOfDamage(warning)) {
            cut[0] = warning;
          }
        });
    Decoded decoded;
    try {
      reader.setInput(in, true, false);
      long pixels = (long) reader.getWidth(0) * reader.getHeight(0);
      if (pixels > MAX_PIXELS) {
        throw new DataFileException(
            file.toString(), "at most %d pixels".formatted(MAX_PIXELS), pixels + " pixels");
      }
      decoded = new Decoded(reader.read(0), turn(reader.getImageMetadata(0)));
    } catch (DataFileException e) {
      throw e;
    } catch (IOException | RuntimeException e) { // readers answer damaged files with either
      throw new DataFileException(file.toString(), expected, "a damaged image: " + told(e));
    }
    if (cut[0] != null) {
      throw new DataFileException(file.toString(), expected, "a damaged image: " + cut[0]);
    }
    if (decoded.image.getColorModel() == null
        || decoded.image.getColorModel().getNumColorComponents() > 3) {
      throw new DataFileException(
          file.toString(),
          expected,
          "four inks, which are read with com.twelvemonkeys.imageio:imageio-jpeg on the class"
              + " path");
    }
    return decoded;
  }

  private static String told(Exception e) {
    String message = e.getMessage();
    return message == null || message.isEmpty() ? e.getClass().getSimpleName() : message;
  }

  /** Readers only warn where a file ends too early, and fill up with grey. */
  private static boolean tellsOfDamage(@Nullable String warning) {
    return warning != null
        && warning.toLowerCase(Locale.ROOT).matches(".*(premature|truncat|corrupt|end of file).*");
  }

  private static Turn turn(@Nullable IIOMetadata metadata) {
    if (metadata == null || !metadata.isStandardMetadataFormatSupported()) {
      return Turn.NONE;
    }
    Node tree = metadata.getAsTree(STANDARD_METADATA);
    Node found = ((Element) tree).getElementsByTagName("ImageOrientation").item(0);
    return Optional.ofNullable(found)
        .map(node -> ((Element) node).getAttribute("value").toLowerCase(Locale.ROOT))
        .map(TURNS::get)
        .orElse(Turn.NONE);
  }
}
