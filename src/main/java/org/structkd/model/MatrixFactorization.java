package org.structkd.model;

import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.ModuleDictImpl;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import org.structkd.data.DataFileException;
import org.structkd.internal.Layers;
import org.structkd.internal.TensorArguments;

/**
 * Predicts ratings by a product of factors.
 *
 * <pre>{@code
 * users, items i64 [B] -> p_u, q_i of their rows
 *   tap "rating"          [B]        mean + b_u + b_i + <p_u, q_i>
 *   tap "user_embedding"  [B, rank]  p_u
 *   tap "item_embedding"  [B, rank]  q_i
 * users i64 [B], items i64 [B, n], several of each user: rating [B, n], item_embedding [B n, rank],
 *   tap "scores"                 [B, all items]  b_u + b_i + <p_u, q_i>, what a user likes most first
 *   tap "unique_user_embedding"  [U, rank]       p_u of the different users of the batch, ascending
 *   tap "unique_item_embedding"  [I, rank]       q_i of its different items
 *   tap "unique_embedding"       [U + I, rank]   both, users first
 * }</pre>
 *
 * <p>It owns its parameters until it is closed or collected. For one thread at a time.
 *
 * <p>Source: Y. Koren, R. Bell, C. Volinsky, "Matrix Factorization Techniques for Recommender
 * Systems", IEEE Computer 2009.
 */
