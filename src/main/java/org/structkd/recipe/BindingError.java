package org.structkd.recipe;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.MismatchedInputException;
import com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.structkd.internal.Words;

/**
 * Why values cannot become a record, in one sentence: which value, what was given, what would do.
 */
final class BindingError {
  private BindingError() {}

  /** The error with its place. */
  static RecipeException explained(RecipeTree tree, JsonProcessingException e) {
    List<String> path = new ArrayList<>();
    if (e instanceof JsonMappingException mapping) {
      for (JsonMappingException.Reference step : mapping.getPath()) {
        path.add(
            step.getFieldName() != null ? step.getFieldName() : Integer.toString(step.getIndex()));
      }
    }
    String sentence;
    if (e instanceof UnrecognizedPropertyException unknown) {
      sentence = "is given, expected " + oneOf(unknown.getPropertyName(), known(unknown));
    } else if (e instanceof InvalidTypeIdException kind) {
      Class<?> choice = kind.getBaseType().getRawClass();
      if (!tree.at(path).isObject()) {
        return explained(tree, path, given(tree, path) + expected(tree.at(path), choice), e);
      }
      path.add(RecipeBinding.KIND);
      sentence = given(tree, path) + oneOf(kind.getTypeId(), RecordIntrospector.kinds(choice));
    } else if (e instanceof MismatchedInputException mismatch && mismatch.getTargetType() != null) {
      sentence = given(tree, path) + expected(tree.at(path), mismatch.getTargetType());
      if (isMissingLoss(tree, path)) {
        sentence += otherTerms(tree, path);
      }
    } else {
      sentence = reason(e);
      blamed(tree, path, sentence).ifPresent(path::add);
    }
    return explained(tree, path, sentence, e);
  }

  private static boolean isMissingLoss(RecipeTree tree, List<String> path) {
    int last = path.size() - 1;
    return last >= 2
        && path.get(last).equals(TermBinding.LOSS)
        && path.get(last - 2).equals("losses")
        && tree.at(path).isMissingNode();
  }

  /** A value set for a term that is not there is more often misspelt than a new term. */
  private static String otherTerms(RecipeTree tree, List<String> path) {
    String term = path.get(path.size() - 2);
    List<String> others = new ArrayList<>();
    tree.at(path.subList(0, path.size() - 2)).fieldNames().forEachRemaining(others::add);
    others.remove(term);
    return others.isEmpty() ? "" : "; other terms are " + Words.listNearest(term, others);
  }

  private static RecipeException explained(
      RecipeTree tree, List<String> path, String sentence, JsonProcessingException e) {
    // "batch is 0" is a sentence of its own, "is 0" one about the value
    String subject = sentence.startsWith("is ") ? " " : path.isEmpty() ? "" : ": ";
    return new RecipeException(tree.place(path), RecipeTree.join(path) + subject + sentence, e);
  }

  /** What a record, or whoever found the error, said of it. */
  private static String reason(JsonProcessingException e) {
    Throwable root = e;
    while (root.getCause() != null && !(root instanceof IllegalArgumentException)) {
      root = root.getCause();
    }
    String reason =
        root instanceof JsonProcessingException json
            ? json.getOriginalMessage()
            : root.getMessage();
    return String.valueOf(reason).lines().findFirst().orElse("");
  }

  /**
   * The value that a record's sentence is about: of its keys that the sentence names one that an
   * option gives, the longest.
   */
  private static Optional<String> blamed(RecipeTree tree, List<String> path, String sentence) {
    String withoutSubject = sentence.substring(sentence.indexOf(": ") + 1); // "pair-wise loss: "
    List<String> words = List.of(RecipeBinding.key(withoutSubject).split("\\W+"));
    List<String> keys = new ArrayList<>();
    tree.at(path).fieldNames().forEachRemaining(keys::add);
    return keys.stream()
        .filter(words::contains)
        .max(
            Comparator.<String, Boolean>comparing(key -> tree.isOption(path, key))
                .thenComparing(String::length));
  }

  private static String given(RecipeTree tree, List<String> path) {
    JsonNode value = tree.at(path);
    return (value.isMissingNode() ? "is missing" : "is " + RecipeTree.shown(value)) + ", expected ";
  }

  private static List<String> known(UnrecognizedPropertyException unknown) {
    return unknown.getKnownPropertyIds().stream().map(String::valueOf).toList();
  }

  private static String expected(JsonNode given, Class<?> type) {
    if (type.isEnum()) {
      return oneOf(given.asText(), RecordIntrospector.constants(type));
    }
    if (type.isSealed()) {
      return (type == WeightSettings.class ? "a number or " : "")
          + "a map with the kind "
          + String.join(", ", RecordIntrospector.kinds(type));
    }
    if (type.isRecord()) {
      return "a map of "
          + Words.list(type == TermSettings.class ? TermBinding.KEYS : RecipeBinding.keys(type));
    }
    return TYPES.entrySet().stream()
        .filter(entry -> entry.getKey().isAssignableFrom(type))
        .map(Map.Entry::getValue)
        .findFirst()
        .orElse("a value of the type " + type.getSimpleName());
  }

  /** What a value of a type is called. */
  private static final Map<Class<?>, String> TYPES =
      Map.ofEntries(
          Map.entry(int.class, "a whole number"),
          Map.entry(long.class, "a whole number"),
          Map.entry(Integer.class, "a whole number"),
          Map.entry(Long.class, "a whole number"),
          Map.entry(double.class, "a number"),
          Map.entry(Double.class, "a number"),
          Map.entry(boolean.class, "true or false"),
          Map.entry(Boolean.class, "true or false"),
          Map.entry(String.class, "a text"),
          Map.entry(Path.class, "a path"),
          Map.entry(Map.class, "a map"),
          Map.entry(Collection.class, "a list"));

  private static String oneOf(String given, Collection<String> known) {
    return (known.size() == 1 ? "" : "one of ")
        + Words.listNearest(given == null ? "" : given, known);
  }
}
