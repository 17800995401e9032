package org.structkd.train;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.structkd.data.DataFileException;
import org.structkd.metric.Score;
import org.structkd.objective.Objective;
import org.structkd.objective.StepLoss;
import org.structkd.objective.TermValue;

/**
 * The log of one or several trainings as a CSV file: {@code
 * training,step,learning_rate,total,TERM...,validation_NUMBER}, a row for every tenth step and one
 * for each evaluation, of its leading number. Terms are weighted, as they enter the total.
 *
 * <pre>{@code
 * MetricsCsv metrics = MetricsCsv.open(folder.resolve("metrics.csv"), "miou", objective);
 * distiller.withListener(metrics.listener("student")).train(student);
 * }</pre>
 *
 * <p>When a training continues, its rows are cut back to the checkpoint, and there are no times: a
 * training that was interrupted ends with the same file as one that was not. One training at a time
 * may write to a file.
 */
public final class MetricsCsv {
  /** Steps between rows, and between what other logs write. */
  static final int EVERY = 10;

  /** Before those of the terms. */
  private static final List<String> COLUMNS = List.of("training", "step", "learning_rate", "total");

  /** What the last column's name begins with. */
  private static final String VALIDATION = "validation_";

  /**
   * A row as it is read back; what a row does not have is NaN.
   *
   * @param training its name
   * @param step steps done
   * @param total sum of the weighted terms
   * @param validation leading number of an evaluation
   */
  public record Row(String training, long step, double total, double validation) {}

  private final Path file;
  private final String number;
  private final List<String> terms;

  private MetricsCsv(Path file, String number, Set<String> terms) {
    this.file = file;
    this.number = number;
    requireCell("number", number);
    this.terms = List.copyOf(terms);
    terms.forEach(MetricsCsv::requireTerm);
  }

  /**
   * Checks that a term can have a column of its name.
   *
   * @param name of the term
   * @throws IllegalArgumentException if it is empty, has a comma, quote or line end, or is the name
   *     of another column
   */
  public static void requireTerm(String name) {
    requireCell("term", name);
    if (COLUMNS.contains(name) || name.startsWith(VALIDATION)) {
      throw new IllegalArgumentException(
          "a term is called \"" + name + "\", as another column of the log is: call it otherwise");
    }
  }

  /**
   * Makes the file, or goes on with the one that is there.
   *
   * @param file where; its folder must exist
   * @param number name of the number that leads the evaluations' scores
   * @param objectives of all trainings that shall be in it: their terms, sorted, are its columns
   * @return the log
   * @throws DataFileException if the file is there and has other columns
   * @throws IOException if it cannot be read or written
   */
  public static MetricsCsv open(Path file, String number, Objective... objectives)
      throws IOException {
    Set<String> terms = new TreeSet<>();
    for (Objective objective : objectives) {
      objective.terms().forEach(term -> terms.add(term.name()));
    }
    MetricsCsv metrics = new MetricsCsv(file, number, terms);
    Uninterrupted.run(metrics::makeOrRequire);
    return metrics;
  }

  private void makeOrRequire() throws IOException {
    if (!Files.exists(file)) {
      replace(List.of());
      return;
    }
    String found = Files.readString(file).lines().findFirst().orElse("");
    if (!found.equals(header())) {
      throw new DataFileException(
          file.toString(), "the columns " + header(), found.isEmpty() ? "none" : found);
    }
  }

  private String header() {
    return String.join(",", COLUMNS) + "," + String.join(",", terms) + "," + VALIDATION + number;
  }

  /** A name that is one cell as it is, and so may be compared when rows are cut back. */
  private static void requireCell(String what, String name) {
    if (name.isEmpty() || name.chars().anyMatch(c -> c == ',' || c == '"' || c < ' ')) {
      throw new IllegalArgumentException(
          what
              + " is \""
              + name
              + "\", expected a name for a CSV file: not empty, without comma, quote and line end");
    }
  }

  private void replace(List<String> rows) throws IOException {
    List<String> lines = new ArrayList<>();
    lines.add(header());
    lines.addAll(rows);
    byte[] bytes = (String.join("\n", lines) + "\n").getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(file, out -> out.write(bytes));
  }

  /**
   * {@return all rows}
   *
   * @param file what a log wrote
   * @throws IOException if it cannot be read
   */
  public static List<Row> read(Path file) throws IOException {
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

  /**
   * {@return a listener that writes the rows of one training}
   *
   * @param training its name, in the first column; one of its own for each training in the file
   * @throws IllegalArgumentException if the name is no cell: empty, or with a comma, quote or line
   *     end
   */
  public TrainingListener listener(String training) {
    requireCell("training", training);
    return new Listener(training);
  }

  private final class Listener implements TrainingListener {
    private final String training;
    private final LogFile log = new LogFile(file);

    Listener(String training) {
      this.training = training;
    }

    @Override
    public void onStart(long firstStep, long steps) {
      log.open(() -> cutBack(firstStep));
    }

    private void cutBack(long firstStep) throws IOException {
      String text = Files.readString(file);
      List<String> kept = new ArrayList<>();
      String whole = text.substring(0, text.lastIndexOf('\n') + 1); // the last line may be torn
      whole.lines().skip(1).filter(line -> isKept(line, firstStep)).forEach(kept::add);
      if (kept.size() + 1 != whole.lines().count() || whole.length() != text.length()) {
        replace(kept);
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
    public void onEvaluation(long stepsDone, Score score, int sinceBest) {
      float value = (float) score.value(number);
      write(training + "," + stepsDone + ",,," + ",".repeat(terms.size()) + value);
    }

    @Override
    public void onEnd(TrainingOutcome outcome) {
      log.close();
    }

    @Override
    public void onFailure(long stepsDone, Throwable cause) {
      log.close();
    }

    private void write(String row) {
      log.append((row + "\n").getBytes(StandardCharsets.UTF_8));
    }
  }
}
