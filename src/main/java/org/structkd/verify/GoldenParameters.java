package org.structkd.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.bytedeco.pytorch.Module;
import org.bytedeco.pytorch.NoGradGuard;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.StringTensorDict;
import org.bytedeco.pytorch.StringTensorDictItem;
import org.bytedeco.pytorch.Tensor;
import org.structkd.internal.Words;

/**
 * Parameters and buffers of what a loss trains or keeps: {@code params.param_order} lists names and
 * shapes, {@code params.param_fill} says in a text what each of them holds.
 *
 * @param golden the case
 * @param entries in the order of the file, by the names that they have here
 * @param fill what they hold
 */
record GoldenParameters(GoldenCase golden, List<Entry> entries, GoldenFill fill) {
  private static final String ORDER = "param_order";
  private static final String FILL = "param_fill";

  /** Names of published modules and what they are called here. */
  private static final Map<Pattern, String> WORDS =
      Map.ofEntries(
          word("l(\\d)\\.0\\.module\\.weight_bar", "block$1.weight"),
          word("l(\\d)\\.0\\.module\\.weight_([uv])", "block$1_$2"),
          word("l(\\d)\\.0\\.module\\.bias", "block$1.bias"),
          word("last\\.0\\.(weight|bias)", "last.$1"),
          word("attn1\\.gamma", "attention3_gamma"),
          word("attn2\\.gamma", "attention4_gamma"),
          word("attn1\\.(query|key|value)_conv\\.(weight|bias)", "attention3_$1.$2"),
          word("attn2\\.(query|key|value)_conv\\.(weight|bias)", "attention4_$1.$2"),
          word("preprocess_additional\\.weight", "scale"),
          word("preprocess_additional\\.bias", "shift"),
          word("attention\\.p_t", "query_positions"),
          word("attention\\.p_s", "key_positions"),
          word("attention\\.\\w+\\.(query|key)_layer\\.(\\d)\\.linear\\.(\\w+)", "$1$2_$3"),
          word("attention\\.\\w+\\.(query|key)_layer\\.(\\d)\\.bn\\.weight", "$1$2_scale"),
          word("attention\\.\\w+\\.(query|key)_layer\\.(\\d)\\.bn\\.bias", "$1$2_shift"),
          word("attention\\.\\w+\\.bilinear\\.linear\\.(\\w+)", "bilinear_$1"),
          word("attention\\.\\w+\\.bilinear\\.bn\\.weight", "bilinear_scale"),
          word("attention\\.\\w+\\.bilinear\\.bn\\.bias", "bilinear_shift"));

  /**
   * A parameter or buffer.
   *
   * @param given its name in the file
   * @param name its name here
   * @param shape of the file
   */
  record Entry(String given, String name, long[] shape) {}

  private static Map.Entry<Pattern, String> word(String published, String here) {
    return Map.entry(Pattern.compile(published), here);
  }

  /** {@return whether a case has any} */
  static boolean in(GoldenCase golden) {
    return golden.json().has("params") && golden.json().get("params").has(ORDER);
  }

  /**
   * Reads those of a case.
   *
   * @throws CaseFailureException if the text of their values is not understood
   */
  static GoldenParameters of(GoldenCase golden) {
    GoldenValue params = golden.json().get("params");
    List<Entry> entries = new ArrayList<>();
    for (GoldenValue pair : params.get(ORDER).list()) {
      if (pair.list().size() != 2) {
        throw pair.bad("is " + pair.shortened() + ", expected [name, shape]");
      }
      String given = pair.list().get(0).text();
      entries.add(new Entry(given, here(given), GoldenTensor.shapeOf(pair.list().get(1))));
    }
    return new GoldenParameters(golden, entries, GoldenFill.of(params.get(FILL).text()));
  }

  private static String here(String published) {
    for (Map.Entry<Pattern, String> word : WORDS.entrySet()) {
      Matcher match = word.getKey().matcher(published);
      if (match.matches()) {
        return match.replaceFirst(word.getValue());
      }
    }
    return published;
  }

  /**
   * Puts the values into a module.
   *
   * @throws CaseFailureException if the case has another parameter or shape than the module, or
   *     lacks one
   */
  void putInto(Module module) {
    Map<String, Tensor> all = new HashMap<>();
    collect(module.named_parameters(), all);
    Set<String> missing = new TreeSet<>(all.keySet());
    collect(module.named_buffers(), all);
    try (NoGradGuard constants = new NoGradGuard()) {
      for (int k = 0; k < entries.size(); k++) {
        Entry entry = entries.get(k);
        Tensor tensor = all.get(entry.name);
        if (tensor == null) {
          throw new CaseFailureException(
              "the loss has no parameter \"%s\", it has: %s"
                  .formatted(entry.given, Words.listNearest(entry.name, all.keySet())));
        }
        if (!Arrays.equals(tensor.shape(), entry.shape)) {
          throw new CaseFailureException(
              "parameter \""
                  + entry.given
                  + "\" has shape "
                  + Arrays.toString(entry.shape)
                  + ", expected "
                  + Arrays.toString(tensor.shape()));
        }
        tensor.copy_(value(entry, k));
        missing.remove(entry.name);
      }
    }
    if (!missing.isEmpty()) {
      throw new CaseFailureException(ORDER + " lacks " + Words.list(missing));
    }
  }

  private static void collect(StringTensorDict dict, Map<String, Tensor> all) {
    for (long i = 0; i < dict.size(); i++) {
      StringTensorDictItem item = dict.get(i);
      all.put(item.key().getString(), item.value());
    }
  }

  private Tensor value(Entry entry, int place) {
    Tensor value =
        Tensor.create(
            fill.values(entry.given, entry.name, place, GoldenTensor.elements(entry.shape)),
            entry.shape);
    return fill.normalizes(entry.given) ? value.div(value.norm(new Scalar(2))) : value;
  }
}
