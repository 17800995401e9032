package org.structkd.data;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalInt;
import java.util.stream.IntStream;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.CounterRandom;

/**
 * Ratings by user: what recommenders learn that shall rank items, and are judged by.
 *
 * <pre>{@code
 * inputs   users    i64 [B]            different users
 *          items    i64 [B, n]         items of each
 * targets  ratings  f32 [B, n]         stars; NaN where the user has not rated the item
 *          rated    bool [B, items]    which of all items a user has rated in training
 * }</pre>
 *
 * <ul>
 *   <li><b>Training:</b> of each user, n is some items that the user rated, and some drawn from all
 *       others. All users come once before any comes again, but for those left over when no batch
 *       of different users remains; so do the ratings of a user, over its visits. A function of
 *       (seed, step).
 *   <li><b>Evaluation:</b> an example is a user who has ratings in the split; n are these, and
 *       behind them items without a rating up to the longest list.
 *   <li><b>Splits:</b> a tenth of each user's ratings, rounded, is for the test and as many for
 *       validation: those with the lowest lots, which a key, the user and the item decide. Made
 *       ratings keep the splits that they have.
 *   <li><b>Threads:</b> immutable, may be shared.
 * </ul>
 */
public final class RatedItems implements RatingData {
  /** Input: index of each example's user, i64 [B]. */
  public static final String USERS = MadeRatings.USERS;

  /** Input: indices of items of each user, i64 [B, n]. */
  public static final String ITEMS = MadeRatings.ITEMS;

  /** Target: stars that the user gave the item, f32 [B, n]; NaN where there are none. */
  public static final String RATINGS = MadeRatings.RATINGS;

  /** Target: whether a user has rated an item in training, bool [B, items]. */
  public static final String RATED = "rated";

  /** Key of the splits. */
  private static final long SPLITS = 20_160_101;

  /** Key of the unrated items, apart from those of the orders. */
  private static final long UNRATED = -1;

  /** Draws of an unrated item before those behind it are tried one by one. */
  private static final int TRIES = 32;

  private static final int SHARE = 10;

  private final int users;
  private final int items;
  private final Config config;
  private final long seed;
  private final Map<Split, List<Ratings>> ratings;

  /**
   * How many items of each user a training step takes.
   *
   * @param rated items that the user rated, 1 or more
   * @param unrated others, 0 or more
   */
  public record Config(int rated, int unrated) {
    /** Checks the numbers. */
    public Config {
      if (rated < 1) {
        throw new IllegalArgumentException("rated is " + rated + ", expected 1 or more");
      }
      if (unrated < 0) {
        throw new IllegalArgumentException("unrated is " + unrated + ", expected 0 or more");
      }
    }
  }

  /** What a user rated in a split, items ascending. */
  private record Ratings(int user, int[] items, float[] stars) {
    boolean has(int item) {
      return Arrays.binarySearch(items, item) >= 0;
    }
  }

  private RatedItems(
      int users, int items, Config config, long seed, Map<Split, List<Ratings>> ratings) {
    requireItems("rated", config.rated, items);
    requireItems("unrated", config.unrated, items);
    this.users = users;
    this.items = items;
    this.config = config;
    this.seed = seed;
    this.ratings = ratings;
  }

  private static void requireItems(String part, int value, int items) {
    if (value > items) {
      throw new IllegalArgumentException(
          "data: %s is %d, expected at most %d, the number of items".formatted(part, value, items));
    }
  }

  /**
   * Ratings of a source.
   *
   * @param source of the ratings
   * @param config items of each user in a training step
   * @return the examples
   * @throws IllegalArgumentException if there are fewer items than a step takes
   * @throws IOException if they are missing or cannot be read; says what fetches them
   */
  public static RatedItems of(RatingSource source, Config config) throws IOException {
    return source.load(config);
  }

