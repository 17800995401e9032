package org.structkd.cli;

import java.io.IOException;
import java.io.PrintWriter;
import java.io.Writer;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.distributed.ProcessGroup;
import org.structkd.recipe.Recipe;
import org.structkd.run.Continuation;
import org.structkd.run.RecipeSource;
import org.structkd.run.RunContext;
import org.structkd.run.RunException;
import org.structkd.run.RunFolder;
import org.structkd.run.RunSettings;
import org.structkd.run.RunWork;
import org.structkd.train.Resume;
import org.structkd.train.StopSignal;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.ArgSpec;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Option;

/** Which run: its recipes' values, seeds and folder, and whether it is a new one. */
final class RunOptions {
  /** Options that go with --resume. */
  private static final Set<String> WITH_RESUME =
      Set.of(
          "--resume",
          "--resume-changed",
          "--threads",
          "--device",
          "--rank-timeout",
          "--document",
          "--steps",
          "--tensorboard");

  /** Options that go with --resume-changed only. */
  private static final Set<String> WITH_CHANGED = Set.of("--set", "--seeds", "--seed");

  /** Exit status of a process that Ctrl-C ended, by convention. */
  private static final int INTERRUPTED = 130;

  @Mixin private RecipeOptions recipes;

  @Option(
      names = "--steps",
      paramLabel = "N",
      description = "Training steps: the same as --set train.steps=N. Default: the recipe's.")
  private @Nullable String steps;

  @Option(
      names = "--seeds",
      paramLabel = "N",
      description =
          "Repetitions with other weights and examples, 1 to 100. Default: 3, of compare 5.")
  private @Nullable Integer seeds;

  @Option(names = "--seed", paramLabel = "N", description = "The first seed. Default: 1.")
  private @Nullable Long seed;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Run folder, new or empty. Default: runs/COMMAND-DATE-TIME.")
  private @Nullable Path out;

  @Option(
      names = "--resume",
      paramLabel = "DIR",
      description =
          "Continue the run in this folder, with the recipe and settings that it has; options of"
              + " the machine may be given beside, and --steps to make it longer.")
  private @Nullable Path resume;

  @Option(
      names = "--resume-changed",
      description =
          "With --resume: --set, --seed and --seeds given beside replace what the run has, although"
              + " its steps so far were others.")
  private boolean changed;

  @Option(
      names = "--tensorboard",
      description =
          "Also write losses, rate and scores for TensorBoard: tensorboard --logdir DIR/tensorboard"
              + " shows them. A run that is resumed goes on with it.")
  private boolean tensorboard;

  /** Loads and checks everything that a command needs, and writes nothing. */
  @FunctionalInterface
  interface Preparation {
    RunWork prepare(List<RecipeSource> sources, RunSettings settings, RunContext context)
        throws IOException;
  }

  /**
   * Does the work of a command, in a new folder or in that of the run to continue. A folder is made
   * or changed only after everything was prepared.
   *
   * @param given names or files of the recipes of a new run
   * @param search values to choose from
   * @param usualSeeds how many, if the user does not say
   * @param group the processes that do it together; the first one has the folder and the screen
   */
  int execute(
      CommandSpec spec,
      List<String> given,
      Map<String, List<String>> search,
      int usualSeeds,
      MachineOptions machine,
      ProcessGroup group,
      Preparation preparation)
      throws IOException {
    PrintWriter screen =
        group.isFirst() ? spec.commandLine().getOut() : new PrintWriter(Writer.nullWriter());
    Device device = machine.prepare();
    try (StopSignal stop = StopSignal.onSignals()) {
      RunContext context =
          new RunContext(
              screen,
              stop,
              device,
              changed ? Resume.CHANGED : Resume.LONGER,
              name -> ProgressLines.on(screen, name),
              group);
      if (resume != null) {
        return goOn(spec, resume, machine, context, preparation);
      }
      if (changed) {
        throw RunException.refused("--resume-changed goes with --resume DIR: which run?");
      }
      if (given.isEmpty()) {
        throw RunException.refused("no RECIPE is given: which shall be compared?");
      }
      List<RecipeSource> sources = given.stream().map(this::source).toList();
      List<Recipe> loaded = sources.stream().map(RecipeSource::load).toList();
      RunSettings settings =
          settings(
              new RunSettings(
                  commandLine(spec), names(loaded), 1, usualSeeds, machine.threads(), search));
      try (RunWork work = preparation.prepare(sources, settings, context);
          RunFolder folder =
              group.isFirst()
                  ? RunFolder.create(path(spec), settings, loaded)
                  : RunFolder.ofFirstRank(path(spec))) {
        return run(work, folder, spec, context.out());
      }
    }
  }

