package org.structkd.recipe;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Where in a recipe the value was written that a loaded recipe fails by. What networks and losses
 * say when they are tried names terms and parts of a training, not lines.
 */
final class TrialError {
  private static final String TERM = "losses";
  private static final String STAGES = "stages";
  private static final String DATA = "data";
  private static final Pattern KEY = Pattern.compile("^(\\w+) is ");

  /** What sentences begin with, and the path of what they are about. */
  private static final Map<Pattern, List<String>> SUBJECTS = new LinkedHashMap<>();

  static {
    SUBJECTS.put(Pattern.compile("term \"(.+?)\".* tap .*"), List.of(TERM, "$1", TermBinding.ON));
    SUBJECTS.put(Pattern.compile("term \"(.+?)\".*"), List.of(TERM, "$1"));
    SUBJECTS.put(
        Pattern.compile("there is an optimizer for term \"(.+?)\".*"),
        List.of(TERM, "$1", TermBinding.OPTIMIZER));
    SUBJECTS.put(Pattern.compile("losses\\.(\\S+) .*"), List.of(TERM, "$1"));
    SUBJECTS.put(Pattern.compile("rate factor of \"(.+?)\".*"), List.of("rate_factors", "$1"));
    SUBJECTS.put(Pattern.compile("(evaluation|\\w+ metric): .*"), List.of("metric"));
    SUBJECTS.put(
        Pattern.compile("the (teacher's|(teacher|batch) has no input) .*"), List.of("teacher"));
    SUBJECTS.put(Pattern.compile("teacher \"(.+?)\": .*"), List.of("teachers", "$1"));
    SUBJECTS.put(Pattern.compile("(pruning|quantization): .*"), List.of("train", "$1"));
    SUBJECTS.put(Pattern.compile("(data|student|teacher|train|metric)\\b.*"), List.of("$1"));
  }

  private TrialError() {}

  /**
   * The error with its place, if the sentence tells what it is about.
   *
   * @param training which failed, by name
   */
  static RecipeException placed(RecipeTree tree, String training, RecipeException e) {
    String sentence = e.getMessage().substring(e.place().length() + 2);
    String firstLine = sentence.lines().findFirst().orElse("");
    for (Map.Entry<Pattern, List<String>> subject : SUBJECTS.entrySet()) {
      Matcher matcher = subject.getKey().matcher(firstLine);
      if (matcher.matches()) {
        List<String> path =
            subject.getValue().stream()
                .map(key -> key.equals("$1") ? matcher.group(1) : key)
                .toList();
        return new RecipeException(place(tree, training, path), sentence, e);
      }
    }
    return ofData(tree, training, sentence, e);
  }

  /** What data say begins with a key of theirs: {@code batch is 500, expected ...}. */
  private static RecipeException ofData(
      RecipeTree tree, String training, String sentence, RecipeException e) {
    Matcher subject = KEY.matcher(sentence);
    List<String> path = subject.find() ? List.of(DATA, subject.group(1)) : List.of();
    return path.isEmpty() || tree.at(path).isMissingNode()
        ? e
        : new RecipeException(place(tree, training, path), sentence, e);
  }

  /** Where a stage says it itself, or else where the recipe does. */
  private static String place(RecipeTree tree, String training, List<String> path) {
    for (int stage = 0; stage < tree.at(List.of(STAGES)).size(); stage++) {
      List<String> own = new ArrayList<>(List.of(STAGES, Integer.toString(stage)));
      boolean isIt = tree.at(own).path("name").asText().equals(training);
      own.addAll(path);
      if (isIt && tree.isWritten(own)) {
        return tree.place(own);
      }
    }
    return tree.place(path);
  }
}