public final class MatrixFactorization
    extends BuiltNetwork<MatrixFactorization.Config, MatrixFactorization.Factors> {
  /** Input: index of each rating's user. */
  public static final String USERS = "users";

  /** Input: index of each rating's item. */
  public static final String ITEMS = "items";

  /** Tap: predicted stars. */
  public static final String RATING = "rating";

  /** Tap: the factors of the users. */
  public static final String USER_EMBEDDING = "user_embedding";

  /** Tap: the factors of the items. */
  public static final String ITEM_EMBEDDING = "item_embedding";

  /** Tap, where items are [B, n]: scores of all items, without the mean, for each user. */
  public static final String SCORES = "scores";

  /** Tap, where items are [B, n]: the factors of the batch's users, each once. */
  public static final String UNIQUE_USER_EMBEDDING = "unique_user_embedding";

  /** Tap, where items are [B, n]: the factors of the batch's items, each once. */
  public static final String UNIQUE_ITEM_EMBEDDING = "unique_item_embedding";

  /** Tap, where items are [B, n]: the factors of its users and behind them of its items. */
  public static final String UNIQUE_EMBEDDING = "unique_embedding";

  /** The kind of network as files name it. */
  public static final String KIND = "matrix factorization";

  private static final int MAX_SIZE = 1 << 24;

  /** Deviation of the initial factors: products begin near 0, and yet have a gradient. */
  private static final double INITIAL_DEVIATION = 0.1;

  /** Middle of one to five stars: where predictions begin. */
  private static final double INITIAL_MEAN = 3;

  /**
   * The shape of a network.
   *
   * @param users rows of users, 1 or more
   * @param items rows of items, 1 or more
   * @param rank factors, 1 or more
   */
  public record Config(int users, int items, int rank) {
    /** Checks the numbers. */
    public Config {
      for (int size : new int[] {users, items, rank}) {
        if (size < 1 || size > MAX_SIZE) {
          throw new IllegalArgumentException(
              "a matrix factorization needs users, items and rank from 1 to %d but has %d, %d and %d"
                  .formatted(MAX_SIZE, users, items, rank));
        }
      }
    }
  }

  /** The parameters. */
  static final class Factors implements BuiltNetwork.Layout {
    private final Module module = new ModuleDictImpl();
    private final Tensor users;
    private final Tensor items;
    private final Tensor userBias;
    private final Tensor itemBias;
    private final Tensor mean;

    Factors(Config config) {
      users = Layers.parameter(module, "users", normal(config.users, config.rank));
      items = Layers.parameter(module, "items", normal(config.items, config.rank));
      userBias = Layers.parameter(module, "user_bias", torch.zeros(config.users));
      itemBias = Layers.parameter(module, "item_bias", torch.zeros(config.items));
      mean = Layers.parameter(module, "mean", torch.full(new long[] {1}, new Scalar(INITIAL_MEAN)));
    }

    private static Tensor normal(long rows, long columns) {
      return torch.randn(rows, columns).mul(new Scalar(INITIAL_DEVIATION));
    }

    @Override
    public Module module() {
      return module;
    }

    @Override
    public Map<String, Tensor> forward(Map<String, Tensor> inputs) {
      Tensor userIndex = inputs.get(USERS);
      Tensor itemIndex = inputs.get(ITEMS);
      return itemIndex.dim() == 1
          ? forwardPairs(userIndex, itemIndex)
          : forwardLists(userIndex, itemIndex);
    }

    /** Of an item for each user, [B]. */
    private Map<String, Tensor> forwardPairs(Tensor userIndex, Tensor itemIndex) {
      Tensor p = users.index_select(0, userIndex);
      Tensor q = items.index_select(0, itemIndex);
      Tensor rating =
          p.mul(q)
              .sum(1)
              .add(userBias.index_select(0, userIndex))
              .add(itemBias.index_select(0, itemIndex))
              .add(mean);
      return Map.of(RATING, rating, USER_EMBEDDING, p, ITEM_EMBEDDING, q);
    }

    /** Of lists of items, [B, n]. */
    private Map<String, Tensor> forwardLists(Tensor userIndex, Tensor itemIndex) {
      Tensor flat = itemIndex.reshape(-1);
      Tensor p = users.index_select(0, userIndex);
      Tensor q = items.index_select(0, flat);
      Tensor ofUser = userBias.index_select(0, userIndex).unsqueeze(1);
      // As another tensor has it, not by numbers: a trace would keep those of this batch.
      Tensor ofItem = q.view_as(itemIndex.unsqueeze(2).expand(-1, -1, p.size(1)));
      Tensor products = ofItem.mul(p.unsqueeze(1)).sum(2);
      Tensor rating =
          products.add(ofUser).add(itemBias.index_select(0, flat).view_as(itemIndex)).add(mean);
      Tensor uniqueUsers = users.index_select(0, unique(userIndex));
      Tensor uniqueItems = items.index_select(0, unique(flat));
      return Map.of(
          RATING, rating,
          USER_EMBEDDING, p,
          ITEM_EMBEDDING, q,
          SCORES, p.mm(items.t()).add(ofUser).add(itemBias),
          UNIQUE_USER_EMBEDDING, uniqueUsers,
          UNIQUE_ITEM_EMBEDDING, uniqueItems,
          UNIQUE_EMBEDDING, torch.cat(new TensorVector(uniqueUsers, uniqueItems), 0));
    }

    private static Tensor unique(Tensor indices) {
      return torch.unique_consecutive(indices.sort().get0()).get0();
    }
  }

  /**
   * A network with random factors.
   *
   * @param config its shape
   * @param seed of the factors: equal seeds and shapes give equal ones. LibTorch's generator is
   *     left as it was
   */
  public MatrixFactorization(Config config, long seed) {
    super(KIND, config, () -> new Factors(config), seed);
  }

  /**
   * A network out of a file that {@link #toFile} made.
   *
   * @param file the file
   * @return the network, in evaluation mode
   * @throws DataFileException if the file holds another kind of network
   * @throws IOException if it cannot be read
   */
  public static MatrixFactorization of(TensorFile file) throws IOException {
    return NetworkFile.read(file, KIND, Config.class, config -> new MatrixFactorization(config, 0));
  }

  @Override
  public Set<String> taps() {
    return Set.of(
        RATING,
        USER_EMBEDDING,
        ITEM_EMBEDDING,
        SCORES,
        UNIQUE_USER_EMBEDDING,
        UNIQUE_ITEM_EMBEDDING,
        UNIQUE_EMBEDDING);
  }

  /** {@inheritDoc} Items may be [B] as well, of one for each user. */
  @Override
  public List<NetworkInput> reads() {
    NetworkInput.Axis examples = NetworkInput.Axis.any("B", 1);
    return List.of(
        new NetworkInput(USERS, List.of(examples), config().users()),
        new NetworkInput(
            ITEMS, List.of(examples, NetworkInput.Axis.any("n", 1)), config().items()));
  }

  /**
   * {@inheritDoc}
   *
   * @throws IllegalArgumentException also if an index has no row: this is checked on the CPU only
   */
  @Override
  void require(Map<String, Tensor> inputs) {
    Tensor users = requireIndices(USERS, inputs.get(USERS), config().users(), 1);
    Tensor items = requireIndices(ITEMS, inputs.get(ITEMS), config().items(), 2);
    if (users.size(0) != items.size(0)) {
      throw new IllegalArgumentException(
          "%s: users and items are %s and %s, expected [B], and [B] or [B, n]"
              .formatted(KIND, Arrays.toString(users.shape()), Arrays.toString(items.shape())));
    }
  }

  private static Tensor requireIndices(String name, Tensor indices, int rows, int mostRank) {
    TensorArguments.requireOpen(KIND, name, indices);
    if (indices.dim() < 1
        || indices.dim() > mostRank
        || indices.scalar_type().intern() != ScalarType.Long) {
      throw new IllegalArgumentException(
          "%s: %s is %s of rank %s, expected indices i64 [B]%s"
              .formatted(
                  KIND,
                  TensorArguments.describe(name, indices),
                  indices.scalar_type().intern(),
                  indices.dim(),
                  mostRank == 1 ? "" : " or [B, n]"));
    }
    if (indices.is_cpu() && indices.numel() > 0) {
      long least = indices.min().item_long();
      long most = indices.max().item_long();
      if (least < 0 || most >= rows) {
        throw new IllegalArgumentException(
            "%s: %s has index %s, expected 0 to %s: the network was made for other data"
                .formatted(KIND, name, least < 0 ? least : most, rows - 1));
      }
    }
    return indices;
  }
}
