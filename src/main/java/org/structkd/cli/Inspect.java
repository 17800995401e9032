package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import org.structkd.data.Augmentation;
import org.structkd.run.InspectedFile;
import org.structkd.run.RunException;
import org.structkd.run.StartingRecipe;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

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
      description = "Height and width of the image to run it on. Default: ${DEFAULT-VALUE}.")
  private String size;

  @Option(
      names = "--channels",
      paramLabel = "N",
      defaultValue = "0",
      description = "Channels of this image. Default: what the file tells, or 3.")
  private int channels;

  @Option(
      names = "--data",
      paramLabel = "DIRECTORY",
      description =
          "Folder of photographs that the recipe names, with images/ and masks/. Default: the"
              + " current one.")
  private @Nullable Path data;

  @Mixin private MachineOptions machine;

  @Override
  public Integer call() throws IOException {
    if (channels < 0) {
      throw RunException.refused("--channels is " + channels + ", expected 1 or more");
    }
    Augmentation.Size sides = size();
    machine.prepare();
    InspectedFile found = InspectedFile.of(file.toAbsolutePath().normalize(), sides, channels);
    PrintWriter out = spec.commandLine().getOut();
    found.toString().lines().forEach(line -> out.println("# " + line));
    Path photographs = (data == null ? Path.of("") : data).toAbsolutePath().normalize();
    out.print(
        StartingRecipe.of(found, photographs, sides)
            .map(recipe -> toBeDone(recipe) + recipe)
            .orElse("# No data of this library fit it, so there is no recipe to start from.\n"));
    out.flush();
    return 0;
  }

  /** {@return what the user is to say in the recipe, in its comments} */
  private String toBeDone(String recipe) {
    if (!recipe.contains(StartingRecipe.PHOTOGRAPHS)) {
      return "# A recipe to start from.\n";
    }
    return "# A recipe to start from; classes are to be named, and labels to say which values of masks"
        + " they are, unless it is 0, 1, 2 ...\n"
        + (data == null
            ? "# Its directory is the current folder: give your folder of images/ and masks/ by"
                + " --data DIRECTORY, or write it here.\n"
            : "");
  }

  private Augmentation.Size size() {
    ImageSides sides = ImageSides.of("--size", size, "HxW, such as 256x512");
    try {
      return new Augmentation.Size(sides.height(), sides.width());
    } catch (IllegalArgumentException e) {
      throw RunException.refused("--size: " + e.getMessage());
    }
  }
}
