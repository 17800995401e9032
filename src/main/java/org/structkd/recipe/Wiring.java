package org.structkd.recipe;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.structkd.loss.Needs;

/**
 * The key {@code on} of a loss: which taps play its roles. A tap alone plays the first role, a list
 * of taps a role of several layers; {@code {ROLE: tap}} names roles; {@code {student: ..., teacher:
 * ...}} has one of these for each network, where they differ. A role that is not named is played by
 * the tap of its name.
 */
final class Wiring {
  private static final String STUDENT = "student";
  private static final String TEACHER = "teacher";

  private Wiring() {}

  /** Taps by role of one network; a missing node gives none. */
  private static Map<String, String> taps(JsonNode on, List<Needs.Role> roles) {
    Map<String, String> taps = new HashMap<>();
    if (on instanceof ObjectNode map) {
      map.properties().forEach(entry -> put(taps, entry.getKey(), entry.getValue()));
    } else if (!on.isMissingNode() && !roles.isEmpty()) {
      put(taps, roles.get(0).name(), on);
    }
    for (Needs.Role role : roles) { // a single tap is a list of one
      if (role.several() && taps.containsKey(role.name())) {
        taps.put(role.name() + ".0", taps.remove(role.name()));
      }
    }
    return taps;
  }

  private static void put(Map<String, String> taps, String role, JsonNode played) {
    if (played instanceof ArrayNode list && !list.isEmpty()) {
      for (int i = 0; i < list.size(); i++) {
        put(taps, role + "." + i, list.get(i));
      }
    } else if (played.isValueNode()) {
      taps.put(role, played.asText());
    } else {
      throw new IllegalArgumentException(
          "role %s is %s, expected a tap or a list of them"
              .formatted(role, RecipeTree.shown(played)));
    }
  }

  /** The student's taps by role. */
  static Map<String, String> student(JsonNode on, Needs needs) {
    return isByNetwork(on)
        ? taps(on.path(STUDENT), needs.student())
        : only(taps(on, needs.student()), needs.student(), needs.teacher());
  }

  /** The teacher's taps by role. */
  static Map<String, String> teacher(JsonNode on, Needs needs) {
    return isByNetwork(on)
        ? taps(on.path(TEACHER), needs.teacher())
        : only(taps(on, needs.teacher()), needs.teacher(), needs.student());
  }

  private static boolean isByNetwork(JsonNode on) {
    boolean byNetwork = on.has(STUDENT) || on.has(TEACHER);
    if (byNetwork && on.size() > (on.has(STUDENT) ? 1 : 0) + (on.has(TEACHER) ? 1 : 0)) {
      throw new IllegalArgumentException(
          "names a network and a role side by side, expected networks alone or roles alone");
    }
    return byNetwork;
  }

  /** Leaves out the roles that the other network alone has. */
  private static Map<String, String> only(
      Map<String, String> taps, List<Needs.Role> own, List<Needs.Role> other) {
    taps.keySet().removeIf(role -> !has(own, role) && has(other, role));
    return taps;
  }

  private static boolean has(List<Needs.Role> roles, String name) {
    return roles.stream().anyMatch(role -> role.name().equals(name.replaceFirst("\\.\\d+$", "")));
  }

  /** The shortest form that names all taps. */
  static JsonNode on(Map<String, String> student, Map<String, String> teacher) {
    Map<String, String> both = new TreeMap<>(student);
    both.putAll(teacher);
    if (both.entrySet().containsAll(student.entrySet())) {
      return form(both);
    }
    ObjectNode on = JsonNodeFactory.instance.objectNode();
    on.set(STUDENT, form(student));
    on.set(TEACHER, form(teacher));
    return on;
  }

  private static JsonNode form(Map<String, String> taps) {
    ObjectNode roles = JsonNodeFactory.instance.objectNode();
    for (String role : new TreeMap<>(taps).keySet()) {
      if (!role.matches(".*\\.\\d+")) {
        roles.put(role, taps.get(role));
      } else if (role.endsWith(".0")) {
        String name = role.substring(0, role.length() - 2);
        ArrayNode list = roles.putArray(name);
        for (int i = 0; taps.containsKey(name + "." + i); i++) {
          list.add(taps.get(name + "." + i));
        }
      }
    }
    return roles.size() == 1 ? roles.iterator().next() : roles;
  }
}
