package org.structkd.cli;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.IntStream;
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
import org.structkd.data.PictureInput;
import org.structkd.internal.Words;
import org.structkd.metric.Palette;
import org.structkd.model.BundledTeacher;
import org.structkd.model.NetworkFile;
import org.structkd.model.ScoreAveraging;
import org.structkd.model.SegmentationNet;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.Recipes;
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
      "Write a mask that shows the class of every pixel of an image in colour. Where there are at"
          + " most 255 classes, indices of its palette are their numbers.",
      "",
      "The network that comes with structkd knows clothes of about 28x28 pixels, light on black, as"
          + " in docs/images/scene.png.",
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
  /** Of a side: 11 scores of each pixel are then 3 GB. */
  private static final int MAX_SIZE = 8192;

  /** Class scores of every pixel. */
  private static final String SCORES = SegmentationNet.UPSAMPLED;

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "IMAGE",
      description =
          "Picture of any size: for a network of one channel grey of 8 bits per pixel, for one of"
              + " three in colours, which become what the training made of them.")
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

  @Mixin private LookOptions looks;
  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    Path file = out == null ? besides(image) : out;
    OutputFile.requireWritable("--out", file);
    ScoreAveraging averaging = looks.averaging();
    Device device = machine.prepare();
    if (Files.exists(file) && Files.exists(image) && Files.isSameFile(file, image)) {
      throw RunException.refused("--out: " + file + " is the image, expected another file");
    }
    try (PointerScope temporaries = new PointerScope();
        Trained trained = trained()) {
      Tensor pixels = trained.pictures().read(image);
      int height = side("height", pixels.size(2));
      int width = side("width", pixels.size(3));
      Batch batch = new Batch(Map.of(Batch.IMAGES, pixels), Map.of()).to(device);
      trained.network().to(device);
      Tensor scores = scores(trained.network(), averaging, batch);
      int[] classes = new int[width * height];
      Tensor best = scores.argmax(new LongOptional(1), false).to(ScalarType.Int).cpu();
      best.contiguous().data_ptr_int().get(classes);
      Palette palette = new Palette(trained.pictures().classNames());
      BufferedImage mask = palette.mask(width, height, classes);
      AtomicFile.write(file, stream -> ImageIO.write(mask, "png", stream));
      tell(classes, palette, file);
    }
    return 0;
  }

  /** The network knows best what windows it takes. */
  private static Tensor scores(TappedNetwork network, ScoreAveraging averaging, Batch batch) {
    try {
      return averaging.of(network, SCORES).infer(batch.inputs()).get(SCORES);
    } catch (IllegalArgumentException e) {
      throw RunException.refused(e.getMessage());
    }
  }

  /** A network, and how files become what it learned from. */
  private record Trained(TappedNetwork network, PictureInput pictures) implements AutoCloseable {
    @Override
    public void close() {
      network.close();
    }
  }

  private Trained trained() throws IOException {
    if (weights == null) {
      return new Trained(
          BundledTeacher.load(), PictureInput.intensities(1, FashionScenes.CLASS_NAMES));
    }
    try (TensorFile file = TensorFile.open(weights)) {
      Distiller.requireWeights(file);
      TrainableNetwork network = NetworkFile.network(file);
      try {
        if (!network.taps().contains(SCORES)) {
          throw new DataFileException(
              file.source(),
              "a network with the tap \"%s\", which tells the class of every pixel"
                  .formatted(SCORES),
              "a %s with %s"
                  .formatted(file.property(NetworkFile.KIND), Words.list(network.taps())));
        }
        return new Trained(network, pictures(file));
      } catch (RuntimeException | IOException e) {
        network.close();
        throw e;
      }
    }
  }

  /** What the recipe in the file says; intensities as they are where there is none. */
  private static PictureInput pictures(TensorFile file) throws IOException {
    int channels = Math.toIntExact(file.number("channels"));
    int classes = Math.toIntExact(file.number("classes"));
    if (channels != 1 && channels != 3) {
      throw new DataFileException(
          file.source(), "a network of 1 or 3 channels, as pictures have", channels + " channels");
    }
    PictureInput pictures =
        Recipes.of(file)
            .flatMap(recipe -> recipe.data().pictures())
            .orElseGet(() -> PictureInput.intensities(channels, numbered(classes)));
    if (pictures.channels() != channels || pictures.classNames().size() != classes) {
      throw new DataFileException(
          file.source(),
          "a network of %d channels and %d classes, as the data of its recipe have"
              .formatted(pictures.channels(), pictures.classNames().size()),
          "%d channels and %d classes".formatted(channels, classes));
    }
    return pictures;
  }

  private static List<String> numbered(int classes) {
    return IntStream.range(0, classes).mapToObj(label -> "class " + label).toList();
  }

  private int side(String side, long size) throws DataFileException {
    if (size > MAX_SIZE) {
      throw new DataFileException(
          image.toString(), side + " of at most " + MAX_SIZE, Long.toString(size));
    }
    return (int) size;
  }

  private static Path besides(Path image) {
    String name = image.getFileName().toString();
    int dot = name.lastIndexOf('.');
    return image.resolveSibling((dot < 1 ? name : name.substring(0, dot)) + "-mask.png");
  }

  private void tell(int[] classes, Palette palette, Path file) {
    PrintWriter text = spec.commandLine().getOut();
    int[] counts = new int[palette.classes().size()];
    for (int label : classes) {
      counts[label]++;
    }
    for (int label = 0; label < counts.length; label++) {
      if (counts[label] > 0) {
        text.printf(
            "%-14s %5.1f %%  #%06x%n",
            palette.classes().get(label),
            100.0 * counts[label] / classes.length,
            palette.colour(label));
      }
    }
    text.printf("mask in %s%n", file);
    text.flush();
  }
}
