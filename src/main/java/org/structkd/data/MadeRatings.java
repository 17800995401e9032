package org.structkd.data;

import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.CounterRandom;

/**
 * RatingTable that a formula made: whole stars that users gave items, of which a few hidden tastes
 * decide. A student of fewer factors than there are tastes must choose, which a teacher need not.
 *
 * <pre>{@code
 * stars(u, i) = round(3 + b_u + b_i + sum over the tastes of p_u q_i + noise), from 1 to 5
 * }</pre>
 *
 * <p>Factors are normal, scaled so that tastes have a deviation of 0.8, biases of 0.4 each and the
 * noise of 0.4 stars. One pair in five is rated; of the ratings a tenth is for validation and a
 * tenth for the test. Inputs are {@code users} and {@code items}, i64 [B]; the target is {@code
 * ratings}, f32 [B]. There are no others than these ratings: the seed decides the order in which a
 * training sees them. Immutable, may be shared.
 */
public final class MadeRatings implements RatingData {
  /** Input: index of each rating's user, i64 [B]. */
  public static final String USERS = "users";

  /** Input: index of each rating's item, i64 [B]. */
  public static final String ITEMS = "items";

  /** Target: stars of each rating, f32 [B]. */
  public static final String RATINGS = "ratings";

  /** Most users, and most items: all pairs are looked at once. */
  public static final int MAX_SIZE = 4096;

  /** Key of the made world; another seed would make other tastes. */
  private static final long WORLD = 20_190_304;

  private static final double TASTE_DEVIATION = 0.8;
  private static final double BIAS_DEVIATION = 0.4;
  private static final double NOISE_DEVIATION = 0.4;
  private static final int LOTS = 100;
  private static final int RATED_LOTS = 20;

  private final int users;
  private final int items;
  private final long seed;
  private final Map<Split, RatingTable> ratings;

  /**
   * Makes the ratings.
   *
   * @param users 10 to {@link #MAX_SIZE}
   * @param items 10 to {@link #MAX_SIZE}
   * @param tastes hidden factors, 1 or more
   * @throws IllegalArgumentException if a number is out of its range
   */
  public MadeRatings(int users, int items, int tastes) {
    this(users, items, 0, made(users, items, tastes));
  }

  private MadeRatings(int users, int items, long seed, Map<Split, RatingTable> ratings) {
    this.users = users;
    this.items = items;
    this.seed = seed;
    this.ratings = ratings;
  }

  private static Map<Split, RatingTable> made(int users, int items, int tastes) {
    requireRange("users", users);
    requireRange("items", items);
    if (tastes < 1 || tastes > MAX_SIZE) {
      throw new IllegalArgumentException(
          "made ratings: tastes is " + tastes + ", expected 1 to " + MAX_SIZE);
    }
    World world = new World(users, items, tastes);
    return Map.of(
        Split.TRAIN, world.ratings(Split.TRAIN),
        Split.VALIDATION, world.ratings(Split.VALIDATION),
        Split.TEST, world.ratings(Split.TEST));
  }

  private static void requireRange(String name, int value) {
    if (value < 10 || value > MAX_SIZE) {
      throw new IllegalArgumentException(
          "made ratings: " + name + " is " + value + ", expected 10 to " + MAX_SIZE);
    }
  }

  /** Knows who likes what. Every number is a function of its key and index. */
  private static final class World {
    private final int users;
    private final int items;
    private final double[][] ofUsers;
    private final double[][] ofItems;

    World(int users, int items, int tastes) {
      this.users = users;
      this.items = items;
      double deviation = Math.sqrt(TASTE_DEVIATION / Math.sqrt(tastes));
      ofUsers = factors(1, users, tastes, deviation);
      ofItems = factors(2, items, tastes, deviation);
    }

