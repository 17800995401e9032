package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.Callable;
import javax.imageio.ImageIO;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Batch;
import org.structkd.data.DataFileException;
import org.structkd.data.FashionScenes;
import org.structkd.metric.Palette;
import org.structkd.model.BundledTeacher;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TensorFile;
import org.structkd.run.RunException;
import org.structkd.train.AtomicFile;
import org.structkd.train.Distiller;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Colours an image by what a trained network sees in it. */
@Command(
    name = "predict",
    description = {
      "Write a mask that shows the class of every pixel of an image in colour.",
      "",
      "The network knows clothes of about 28x28 pixels, light on black, as in docs/images/scene.png.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the mask was written",
      "1:native code or the disk failed",
      "2:the command line, or a file that it names, makes no sense"
    })
final class Predict implements Callable<Integer> {
  private static final int MAX_SIZE = 4096;
  private static final float WHITE = 255f;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "IMAGE",
      description = "Grey image of 8 bits per pixel; height and width are multiples of 8.")
  private Path image;

  @Option(
      names = "--out",
      paramLabel = "FILE",
      description = "PNG to write. Default: IMAGE with -mask.png for its ending.")
  private @Nullable Path out;

  @Option(
      names = "--weights",
      paramLabel = "FILE",
      description =
          "Weights out of a run folder of distill. Default: the teacher that comes with structkd.")
  private @Nullable Path weights;

  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    Path file = out == null ? besides(image) : out;
    OutputFile.requireWritable("--out", file);
    Device device = machine.prepare();
    BufferedImage grey = read(image);
    if (Files.exists(file) && Files.isSameFile(file, image)) {
      throw RunException.refused("--out: " + file + " is the image, expected another file");
    }
    int width = grey.getWidth();
    int height = grey.getHeight();
    int[] classes = new int[width * height];
    try (PointerScope temporaries = new PointerScope()) {
      Tensor pixels = Tensor.create(intensities(grey), 1, 1, height, width);
      Batch batch = new Batch(Map.of(Batch.IMAGES, pixels), Map.of());
      SegmentationNet network = network();
      network.to(device);
      Tensor scores = network.infer(batch.to(device).inputs()).get(SegmentationNet.UPSAMPLED);
      Tensor best = scores.argmax(new LongOptional(1), false).to(ScalarType.Int).cpu();
      best.contiguous().data_ptr_int().get(classes);
    }
    BufferedImage mask = Palette.mask(width, height, at -> Palette.colour(classes[at]));
    AtomicFile.write(file, stream -> ImageIO.write(mask, "png", stream));
    tell(classes, file);
    return 0;
  }

  private SegmentationNet network() throws IOException {
    if (weights == null) {
      return BundledTeacher.load();
    }
    try (TensorFile file = TensorFile.open(weights)) {
      Distiller.requireWeights(file);
      return SegmentationNet.of(file);
    }
  }

  private static BufferedImage read(Path file) throws IOException {
    if (!Files.isRegularFile(file)) {
      throw new DataFileException(
          file.toString(), "an image", Files.exists(file) ? "no file" : "nothing of this name");
    }
    @Nullable BufferedImage image;
    try {
      image = ImageIO.read(file.toFile());
    } catch (IOException | RuntimeException e) { // ImageIO throws any of them at damaged files
      throw new DataFileException(file.toString(), "an image", "a damaged one");
    }
    if (image == null) {
      throw new DataFileException(file.toString(), "an image", "another format");
    }
    boolean isGrey =
        image.getRaster().getNumBands() == 1 && !(image.getColorModel() instanceof IndexColorModel);
    int bits = image.getColorModel().getPixelSize();
    if (!isGrey || bits != Byte.SIZE) {
      throw new DataFileException(
          file.toString(),
          "grey of 8 bits per pixel",
          (isGrey ? "grey of " : "colour of ") + bits + " bits");
    }
    requireSize(file, "width", image.getWidth());
    requireSize(file, "height", image.getHeight());
    return image;
  }

  private static void requireSize(Path file, String side, int size) throws DataFileException {
    if (size % SegmentationNet.STRIDE != 0 || size > MAX_SIZE) {
      throw new DataFileException(
          file.toString(),
          side + " to be a multiple of " + SegmentationNet.STRIDE + " up to " + MAX_SIZE,
          Integer.toString(size));
    }
  }

  private static float[] intensities(BufferedImage grey) {
    int width = grey.getWidth();
    float[] intensities = new float[width * grey.getHeight()];
    for (int at = 0; at < intensities.length; at++) {
      intensities[at] = grey.getRaster().getSample(at % width, at / width, 0) / WHITE;
    }
    return intensities;
  }

  private static Path besides(Path image) {
    String name = image.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return image.resolveSibling((dot < 1 ? name : name.substring(0, dot)) + "-mask.png");
  }

  private void tell(int[] classes, Path file) {
    PrintWriter text = spec.commandLine().getOut();
    int[] counts = new int[FashionScenes.CLASSES];
    for (int label : classes) {
      counts[label]++;
    }
    for (int label = 0; label < counts.length; label++) {
      if (counts[label] > 0) {
        text.printf(
            "%-14s %5.1f %%  #%06x%n",
            FashionScenes.CLASS_NAMES.get(label),
            100.0 * counts[label] / classes.length,
            Palette.colour(label));
      }
    }
    text.printf("mask in %s%n", file);
    text.flush();
  }
}
