package org.structkd.cli;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import org.structkd.data.SegmentationScore;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.TermValue;
import org.structkd.train.AtomicFile;
import org.structkd.train.TrainingListener;
import org.structkd.train.TrainingOutcome;

/**
 * The log of a run: {@code training,step,learning_rate,total,TERM...,validation_miou}, a row for
 * every tenth step and one for each evaluation. Terms are weighted, as they enter the total. No
 * times: a run that was interrupted ends with the same file as one that was not.
 */
final class MetricsCsv {
  static final String NAME = "metrics.csv";

  /** Steps between rows. */
  private static final int EVERY = 10;

  /** A row as it is read back; what a row does not have is NaN. */
  record Row(String training, long step, double total, double validationMiou) {}

  private final Path file;
  private final List<String> terms;

  /** Makes the file if there is none. */
  MetricsCsv(Path file, Set<String> terms) throws IOException {
    this.file = file;
    this.terms = List.copyOf(terms);
    if (!Files.exists(file)) {
      replace(List.of());
    }
  }

  private void replace(List<String> rows) throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add("training,step,learning_rate,total," + String.join(",", terms) + ",validation_miou");
    lines.addAll(rows);
    byte[] bytes = (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(file, out -> out.write(bytes));
  }

  /** All rows. */
  static List<Row> read(Path file) throws IOException {
    List<Row> rows = new ArrayList<>();
    List<String> lines = Files.readAllLines(file);
    for (String line : lines.subList(1, lines.size())) {
      String[] cells = line.split(",", -1);
      rows.add(
          new Row(
              cells[0],
              Long.parseLong(cells[1]),
              number(cells[3]),
              number(cells[cells.length - 1])));
    }
    return rows;
  }

  private static double number(String cell) {
    return cell.isEmpty() ? Double.NaN : Double.parseDouble(cell);
  }

  /** Writes the rows of one training. */
  TrainingListener listener(String training) {
    return new Listener(training);
  }

  private final class Listener implements TrainingListener {
    private final String training;
    private @Nullable BufferedWriter out;

    Listener(String training) {
      this.training = training;
    }

    /** Takes back what a killed process wrote after its last checkpoint. */
    @Override
    public void onStart(long firstStep, long steps) {
      try {
        String text = Files.readString(file);
        List<String> kept = new ArrayList<>();
        String whole = text.substring(0, text.lastIndexOf('\n') + 1); // the last line may be torn
        whole.lines().skip(1).filter(line -> isKept(line, firstStep)).forEach(kept::add);
        if (kept.size() + 1 != whole.lines().count() || whole.length() != text.length()) {
          replace(kept);
        }
        out = Files.newBufferedWriter(file, StandardOpenOption.APPEND);
      } catch (IOException e) {
        throw failure(e);
      }
    }

    private boolean isKept(String line, long stepsDone) {
      String[] cells = line.split(",", 3);
      return !cells[0].equals(training) || Long.parseLong(cells[1]) <= stepsDone;
    }

    @Override
    public void onStep(StepLoss loss, double learningRate) {
      long stepsDone = loss.step() + 1;
      if (stepsDone % EVERY != 0) {
        return;
      }
      StringBuilder row = new StringBuilder();
      row.append(training).append(',').append(stepsDone).append(',');
      row.append((float) learningRate).append(',').append((float) loss.value());
      for (String term : terms) {
        row.append(',');
        for (TermValue value : loss.terms()) {
          if (value.name().equals(term)) {
            row.append((float) value.weighted());
          }
        }
      }
      write(row.append(',').toString());
    }

    @Override
    public void onEvaluation(long stepsDone, SegmentationScore score) {
      write(
          training + "," + stepsDone + ",,," + ",".repeat(terms.size()) + (float) score.meanIou());
    }

    @Override
    public void onEnd(TrainingOutcome outcome) {
      try {
        if (out != null) {
          out.close();
        }
      } catch (IOException e) {
        throw failure(e);
      }
    }

    private void write(String row) {
      try {
        out.write(row + "\n");
        out.flush();
      } catch (IOException e) {
        throw failure(e);
      }
    }

    private UncheckedIOException failure(IOException e) {
      return new UncheckedIOException(file + " cannot be written: " + AtomicFile.reason(e), e);
    }
  }

  /** The names of all terms of some objectives, in a fixed order. */
  static Set<String> termsOf(List<Objective> objectives) {
    Set<String> names = new TreeSet<>();
    objectives.forEach(objective -> objective.terms().forEach(term -> names.add(term.name())));
    return names;
  }
}
