package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Batch;
import org.structkd.data.MadeRatings;

/**
 * How far predicted ratings are from those that users gave: the root of the mean squared error,
 * which leads, and the mean absolute error, both in stars.
 *
 * @param on tap with predictions [B]
 */
public record RatingMetric(String on) implements Metric {
  private static final String NAME = "rating metric";
  private static final String RMSE = "rmse";

  @Override
  public Set<String> taps() {
    return Set.of(on);
  }

  @Override
  public String leading() {
    return RMSE;
  }

  @Override
  public Count count() {
    return new Errors();
  }

  private final class Errors implements Count {
    private double squares;
    private double magnitudes;
    private long ratings;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      try (PointerScope temporaries = new PointerScope()) {
        Tensor given = batch.target(MadeRatings.RATINGS);
        Tensor predicted = Taps.output(NAME, outputs, on, given.shape());
        Tensor errors =
            predicted.cpu().to(ScalarType.Double).sub(given.cpu().to(ScalarType.Double));
        squares += errors.square().sum().item_double();
        magnitudes += errors.abs().sum().item_double();
        ratings += errors.numel();
      }
    }

    @Override
    public Score score() {
      if (ratings == 0) {
        throw new IllegalStateException("no rating was counted, so there is no score");
      }
      return new Score(
          List.of(
              new Score.Number(RMSE, "RMSE", Math.sqrt(squares / ratings), "stars", false),
              new Score.Number("mae", "MAE", magnitudes / ratings, "stars", false)));
    }
  }

  /** {@inheritDoc} A bar of as many stars, with the number beside it. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    double stars;
    try (PointerScope temporaries = new PointerScope()) {
      Tensor of = answer.isEmpty() ? batch.target(MadeRatings.RATINGS) : answer.get(on);
      stars = of.select(0, 0).item_double();
    }
    return StarBar.of(stars);
  }
}
