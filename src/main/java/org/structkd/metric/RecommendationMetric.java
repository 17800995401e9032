package org.structkd.metric;

import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.javacpp.indexer.BooleanIndexer;
import org.bytedeco.javacpp.indexer.DoubleIndexer;
import org.bytedeco.javacpp.indexer.LongIndexer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.Batch;
import org.structkd.data.RatedItems;

/**
 * How well a network ranks what users have not rated in training, and how far its ratings are from
 * theirs.
 *
 * <pre>{@code
 * candidates of a user  all items that it has not rated in training
 * relevant              those that it rated with at least `liked` stars in the split
 * rank                  1 + candidates with a higher score, or the same and a lower index
 * NDCG@n  mean over users of  sum over relevant of rank <= n of 1/log2(rank + 1)
 *                             / sum over k <= min(n, relevant) of 1/log2(k + 1)
 * HR@n    share of users with a relevant item of rank <= n
 * RMSE    over all ratings of the split, in stars
 * }</pre>
 *
 * <p>NDCG leads. Users without a relevant item count for RMSE alone. No candidates are sampled:
 * sampled ones can turn the order of networks round (Krichene, Rendle, KDD 2020). What a user rated
 * in the other split is a candidate like any, and not relevant.
 *
 * @param on tap with a rating of each item of the batch's lists, [B, n]
 * @param scores tap with a score of every item, [B, items]
 * @param top how many items are recommended, 1 or more
 * @param liked stars from which on an item is relevant
 */
public record RecommendationMetric(String on, String scores, int top, double liked)
    implements Metric {
  private static final String NAME = "recommendation metric";

  /** Checks the numbers. */
  public RecommendationMetric {
    if (top < 1) {
      throw new IllegalArgumentException("top is " + top + ", expected 1 or more");
    }
    if (!Double.isFinite(liked)) {
      throw new IllegalArgumentException("liked is " + liked + ", expected a finite number");
    }
  }

  @Override
  public Set<String> taps() {
    return Set.of(on, scores);
  }

  @Override
  public String leading() {
    return "ndcg" + top;
  }

  @Override
  public Count count() {
    return new Rankings();
  }

  private final class Rankings implements Count {
    private double gains;
    private long hits;
    private long users;
    private double squares;
    private long ratings;

    @Override
    public void add(Map<String, Tensor> outputs, Batch batch) {
      try (PointerScope temporaries = new PointerScope()) {
        Tensor given = batch.target(RatedItems.RATINGS);
        Tensor rated = batch.target(RatedItems.RATED);
        Tensor predicted = Taps.output(NAME, outputs, on, given.shape());
        Tensor scored = Taps.output(NAME, outputs, scores, rated.shape());
        try (DoubleIndexer stars = doubles(given);
            DoubleIndexer guessed = doubles(predicted);
            DoubleIndexer score = doubles(scored);
            LongIndexer items = batch.input(RatedItems.ITEMS).cpu().contiguous().createIndexer();
            BooleanIndexer trained = rated.cpu().to(ScalarType.Bool).contiguous().createIndexer()) {
          for (long user = 0; user < given.size(0); user++) {
            User one = new User((int) rated.size(1));
            for (int item = 0; item < one.scores.length; item++) {
              one.scores[item] = score.get(user, item);
              one.trained[item] = trained.get(user, item);
            }
            for (long at = 0; at < given.size(1); at++) {
              double wanted = stars.get(user, at);
              if (!Double.isNaN(wanted)) {
                double error = guessed.get(user, at) - wanted;
                squares += error * error;
                ratings++;
                if (wanted >= liked) {
                  one.relevant[one.count++] = (int) items.get(user, at);
                }
              }
            }
            add(one);
          }
        }
      }
    }

    private void add(User user) {
      if (user.count == 0) {
        return;
      }
      double gain = 0;
      double best = 0;
      boolean hit = false;
      for (int i = 0; i < user.count; i++) {
        int rank = user.rank(user.relevant[i]);
        if (rank <= top) {
          gain += discount(rank);
          hit = true;
        }
        if (i < top) {
          best += discount(i + 1);
        }
      }
      boolean canRank = Arrays.stream(user.scores).noneMatch(Double::isNaN);
      gains += canRank ? gain / best : Double.NaN;
      hits += hit ? 1 : 0;
      users++;
    }

    @Override
    public Score score() {
      if (ratings == 0) {
        throw new IllegalStateException("no rating was counted, so there is no score");
      }
      return new Score(
          List.of(
              new Score.Number(leading(), "NDCG@" + top, gains / users, "", true),
              new Score.Number("hr" + top, "HR@" + top, (double) hits / users, "", true),
              new Score.Number("rmse", "RMSE", Math.sqrt(squares / ratings), "stars", false)));
    }
  }

  /** The scores of a user, and what is relevant to it. */
  private static final class User {
    private final double[] scores;
    private final boolean[] trained;
    private final int[] relevant;
    private int count;

    User(int items) {
      scores = new double[items];
      trained = new boolean[items];
      relevant = new int[items];
    }

    int rank(int item) {
      int rank = 1;
      for (int other = 0; other < scores.length; other++) {
        boolean isAbove =
            scores[other] > scores[item] || scores[other] == scores[item] && other < item;
        rank += isAbove && !trained[other] ? 1 : 0;
      }
      return rank;
    }
  }

  private static double discount(int rank) {
    return Math.log(2) / Math.log(rank + 1.0);
  }

  private static DoubleIndexer doubles(Tensor tensor) {
    return tensor.cpu().to(ScalarType.Double).contiguous().createIndexer();
  }

  /** {@inheritDoc} The first rating of the user: a bar of as many stars. */
  @Override
  public BufferedImage picture(Map<String, Tensor> answer, Batch batch) {
    try (PointerScope temporaries = new PointerScope()) {
      Tensor of = answer.isEmpty() ? batch.target(RatedItems.RATINGS) : answer.get(on);
      return StarBar.of(of.select(0, 0).select(0, 0).item_double());
    }
  }
}
