package org.structkd.model;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * How the names of tensors in a file and in a module belong together: beginnings of names that
 * differ. The first rule whose beginning fits is used, what no rule fits keeps its name.
 *
 * <pre>{@code
 * NameMap names = NameMap.SAME.with("module.backbone.", "").with("module.classifier.", "head.");
 * }</pre>
 *
 * <p>Immutable, may be shared.
 *
 * @param rules in the order in which they are tried
 */
public record NameMap(List<Rule> rules) {
  /** Names that are equal. */
  public static final NameMap SAME = new NameMap(List.of());

  /**
   * Names that begin differently.
   *
   * @param file beginning in the file; empty fits every name
   * @param module beginning in the module; empty fits every name
   */
  public record Rule(String file, String module) {}

  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if two rules have the same beginning on one side: the second
   *     would never be used
   */
  public NameMap {
    rules = List.copyOf(rules);
    Set<String> files = new LinkedHashSet<>();
    Set<String> modules = new LinkedHashSet<>();
    for (Rule rule : rules) {
      if (!files.add(rule.file) || !modules.add(rule.module)) {
        throw new IllegalArgumentException(
            "name map: two rules have the beginning \""
                + (files.size() > modules.size() ? rule.module : rule.file)
                + "\", so the second would never be used");
      }
    }
  }

  /**
   * {@return this map with one more rule, tried after the others}
   *
   * @param file beginning of names in the file
   * @param module what it is in the module
   */
  public NameMap with(String file, String module) {
    List<Rule> more = new ArrayList<>(rules);
    more.add(new Rule(file, module));
    return new NameMap(more);
  }

  /** {@return the name in the module of a tensor in the file} */
  String inModule(String name) {
    for (Rule rule : rules) {
      if (name.startsWith(rule.file)) {
        return rule.module + name.substring(rule.file.length());
      }
    }
    return name;
  }

  /** {@return the name in the file of a tensor in the module} */
  String inFile(String name) {
    for (Rule rule : rules) {
      if (name.startsWith(rule.module)) {
        return rule.file + name.substring(rule.module.length());
      }
    }
    return name;
  }
}
