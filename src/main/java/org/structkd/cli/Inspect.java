package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.structkd.data.Augmentation;
import org.structkd.run.InspectedFile;
import org.structkd.run.RunException;
import org.structkd.run.StartingRecipe;
import picocli.CommandLine.Command;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;
import picocli.CommandLine.TypeConversionException;

/** Tells what a file of a network takes and gives, and a recipe to start from. */
@Command(
    name = "inspect",
    description = {
      "Tell what a file holds, a network of a run, TorchScript or weights: inputs, outputs with"
          + " shapes, parameters, losses for its taps, and a recipe to start from. What is printed is"
          + " that recipe, with the rest in its comments.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {"0:it was told", "1:native code failed", "2:the file is none of these"})
final class Inspect implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Parameters(paramLabel = "FILE", description = "Which.")
  private Path file;

  @Option(
      names = "--size",
      paramLabel = "HxW",
      defaultValue = "256x256",
      converter = SizeConverter.class,
      description = "Height and width of the image to run it on. Default: ${DEFAULT-VALUE}.")
  private Augmentation.Size size;

  @Option(
      names = "--channels",
      paramLabel = "N",
      defaultValue = "0",
      description = "Channels of this image. Default: what the file tells, or 3.")
  private int channels;

  @Option(
      names = "--data",
      paramLabel = "DIRECTORY",
      defaultValue = ".",
      description =
          "Folder of photographs that the recipe names, with images/ and masks/. Default: this one.")
  private Path data;

  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    if (channels < 0) {
      throw RunException.refused("--channels is " + channels + ", expected 1 or more");
    }
    machine.prepare();
    InspectedFile found = InspectedFile.of(file.toAbsolutePath().normalize(), size, channels);
    PrintWriter out = spec.commandLine().getOut();
    found.toString().lines().forEach(line -> out.println("# " + line));
    Path photographs = data.toAbsolutePath().normalize();
    Optional<String> recipe = StartingRecipe.of(found, photographs, size);
    out.print(
        recipe
            .map(
                text ->
                    "# A recipe to start from; classes are to be named, and labels to say which values"
                        + " of masks they are, unless it is 0, 1, 2 ...\n"
                        + text)
            .orElse("# No data of this library fit it, so there is no recipe to start from.\n"));
    out.flush();
    return 0;
  }

  /** Reads "256x512". */
  static final class SizeConverter implements ITypeConverter<Augmentation.Size> {
    private static final Pattern SIZE = Pattern.compile("([1-9]\\d{0,4})x([1-9]\\d{0,4})");

    @Override
    public Augmentation.Size convert(String text) {
      Matcher matcher = SIZE.matcher(text);
      if (!matcher.matches()) {
        throw new TypeConversionException(
            "expected HEIGHTxWIDTH, such as 256x512, but was '" + text + "'");
      }
      return new Augmentation.Size(
          Integer.parseInt(matcher.group(1)), Integer.parseInt(matcher.group(2)));
    }
  }
}
