package org.structkd.metric;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.Set;
import org.bytedeco.pytorch.Device;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.structkd.data.Batch;
import org.structkd.data.BatchSource;
import org.structkd.data.Dataset;
import org.structkd.data.Split;
import org.structkd.model.TappedNetwork;
import org.structkd.testing.InScope;

@InScope
class DatasetEvaluationTest {
  /** 120 examples of one size, whose memory is that of a single number. */
  private record Blank(long height, long width) implements Dataset {
    @Override
    public Dataset withSeed(long seed) {
      return this;
    }

    @Override
    public BatchSource training(int size) {
      throw new IllegalStateException("is not trained on");
    }

    @Override
    public int size(Split split) {
      return 120;
    }

    @Override
    public Batch examples(Split split, int first, int count) {
      Tensor images = torch.zeros(1, 1, 1, 1).expand(count, 3, height, width);
      return new Batch(Map.of(Batch.IMAGES, images), Map.of());
    }

    @Override
    public OptionalInt classes() {
      return OptionalInt.empty();
    }
  }

  /** Puts out what it sees. */
  private record Mirror() implements TappedNetwork {
    @Override
    public Set<String> taps() {
      return Set.of(IMAGES);
    }

    @Override
    public Map<String, Tensor> infer(Map<String, Tensor> inputs) {
      return inputs;
    }

    @Override
    public void to(Device device) {}
  }

  /** Counts examples, and how many came together. */
  private record Counting(List<Long> batches) implements Metric {
    @Override
    public Set<String> taps() {
      return Set.of(Batch.IMAGES);
    }

    @Override
    public String leading() {
      return "examples";
    }

    @Override
    public Count count() {
      return new Count() {
        @Override
        public void add(Map<String, Tensor> outputs, Batch batch) {
          batches.add(outputs.get(Batch.IMAGES).size(0));
        }

        @Override
        public Score score() {
          long all = batches.stream().mapToLong(Long::longValue).sum();
          return new Score(List.of(new Score.Number("examples", "examples", all, "", true)));
        }
      };
    }

    @Override
    public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
      throw new IllegalStateException("is not looked at");
    }
  }

  /** Large images come few at a time, and all of them come. */
  @ParameterizedTest
  @CsvSource({"48, 48, 50", "512, 1024, 10", "1024, 2048, 2", "4096, 4096, 1"})
  void largeExamplesComeFewAtATime(long height, long width, long most) {
    Counting metric = new Counting(new ArrayList<>());
    Score score =
        new DatasetEvaluation(new Blank(height, width), Split.TEST, metric)
            .of(new Mirror(), new Device("cpu"));
    assertEquals(120, score.leading().value());
    assertEquals(most, metric.batches().stream().mapToLong(Long::longValue).max().orElse(0));
  }
}
