package org.structkd.verify;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongToDoubleFunction;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the parameters of a module hold, as golden files say it in a text: a formula of the index i
 * within the parameter and its place k in the list, and exceptions. Words between them are for
 * people.
 *
 * <pre>
 * A*sin(B*i+C*k)
 * amp*(2*(((i*1103515245+12345+7919*k) mod 2^31)/2^31)-1)      amp=A except NAME amp=A'
 * BN weight=W bias=V      NAME=V      *_u,*_v then L2-normalised
 * </pre>
 */
final class GoldenFill {
  private static final String NUMBER = "(-?\\d+(?:\\.\\d+)?(?:[eE]-?\\d+)?)";
  private static final Pattern SINE =
      Pattern.compile("#\\*sin\\(#\\*i\\+#\\*k\\)".replace("#", NUMBER));

  /** The congruential generator of C's standard, begun elsewhere for each parameter. */
  private static final Pattern CONGRUENTIAL =
      Pattern.compile(
          "amp\\*\\(2\\*\\(\\(\\(i\\*(\\d{1,10})\\+(\\d{1,9})\\+(\\d{1,9})\\*k\\) mod 2\\^31\\)/2\\^31\\)-1\\)");

  private static final Pattern AMPLITUDE = Pattern.compile("(?:except (\\S+) )?amp=" + NUMBER);
  private static final Pattern NORM =
      Pattern.compile("BN weight=#[, ]\\s*bias=#".replace("#", NUMBER));
  private static final Pattern UNIT = Pattern.compile("((?:\\*\\w+,?)+) then L2-normalised");
  private static final Pattern CONSTANT = Pattern.compile("\\b([\\w.]+)=" + NUMBER);
  private static final Pattern NOT_READ = Pattern.compile("\\*|=\\s*[-\\d]");

  private static final long MODULUS = 1L << 31;

  /** A value for the parameters whose name in the file ends with a word. */
  private record Constant(String ending, double value) {}

  private interface Formula {
    LongToDoubleFunction of(String given, long place);
  }

  private String rest;
  private final Formula formula;
  private final List<Constant> amplitudes = new ArrayList<>();
  private final List<Constant> norms = new ArrayList<>();
  private final List<Constant> constants = new ArrayList<>();
  private final List<String> units = new ArrayList<>();

  private GoldenFill(String text) {
    rest = text;
    List<MatchResult> sines = taken(SINE);
    List<MatchResult> congruences = taken(CONGRUENTIAL);
    for (MatchResult norm : taken(NORM)) {
      norms.add(new Constant("scale", number(norm, 1)));
      norms.add(new Constant("shift", number(norm, 2)));
    }
    for (MatchResult unit : taken(UNIT)) {
      Arrays.stream(unit.group(1).split(",")).forEach(word -> units.add(word.substring(1)));
    }
    for (MatchResult amplitude : taken(AMPLITUDE)) {
      String name = amplitude.group(1);
      amplitudes.add(new Constant(name == null ? "" : name, number(amplitude, 2)));
    }
    for (MatchResult constant : taken(CONSTANT)) {
      constants.add(new Constant(constant.group(1), number(constant, 2)));
    }
    if (sines.size() + congruences.size() != 1
        || congruences.isEmpty() != amplitudes.isEmpty()
        || NOT_READ.matcher(rest).find()) {
      throw new CaseFailureException(
          "param_fill is \"" + text + "\", of which is not understood: \"" + rest.strip() + "\"");
    }
    formula = congruences.isEmpty() ? sine(sines.get(0)) : congruential(congruences.get(0));
  }

  /**
   * Reads a text.
   *
   * @throws CaseFailureException if there is not one formula, or numbers that are none of the above
   */
  static GoldenFill of(String text) {
    return new GoldenFill(text);
  }

  /** Takes all that fits a pattern out of what is not read yet. */
  private List<MatchResult> taken(Pattern pattern) {
    Matcher matcher = pattern.matcher(rest);
    List<MatchResult> found = matcher.results().toList();
    rest = matcher.replaceAll(" ");
    return found;
  }

  private static double number(MatchResult match, int group) {
    return Double.parseDouble(match.group(group));
  }

  private static Formula sine(MatchResult sine) {
    double amplitude = number(sine, 1);
    return (given, place) ->
        i -> amplitude * Math.sin(number(sine, 2) * i + number(sine, 3) * place);
  }

  private Formula congruential(MatchResult generator) {
    long factor = Long.parseLong(generator.group(1));
    long begin = Long.parseLong(generator.group(2));
    long perPlace = Long.parseLong(generator.group(3));
    return (given, place) -> {
      double amplitude = last(amplitudes, given, Double.NaN);
      return i -> {
        long state = Math.floorMod(i * factor + begin + perPlace * place, MODULUS);
        return amplitude * (2 * (state / (double) MODULUS) - 1);
      };
    };
  }

  /** The value of the last that fits a name: exceptions stand behind the rule. */
  private static double last(List<Constant> all, String name, double otherwise) {
    double value = otherwise;
    for (Constant one : all) {
      value = name.endsWith(one.ending) ? one.value : value;
    }
    return value;
  }

  /**
   * The values of one parameter in row-major order.
   *
   * @param given its name in the file
   * @param name its name here, by which those of normalisations are known: scale and shift
   * @param place its place in the list, from 0
   * @param elements how many
   */
  double[] values(String given, String name, long place, long elements) {
    double[] values = new double[Math.toIntExact(elements)];
    double constant = last(norms, name, last(constants, given, Double.NaN));
    if (Double.isNaN(constant)) {
      Arrays.setAll(values, formula.of(given, place)::applyAsDouble);
    } else {
      Arrays.fill(values, constant);
    }
    return values;
  }

  /** {@return whether the parameter is scaled to the length 1} */
  boolean normalizes(String given) {
    return units.stream().anyMatch(given::endsWith);
  }
}