  /**
   * Ratings of a text file: a line {@code user,item,rating} or {@code user,item,rating,timestamp},
   * and a rating on each line behind it. Users and items are any names without commas; of several
   * ratings of an item by a user the last line holds; times are not used.
   *
   * @param file the file
   * @param config items of each user in a training step
   * @return the examples
   * @throws IllegalArgumentException if there are fewer items than a step takes
   * @throws DataFileException if a line is no rating, or so few are there that none would be in a
   *     split; names file and line
   * @throws IOException if it cannot be read
   */
  public static RatedItems of(Path file, Config config) throws IOException {
    RatingsFile read = RatingsFile.read(file);
    Map<Split, List<Ratings>> split = split(byUser(read.table()));
    if (split.get(Split.TEST).isEmpty()) {
      throw new DataFileException(
          file.toString(),
          "a user with 5 ratings or more, of which one is for the test",
          "%d ratings by %d users".formatted(read.table().stars().length, read.users().size()));
    }
    return new RatedItems(read.users().size(), read.items().size(), config, 0, split);
  }

  /** Made ratings with the splits that they have. */
  static RatedItems of(MadeRatings made, Config config) {
    Map<Split, List<Ratings>> split = new EnumMap<>(Split.class);
    for (Split one : Split.values()) {
      split.put(one, byUser(made.table(one)));
    }
    return new RatedItems(made.users(), made.items(), config, 0, split);
  }

  private static List<Ratings> byUser(RatingTable table) {
    Integer[] order = new Integer[table.stars().length];
    Arrays.setAll(order, i -> i);
    Arrays.sort(
        order,
        Comparator.<Integer>comparingInt(i -> table.users()[i])
            .thenComparingInt(i -> table.items()[i]));
    List<Ratings> all = new ArrayList<>();
    for (int first = 0; first < order.length; ) {
      int user = table.users()[order[first]];
      int end = first;
      while (end < order.length && table.users()[order[end]] == user) {
        end++;
      }
      int[] chosen = Arrays.stream(order, first, end).mapToInt(Integer::intValue).toArray();
      all.add(of(user, table.items(), table.stars(), chosen));
      first = end;
    }
    return List.copyOf(all);
  }

  private static Ratings of(int user, int[] items, float[] stars, int[] chosen) {
    int[] own = new int[chosen.length];
    float[] given = new float[chosen.length];
    for (int i = 0; i < chosen.length; i++) {
      own[i] = items[chosen[i]];
      given[i] = stars[chosen[i]];
    }
    return new Ratings(user, own, given);
  }

  private static Map<Split, List<Ratings>> split(List<Ratings> all) {
    Map<Split, List<Ratings>> split = new EnumMap<>(Split.class);
    for (Split one : Split.values()) {
      split.put(one, all.stream().map(user -> part(user, one)).filter(Objects::nonNull).toList());
    }
    return split;
  }

  /** A user's ratings in a split; null where there are none. */
  private static Ratings part(Ratings user, Split split) {
    int count = user.items.length;
    int held = (count + SHARE / 2) / SHARE;
    long key = CounterRandom.bits(SPLITS, user.user);
    int[] byLot =
        IntStream.range(0, count)
            .boxed()
            .sorted(Comparator.comparingLong(i -> CounterRandom.bits(key, user.items[i])))
            .mapToInt(Integer::intValue)
            .toArray();
    int from = split == Split.TEST ? 0 : split == Split.VALIDATION ? held : 2 * held;
    int to = split == Split.TEST ? held : split == Split.VALIDATION ? 2 * held : count;
    int[] chosen = Arrays.copyOfRange(byLot, from, to);
    Arrays.sort(chosen);
    return chosen.length == 0 ? null : of(user.user, user.items, user.stars, chosen);
  }

  @Override
  public int users() {
    return users;
  }

  @Override
  public int items() {
    return items;
  }

  /**
   * {@return the most stars of a split, minus infinity where it has no rating}
   *
   * @param split which
   */
  public double highest(Split split) {
    double highest = Double.NEGATIVE_INFINITY;
    for (Ratings user : ratings.get(split)) {
      for (float stars : user.stars) {
        highest = Math.max(highest, stars);
      }
    }
    return highest;
  }

  @Override
  public RatedItems withSeed(long seed) {
    return new RatedItems(users, items, config, seed, ratings);
  }

