import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import javax.imageio.ImageIO;

/**
 * Paints landscapes, so that this example has photographs: {@code images/*.jpg} and {@code
 * masks/*.png}, whose palette tells the class of every pixel. Equal arguments give equal files.
 * Start it without a build: {@code java PaintPhotos.java FOLDER [COUNT [SEED]]}.
 */
public final class PaintPhotos {
  private static final int HEIGHT = 96;
  private static final int WIDTH = 128;

  // Values of the masks. Edges between classes are nobody's, as where people draw masks.
  private static final int NOBODYS = 0;
  private static final int SKY = 1;
  private static final int HILLS = 2;
  private static final int MEADOW = 3;
  private static final int WATER = 4;
  private static final int TREES = 5;
  private static final int[] PALETTE = {0, 0x87ceeb, 0x8d6e63, 0x9ccc65, 0x1565c0, 0x1b5e20};

  /** Colours at noon, in the evening and under clouds: sky above, sky below, light on the land. */
  private static final int[][] LIGHTS = {
    {0x3f7fd0, 0xbfdcf0, 0xffffff},
    {0x4a4a8a, 0xf0a070, 0xd09078},
    {0x8a929c, 0xc8ccd0, 0xa4a8b0}
  };

  /** A tree by the place of its foot and its height. */
  private record Tree(double x, double foot, double height, int colour) {}

  private final Random random;
  private final int[] light;
  private final double horizon;
  private final double[] ridge = new double[WIDTH];
  private final double[] shore = new double[WIDTH];
  private final int[] colours = new int[PALETTE.length];
  private final List<Tree> trees = new ArrayList<>();

  private PaintPhotos(Random random) {
    this.random = random;
    light = LIGHTS[random.nextInt(LIGHTS.length)];
    horizon = HEIGHT * between(0.35, 0.6);
    double[] hills = wave(between(2, 0.14 * HEIGHT));
    double lift = between(0.05, 0.2) * HEIGHT;
    double[] water = wave(between(1, 6));
    double depth = random.nextInt(3) == 0 ? -HEIGHT : between(0.02, 0.35) * HEIGHT;
    for (int x = 0; x < WIDTH; x++) {
      ridge[x] = horizon - lift - hills[x];
      shore[x] = horizon + depth + water[x];
    }
    colours[HILLS] = mixed(oneOf(0x5f7385, 0x4f6b46, 0x7d6a55), light[1], between(0, 0.5));
    colours[MEADOW] = oneOf(0x7fa648, 0xa99a52, 0x5f8a3c, 0xb7a878);
    int count = random.nextInt(7);
    for (int i = 0; i < count; i++) {
      double x = between(0, WIDTH);
      double foot = between(horizon, HEIGHT);
      if (foot > shore[(int) x]) {
        double height = between(8, 14) + (foot - horizon) * between(0.4, 0.9);
        trees.add(new Tree(x, foot, height, oneOf(0x2f5a2c, 0x41632f, 0x8a6a28, 0x24482f)));
      }
    }
  }

  public static void main(String[] arguments) throws IOException {
    Path folder = Path.of(arguments[0]);
    int count = arguments.length > 1 ? Integer.parseInt(arguments[1]) : 60;
    Random random = new Random(arguments.length > 2 ? Long.parseLong(arguments[2]) : 1);
    Path images = Files.createDirectories(folder.resolve("images"));
    Path masks = Files.createDirectories(folder.resolve("masks"));
    for (int i = 0; i < count; i++) {
      String name = "landscape-%04d".formatted(i);
      PaintPhotos scene = new PaintPhotos(random);
      int[] classes = scene.classes();
      ImageIO.write(scene.photo(classes), "jpg", images.resolve(name + ".jpg").toFile());
      ImageIO.write(mask(classes), "png", masks.resolve(name + ".png").toFile());
    }
    System.out.printf("%d photographs in %s%n", count, folder);
  }

  private int[] classes() {
    int[] classes = new int[HEIGHT * WIDTH];
    for (int at = 0; at < classes.length; at++) {
      int x = at % WIDTH;
      int y = at / WIDTH;
      classes[at] =
          tree(x, y) != null
              ? TREES
              : y < ridge[x] ? SKY : y < horizon ? HILLS : y < shore[x] ? WATER : MEADOW;
    }
    return classes;
  }