    /** Factors, and a bias behind them. */
    private static double[][] factors(long stream, int count, int tastes, double deviation) {
      double[][] factors = new double[count][tastes + 1];
      for (int row = 0; row < count; row++) {
        long key = CounterRandom.bits(WORLD + stream, row);
        for (int taste = 0; taste < tastes; taste++) {
          factors[row][taste] = deviation * CounterRandom.normal(key, taste);
        }
        factors[row][tastes] = BIAS_DEVIATION * CounterRandom.normal(key, tastes);
      }
      return factors;
    }

    RatingTable ratings(Split split) {
      int count = 0;
      for (int user = 0; user < users; user++) {
        count += itemsOf(user, split).length;
      }
      RatingTable ratings = new RatingTable(new int[count], new int[count], new float[count]);
      int at = 0;
      for (int user = 0; user < users; user++) {
        for (int item : itemsOf(user, split)) {
          ratings.users()[at] = user;
          ratings.items()[at] = item;
          ratings.stars()[at++] = stars(user, item);
        }
      }
      return ratings;
    }

    /** What a user rated in a split: each pair has a lot of its own. */
    private int[] itemsOf(int user, Split split) {
      long key = CounterRandom.bits(WORLD, user);
      return IntStream.range(0, items)
          .filter(item -> splitOf(CounterRandom.below(LOTS, key, item)) == split)
          .toArray();
    }

    /**
     * Two lots in a hundred each for test and validation, sixteen to train on, the rest unrated.
     */
    private static @Nullable Split splitOf(int lot) {
      return switch (lot) {
        case 0, 1 -> Split.TEST;
        case 2, 3 -> Split.VALIDATION;
        default -> lot < RATED_LOTS ? Split.TRAIN : null;
      };
    }

    private float stars(int user, int item) {
      double[] p = ofUsers[user];
      double[] q = ofItems[item];
      int tastes = p.length - 1;
      long key = CounterRandom.bits(WORLD + 3, (long) user * items + item);
      double sum = 3 + p[tastes] + q[tastes] + NOISE_DEVIATION * CounterRandom.normal(key, 0);
      for (int taste = 0; taste < tastes; taste++) {
        sum += p[taste] * q[taste];
      }
      return Math.max(1, Math.min(5, Math.round(sum)));
    }
  }

  @Override
  public int users() {
    return users;
  }

  @Override
  public int items() {
    return items;
  }

  /** The ratings of a split. */
  RatingTable table(Split split) {
    return ratings.get(split);
  }

  @Override
  public MadeRatings withSeed(long seed) {
    return new MadeRatings(users, items, seed, ratings);
  }

  /** {@inheritDoc} Each rating comes once before any comes again, in another order each time. */
  @Override
  public BatchSource training(int size) {
    RatingTable all = ratings.get(Split.TRAIN);
    if (size < 1 || size > all.stars().length) {
      throw new IllegalArgumentException(
          "batch is %d, expected 1 to %d, the number of ratings"
              .formatted(size, all.stars().length));
    }
    return step -> {
      int[] chosen = Rounds.indices(all.stars().length, seed, step * size, size);
      return () -> batch(all, chosen);
    };
  }

  @Override
  public int size(Split split) {
    return ratings.get(split).stars().length;
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    int[] chosen = new int[count];
    Arrays.setAll(chosen, i -> first + i);
    return batch(ratings.get(split), chosen);
  }

  private static Batch batch(RatingTable from, int[] chosen) {
    long[] users = new long[chosen.length];
    long[] items = new long[chosen.length];
    float[] stars = new float[chosen.length];
    for (int i = 0; i < chosen.length; i++) {
      users[i] = from.users()[chosen[i]];
      items[i] = from.items()[chosen[i]];
      stars[i] = from.stars()[chosen[i]];
    }
    return new Batch(
        Map.of(USERS, Tensor.create(users), ITEMS, Tensor.create(items)),
        Map.of(RATINGS, Tensor.create(stars)));
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.empty();
  }
}
