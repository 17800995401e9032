package org.structkd.run;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Device;
import org.jspecify.annotations.Nullable;
import org.structkd.compress.Latency;
import org.structkd.compress.NetworkSize;
import org.structkd.data.Batch;
import org.structkd.data.Split;
import org.structkd.metric.Score;
import org.structkd.model.TappedNetwork;
import org.structkd.model.TrainableNetwork;
import org.structkd.recipe.Experiment;

/**
 * How large networks are, how long they take for one example and what they score, side by side. A
 * network that does not show its parameters has no sizes, one on a GPU no time.
 */
public final class SizeTable {
  /** Predictions that are timed: the median of so many differs by a few percent from run to run. */
  private static final int RUNS = 100;

  /** The bytes are explained by {@link NetworkSize}. */
  private static final List<String> HEADINGS =
      List.of(
          "", "parameters", "not 0", "bytes f32", "bytes sparse", "bytes int8", "ms per example");

  private static final String CSV_HEADINGS =
      "network,parameters,non_zeros,dense_bytes,sparse_bytes,int8_bytes,"
          + "latency_ms,latency_runs,latency_threads,";

  private final Experiment experiment;
  private final Device device;
  private final List<Row> rows = new ArrayList<>();

  private record Row(
      String name,
      Optional<NetworkSize> size,
      Optional<Latency> latency,
      Optional<Score.Number> leading) {
    List<String> cells() {
      List<String> cells = new ArrayList<>(List.of(name));
      for (Optional<Long> number : numbers()) {
        cells.add(number.map("%,d"::formatted).orElse(""));
      }
      cells.add(latency.map(time -> "%.2f".formatted(time.millis())).orElse(""));
      cells.add(leading.map(number -> "%.4f".formatted(number.value())).orElse(""));
      return cells;
    }

    private List<Optional<Long>> numbers() {
      return List.of(
          size.map(NetworkSize::parameters),
          size.map(NetworkSize::nonZeros),
          size.map(NetworkSize::denseBytes),
          size.map(NetworkSize::sparseBytes),
          size.map(NetworkSize::int8Bytes));
    }

    String csv() {
      StringBuilder line = new StringBuilder("\"" + name.replace("\"", "\"\"") + "\"");
      numbers().forEach(number -> line.append(',').append(number.map(String::valueOf).orElse("")));
      line.append(latency.map(Row::csv).orElse(",,,")).append(',');
      line.append(leading.map(number -> Double.toString(number.value())).orElse(""));
      return line.append('\n').toString();
    }

    private static String csv(Latency time) {
      return String.format(Locale.ROOT, ",%.4f,%d,%d", time.millis(), time.runs(), time.threads());
    }
  }

  /**
   * An empty table.
   *
   * @param experiment whose first test example the networks are timed with
   * @param device where the networks are
   */
  public SizeTable(Experiment experiment, Device device) {
    this.experiment = experiment;
    this.device = device;
  }

  /**
   * Measures a network.
   *
   * @param name of its row
   * @param network on the device
   * @param score of it, by the experiment's metric; null: none
   */
  public void add(String name, TappedNetwork network, @Nullable Score score) {
    try (PointerScope temporaries = new PointerScope()) {
      Batch example = experiment.data().examples(Split.TEST, 0, 1);
      rows.add(
          new Row(
              name,
              network instanceof TrainableNetwork trainable
                  ? Optional.of(NetworkSize.of(trainable.module()))
                  : Optional.empty(),
              device.is_cpu()
                  ? Optional.of(Latency.of(network, example.inputs(), RUNS))
                  : Optional.empty(),
              Optional.ofNullable(score).map(Score::leading)));
    }
  }

  List<String> headings() {
    List<String> headings = new ArrayList<>(HEADINGS);
    headings.add(leading());
    return headings;
  }

  private String leading() {
    return rows.stream()
        .flatMap(row -> row.leading().stream())
        .findFirst()
        .map(ScoreTable::title)
        .orElse(experiment.metric().leading());
  }

  List<List<String>> rows() {
    return rows.stream().map(Row::cells).toList();
  }

  /** {@return how the numbers were found, one sentence} */
  public String explanation() {
    return "Sparse and int8 are sizes that files would have, not formats that run here."
        + rows.stream()
            .flatMap(row -> row.latency().stream())
            .findFirst()
            .map(
                time ->
                    " Times are medians of %d predictions in f32 with %d thread%s."
                        .formatted(time.runs(), time.threads(), time.threads() == 1 ? "" : "s"))
            .orElse("");
  }

  /** {@return the table as CSV, with the numbers of predictions and threads} */
  public String csv() {
    StringBuilder text = new StringBuilder(CSV_HEADINGS);
    text.append(experiment.metric().leading()).append('\n');
    rows.forEach(row -> text.append(row.csv()));
    return text.toString();
  }

  /** {@return the table as text in columns} */
  @Override
  public String toString() {
    return Columns.of(headings(), rows());
  }
}
