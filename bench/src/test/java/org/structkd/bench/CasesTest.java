package org.structkd.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.structkd.bench.cases.ListedLoss;
import org.structkd.bench.cases.ListedLoss.Case;
import org.structkd.bench.cases.ListedLoss.Group;
import org.structkd.bench.cases.ListedLoss.Target;
import org.structkd.loss.Losses;

/** bench/cases.json is well formed, and the only list of sizes. */
class CasesTest {
  private static final Pattern SIZE = Pattern.compile("\\d+x\\d+x\\d+x\\d+");
  private static final String MODE = "(-[a-z]\\w*)?";
  private static final Pattern NAME =
      Pattern.compile(
          SIZE + "(-channels-last)?(-teacher\\d+)?(-samples\\d+)?(-aligned)?(-whole)?" + MODE);
  private static final Pattern MAPS = Pattern.compile(SIZE + "(-aligned)?(-whole)?" + MODE);

  private static final Map<String, ListedLoss> LOSSES = ListedLoss.all();

  @Test
  void lossesAreThoseOfTheLibrary() throws IOException {
    StringBuilder headers = new StringBuilder();
    try (var files = Files.list(Path.of("../src/main/cpp/include/structkd"))) {
      for (Path header : files.toList()) {
        headers.append(Files.readString(header));
      }
    }
    List<String> known = Losses.all().stream().map(Losses.Entry::id).toList();
    LOSSES.forEach(
        (id, loss) -> {
          assertTrue(headers.indexOf("structkd_" + id + "(") > 0, "no function structkd_" + id);
          assertTrue(loss.cpu() == null || known.contains(id), id + " is not one of " + known);
          assertTrue(Set.of("features", "logits", "labels").contains(loss.inputs()), id);
          assertTrue(Set.of("pixels", "nodes", "classes", "samples").contains(loss.x()), id);
        });
  }

  @Test
  void eachCaseIsNamedBySizeAndIsMeasuredBySomebody() {
    Set<String> variants = Set.of("f32", "f64", "f16", "bf16", "fast");
    forEachGroup(
        (where, group) -> {
          Set<String> names = new HashSet<>();
          for (Case each : group.cases()) {
            String what = where + " " + each.name();
            Pattern known = each.kernelsOnly() ? NAME : MAPS;
            assertTrue(known.matcher(each.name()).matches(), what + " is not " + known);
            assertTrue(names.add(each.name()), what + " is listed twice");
            assertTrue(group.providers().containsAll(each.without()), what + ": without");
            assertTrue(variants.containsAll(each.variants()), what + ": variants");
          }
          assertTrue(group.providers().containsAll(group.alignedProviders()), where);
          assertTrue(group.cases().stream().anyMatch(Case::quick), where + ": nothing for --quick");
        });
  }

  @Test
  void eachCaseHasTargetsOrSaysWhyNot() {
    forEachGroup(
        (where, group) -> {
          boolean onCpu = where.endsWith("cpu");
          for (Case each : group.cases()) {
            String what = where + " " + each.name();
            assertEquals(each.targets().isEmpty(), each.noTarget() != null, what);
            assertEquals(onCpu && each.quick(), each.floor() > 0, what + ": floor of --gate");
            for (Target target : each.targets()) {
              List<String> subjects = onCpu ? group.providers() : each.variants();
              String subject = onCpu ? target.baseline() : target.variant();
              assertTrue(subject != null && subjects.contains(subject), what + ": " + subject);
              double asked = onCpu ? target.ms() : Math.max(target.h200Ms(), target.h100Ms());
              assertTrue(asked > 0, what + ": no time is asked");
            }
          }
        });
  }

  /** One name is an example of how to call a bench; two are a list. */
  @Test
  void noCaseIsListedElsewhere() throws IOException {
    Set<String> names = new HashSet<>();
    forEachGroup((where, group) -> group.cases().forEach(each -> names.add(each.name())));
    List<String> lists = new ArrayList<>();
    for (String folder : List.of("src/main", "cuda", "cpu", "python", "../tools")) {
      try (Stream<Path> files = Files.walk(Path.of(folder))) {
        for (Path file : files.filter(path -> isSource(path.toString())).toList()) {
          Set<String> found = new TreeSet<>();
          Matcher matcher = NAME.matcher(Files.readString(file));
          while (matcher.find()) {
            if (names.contains(matcher.group())) {
              found.add(matcher.group());
            }
          }
          if (found.size() > 1) {
            lists.add(file + " has " + found);
          }
        }
      }
    }
    assertEquals(List.of(), lists);
  }

  private static boolean isSource(String name) {
    return name.matches(".*\\.(java|cpp|cu|h|py|sh|cmake|txt|csv|json|properties)");
  }

  private static void forEachGroup(BiConsumer<String, Group> check) {
    LOSSES.forEach(
        (id, loss) -> {
          if (loss.cpu() != null) {
            check.accept(id + " cpu", loss.cpu());
          }
          check.accept(id + " gpu", loss.gpu());
        });
  }
}
