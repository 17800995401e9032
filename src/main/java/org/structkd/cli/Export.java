package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.NativeLoader;
import org.structkd.model.BundledTeacher;
import org.structkd.model.NetworkFile;
import org.structkd.model.TensorFile;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.DataSettings;
import org.structkd.recipe.Recipe;
import org.structkd.recipe.Recipes;
import org.structkd.run.RunException;
import org.structkd.run.StudentExport;
import org.structkd.train.Distiller;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Writes a trained network for those who serve it. */
@Command(
    name = "export",
    description = {
      "Write a student as TorchScript, which Python, C++ and Java load without structkd, with its"
          + " weights, a description in JSON and an example to compare with. docs/export.md.",
      ""
    },
    mixinStandardHelpOptions = true,
    versionProvider = Version.class,
    sortOptions = false,
    exitCodeListHeading = "%nExit status:%n",
    exitCodeList = {
      "0:the folder was written, and computes what the student does",
      "1:native code or the disk failed; nothing was written",
      "2:the command line, or a file that it names, makes no sense"
    })
final class Export implements Callable<Integer> {
  private static final String WEIGHTS = ".safetensors";

  @Spec private CommandSpec spec;

  @Parameters(
      paramLabel = "RUN|FILE|NAME",
      description =
          "Weights out of a run folder of distill, the folder if it has one student, or a bundled"
              + " teacher.")
  private String student;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      required = true,
      description = "Folder to write, which is not there or empty.")
  private Path out;

  @Option(
      names = "--size",
      paramLabel = "HxW",
      description =
          "Size of the example's images, and of all images for a network that can be exported for"
              + " one size only. Default: 64x64, or near it.")
  private @Nullable String size;

  @Override
  public Integer call() throws IOException {
    StudentExport.requireFree(out);
    NativeLoader.require();
    try (TensorFile file = open()) {
      Distiller.requireWeights(file);
      try (TrainableNetwork network = NetworkFile.network(file)) {
        StudentExport export = new StudentExport(network).withProperties(own(file, network));
        if (size != null) {
          setSize(export);
        }
        describe(export, file);
        export.write(out);
      }
      tell(file.source());
    }
    return 0;
  }

  private TensorFile open() throws IOException {
    Path path = Path.of(student);
    if (Files.isDirectory(path)) {
      return TensorFile.open(onlyOne(path));
    }
    if (Files.exists(path) || student.endsWith(WEIGHTS)) {
      return TensorFile.open(path);
    }
    try {
      return BundledTeacher.file(student);
    } catch (IllegalArgumentException e) {
      throw RunException.refused(
          student + " is no file and no folder, and no bundled teacher: " + e.getMessage());
    }
  }

  /** What the file says beside the shape, which the export writes itself. */
  private static Map<String, String> own(TensorFile file, TrainableNetwork network) {
    Map<String, String> own = new LinkedHashMap<>(file.properties());
    own.keySet().removeAll(network.shape().keySet());
    return own;
  }

  private static Path onlyOne(Path run) throws IOException {
    List<Path> found;
    try (Stream<Path> files = Files.list(run)) {
      found = files.filter(file -> file.toString().endsWith(WEIGHTS)).sorted().toList();
    }
    if (found.size() != 1) {
      throw RunException.refused(
          found.isEmpty()
              ? run + " has no student: there is no *" + WEIGHTS + " in it"
              : run
                  + " has several students, name the file of one: "
                  + found.stream().map(Path::toString).collect(Collectors.joining(", ")));
    }
    return found.get(0);
  }

  private void setSize(StudentExport export) {
    ImageSides sides = ImageSides.of("--size", size, "HxW, such as 512x1024");
    try {
      export.withImageSize(sides.height(), sides.width());
    } catch (IllegalArgumentException e) {
      throw RunException.refused("--size: " + e.getMessage());
    }
  }

  /** Classes and normalisation are those of the data that the student was trained on. */
  private void describe(StudentExport export, TensorFile file) throws IOException {
    Optional<Recipe> recipe = Recipes.of(file);
    if (recipe.isEmpty()) {
      warn("the file says nothing of its training: no classes and no normalisation are told");
      return;
    }
    DataSettings data = recipe.get().data();
    data.pictures().ifPresent(export::withPictures);
    try {
      export.withClasses(data.classNames());
    } catch (IOException e) {
      warn("the data cannot be read, no classes are told: " + e.getMessage());
    }
  }

  private void warn(String sentence) {
    spec.commandLine().getErr().println("structkd: " + sentence);
    spec.commandLine().getErr().flush();
  }

  private void tell(String weights) throws IOException {
    PrintWriter text = spec.commandLine().getOut();
    try (Stream<Path> files = Files.list(out)) {
      for (Path file : files.sorted().toList()) {
        text.printf("%-20s %,12d bytes%n", file.getFileName(), Files.size(file));
      }
    }
    text.printf("%s is exported to %s%n", weights, out);
    text.flush();
  }
}