  private int goOn(
      CommandSpec spec,
      Path path,
      MachineOptions machine,
      RunContext context,
      Preparation preparation)
      throws IOException {
    requireAllowed(spec);
    boolean first = context.group().isFirst();
    try (RunFolder folder = first ? RunFolder.open(path) : RunFolder.ofFirstRank(path)) {
      RunSettings before = folder.settings();
      if (!before.name().equals(spec.name())) {
        throw RunException.refused(
            path + " holds a run of the command " + before.name() + ", which continues it");
      }
      machine.useThreadsOf(before.threads(), spec);
      List<RecipeSource> sources = new ArrayList<>();
      List<Recipe> loaded = new ArrayList<>();
      for (int i = 0; i < before.recipes().size(); i++) {
        RecipeSource own =
            new RecipeSource(folder.recipe(before, i).toString(), List.of(), List.of());
        sources.add(source(own.nameOrFile()));
        loaded.add(sources.get(i).load());
        Continuation.require(own.load(), loaded.get(i), changed);
      }
      RunSettings settings = settings(before);
      try (RunWork work = preparation.prepare(sources, settings, context)) {
        if (first) {
          folder.save(settings, loaded);
        }
        return run(work, folder, spec, context.out());
      }
    }
  }

  private RecipeSource source(String nameOrFile) {
    RecipeSource source = recipes.of(nameOrFile);
    if (steps == null) {
      return source;
    }
    if (source.sets().stream().anyMatch(set -> set.startsWith("train.steps="))) {
      throw RunException.refused(
          "--steps and --set train.steps say the same, expected one of them");
    }
    List<String> sets = new ArrayList<>(source.sets());
    sets.add("train.steps=" + steps);
    return new RecipeSource(nameOrFile, sets, source.losses());
  }

  /** {@return settings in which what was given replaces what there is} */
  private RunSettings settings(RunSettings before) {
    try {
      RunSettings settings =
          before.withSeeds(
              seed == null ? before.seed() : seed, seeds == null ? before.seeds() : seeds);
      return tensorboard ? settings.withTensorboard() : settings;
    } catch (IllegalArgumentException e) {
      throw RunException.refused("--" + e.getMessage());
    }
  }

  /** Recipes are told apart by their names, in files and tables. */
  private static List<String> names(List<Recipe> recipes) {
    List<String> names = recipes.stream().map(Recipe::name).toList();
    Set<String> seen = new HashSet<>();
    for (String name : names) {
      if (!seen.add(name)) {
        throw RunException.refused(
            "two of the recipes are called \"" + name + "\": give one of them another name");
      }
    }
    return names;
  }

  private void requireAllowed(CommandSpec spec) {
    for (ArgSpec given : spec.commandLine().getParseResult().matchedArgs()) {
      String name = given instanceof OptionSpec option ? option.longestName() : given.paramLabel();
      boolean longer =
          recipes.sets().stream().allMatch(set -> set.matches("(.*\\.)?train\\.steps=.*"));
      boolean changeable = WITH_CHANGED.contains(name);
      if (!WITH_RESUME.contains(name)
          && !(changeable && changed)
          && !(name.equals("--set") && longer)) {
        throw RunException.refused(
            name
                + " cannot be given with --resume: the run goes on with what it has"
                + (changeable ? "; add --resume-changed to change it" : ""));
      }
    }
  }

  private static int run(RunWork work, RunFolder folder, CommandSpec spec, PrintWriter screen)
      throws IOException {
    try {
      work.run(folder);
      return 0;
    } catch (RunWork.Stopped stopped) { // the JVM itself replaces the status by that of the signal
      screen.printf(
          "%nstopped and saved; this continues:%n  ./structkd %s --resume %s%n",
          spec.name(), folder.path());
      screen.flush();
      return INTERRUPTED;
    }
  }

  private Path path(CommandSpec spec) {
    String time = LocalDateTime.now().format(DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss"));
    return out == null ? Path.of("runs", spec.name() + "-" + time) : out;
  }

  /** {@return the command as the user gave it, in the words of a shell} */
  private static String commandLine(CommandSpec spec) {
    return spec.commandLine().getParseResult().originalArgs().stream()
        .map(
            word -> word.matches("[\\w.,:=/@%+-]+") ? word : "'" + word.replace("'", "'\\''") + "'")
        .collect(Collectors.joining(" "));
  }
}