  /** The tree that is seen at a pixel: a crown that is not quite round, on a trunk. */
  private Tree tree(int x, int y) {
    for (Tree tree : trees) {
      double right = (x - tree.x) / (0.3 * tree.height);
      double up = (tree.foot - y) / tree.height;
      double bumps = 0.12 * Math.sin(5 * Math.atan2(up - 0.62, right) + tree.x);
      boolean crown = Math.hypot(right, (up - 0.62) / 0.4) < 1 + bumps;
      boolean trunk = up >= 0 && up < 0.5 && Math.abs(right) < 0.14;
      if (crown || trunk) {
        return tree;
      }
    }
    return null;
  }

  private BufferedImage photo(int[] classes) {
    BufferedImage photo = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_INT_RGB);
    for (int at = 0; at < classes.length; at++) {
      int x = at % WIDTH;
      int y = at / WIDTH;
      int sky = mixed(light[0], light[1], y / horizon);
      int colour =
          switch (classes[at]) {
            case SKY -> sky;
            case WATER -> mixed(mirrored(y), 0x1c3c50, 0.35 + 0.15 * Math.sin(1.9 * y + 0.1 * x));
            case TREES -> lit(tree(x, y).colour);
            default -> lit(colours[classes[at]]);
          };
      double grain = classes[at] == SKY ? 3 : classes[at] == WATER ? 6 : 14;
      photo.setRGB(x, y, shifted(colour, grain * random.nextGaussian()));
    }
    return photo;
  }

  /** The sky as the water shows it. */
  private int mirrored(int y) {
    return mixed(light[0], light[1], Math.max(0, 2 - y / horizon));
  }

  /** The colour of a surface in the light of the day. */
  private int lit(int colour) {
    int result = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
      result |= (colour >> shift & 255) * (light[2] >> shift & 255) / 255 << shift;
    }
    return result;
  }

  private static BufferedImage mask(int[] classes) {
    byte[] reds = new byte[PALETTE.length];
    byte[] greens = new byte[PALETTE.length];
    byte[] blues = new byte[PALETTE.length];
    for (int i = 0; i < PALETTE.length; i++) {
      reds[i] = (byte) (PALETTE[i] >> 16);
      greens[i] = (byte) (PALETTE[i] >> 8);
      blues[i] = (byte) PALETTE[i];
    }
    IndexColorModel palette = new IndexColorModel(8, PALETTE.length, reds, greens, blues);
    BufferedImage mask = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_BYTE_INDEXED, palette);
    for (int at = 0; at < classes.length; at++) {
      int right = at % WIDTH == WIDTH - 1 ? at : at + 1;
      int below = at / WIDTH == HEIGHT - 1 ? at : at + WIDTH;
      boolean edge = classes[at] != classes[right] || classes[at] != classes[below];
      mask.getRaster().setSample(at % WIDTH, at / WIDTH, 0, edge ? NOBODYS : classes[at]);
    }
    return mask;
  }

  /** A sum of three waves across the picture, from 0 to twice a height. */
  private double[] wave(double height) {
    double[] wave = new double[WIDTH];
    for (int i = 1; i <= 3; i++) {
      double length = WIDTH / between(i, 2 * i);
      double phase = between(0, 2 * Math.PI);
      for (int x = 0; x < WIDTH; x++) {
        wave[x] += height / 3 * (1 + Math.sin(2 * Math.PI * x / length + phase));
      }
    }
    return wave;
  }

  private double between(double least, double most) {
    return least + (most - least) * random.nextDouble();
  }

  private int oneOf(int... colours) {
    return colours[random.nextInt(colours.length)];
  }

  private static int mixed(int from, int to, double share) {
    int result = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
      double start = from >> shift & 255;
      double end = to >> shift & 255;
      result |= (int) (start + (end - start) * Math.max(0, Math.min(1, share))) << shift;
    }
    return result;
  }

  private static int shifted(int colour, double by) {
    int result = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
      result |= (int) Math.max(0, Math.min(255, (colour >> shift & 255) + by)) << shift;
    }
    return result;
  }
}