  /**
   * {@inheritDoc}
   *
   * @param size users of a batch, at most those that there are
   */
  @Override
  public BatchSource training(int size) {
    List<Ratings> all = ratings.get(Split.TRAIN);
    if (size < 1 || size > all.size()) {
      throw new IllegalArgumentException(
          "batch is %d, expected 1 to %d, the number of users".formatted(size, all.size()));
    }
    long batches = all.size() / size;
    return step -> {
      long round = step / batches;
      int[] chosen =
          Rounds.indices(all.size(), seed, round * all.size() + step % batches * size, size);
      int[][] lists = new int[size][];
      float[][] stars = new float[size][];
      Ratings[] of = new Ratings[size];
      for (int i = 0; i < size; i++) {
        of[i] = all.get(chosen[i]);
        choose(of[i], round, lists, stars, i);
      }
      return prepared(of, lists, stars, config.rated + config.unrated);
    };
  }

  /** The items of a user at a visit. */
  private void choose(Ratings user, long round, int[][] lists, float[][] stars, int at) {
    int[] chosen = new int[config.rated + config.unrated];
    float[] given = new float[chosen.length];
    long key = CounterRandom.bits(seed, user.user);
    int[] rated = Rounds.indices(user.items.length, key, round * config.rated, config.rated);
    for (int i = 0; i < rated.length; i++) {
      chosen[i] = user.items[rated[i]];
      given[i] = user.stars[rated[i]];
    }
    long draws = CounterRandom.bits(CounterRandom.bits(key, UNRATED), round);
    for (int i = config.rated; i < chosen.length; i++) {
      chosen[i] = unrated(user, CounterRandom.bits(draws, i));
      given[i] = Float.NaN;
    }
    lists[at] = chosen;
    stars[at] = given;
  }

  /** An item that a user has not rated; who has rated all gets any. */
  private int unrated(Ratings user, long key) {
    int item = 0;
    for (int draw = 0; draw < TRIES; draw++) {
      item = CounterRandom.below(items, key, draw);
      if (!user.has(item)) {
        return item;
      }
    }
    for (int next = 1; next < items; next++) {
      int other = (item + next) % items;
      if (!user.has(other)) {
        return other;
      }
    }
    return item;
  }

  /** {@inheritDoc} Here the users who have ratings in it. */
  @Override
  public int size(Split split) {
    if (split == Split.TRAIN) {
      throw new IllegalArgumentException("split is train, expected validation or test");
    }
    return ratings.get(split).size();
  }

  @Override
  public Batch examples(Split split, int first, int count) {
    Objects.checkFromIndexSize(first, count, size(split));
    List<Ratings> some = ratings.get(split).subList(first, first + count);
    int longest = some.stream().mapToInt(user -> user.items.length).max().orElse(1);
    int[][] lists = some.stream().map(Ratings::items).toArray(int[][]::new);
    float[][] stars = some.stream().map(Ratings::stars).toArray(float[][]::new);
    return prepared(some.toArray(new Ratings[0]), lists, stars, longest).tensors();
  }

  /** Lists that are shorter end in item 0 without a rating. */
  private BatchSource.Prepared prepared(Ratings[] of, int[][] lists, float[][] stars, int longest) {
    int count = of.length;
    long[] user = new long[count];
    long[] item = new long[count * longest];
    float[] given = new float[count * longest];
    boolean[] rated = new boolean[Math.multiplyExact(count, items)];
    Arrays.fill(given, Float.NaN);
    for (int row = 0; row < count; row++) {
      user[row] = of[row].user;
      for (int i = 0; i < lists[row].length; i++) {
        item[row * longest + i] = lists[row][i];
        given[row * longest + i] = stars[row][i];
      }
      for (int known : trained(of[row].user)) {
        rated[row * items + known] = true;
      }
    }
    return () ->
        new Batch(
            Map.of(USERS, Tensor.create(user), ITEMS, Tensor.create(item, count, longest)),
            Map.of(
                RATINGS,
                Tensor.create(given, count, longest),
                RATED,
                Tensor.create(rated, count, items)));
  }

  /** What a user rated in training: users there stand in order, but some may be missing. */
  private int[] trained(int user) {
    List<Ratings> all = ratings.get(Split.TRAIN);
    int low = 0;
    int high = all.size() - 1;
    while (low <= high) {
      int middle = (low + high) >>> 1;
      int there = all.get(middle).user;
      if (there == user) {
        return all.get(middle).items;
      }
      low = there < user ? middle + 1 : low;
      high = there < user ? high : middle - 1;
    }
    return new int[0];
  }

  @Override
  public OptionalInt classes() {
    return OptionalInt.empty();
  }
}
