package org.structkd.testing;

import java.io.IOException;
import java.lang.reflect.Executable;
import java.lang.reflect.Modifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The library's public types, found in the compiled classes. */
public final class PublicTypes {
  private static final Path CLASSES = Path.of("target/classes");
  private static final Pattern NOT_THE_LIBRARY =
      Pattern.compile("org\\.structkd\\.(internal|cli|run|verify)\\..*");
  private static final Pattern WORD = Pattern.compile("[^\\w.$]+");

  private PublicTypes() {}

  /**
   * Names of all types that can be made or called and whose public methods take or give LibTorch's
   * objects, or types of ours that do. Exceptions, and interfaces that others implement, are not
   * among them.
   */
  public static Set<String> thatReachLibTorch() throws IOException, ClassNotFoundException {
    Map<String, Set<String>> mentioned = new HashMap<>();
    Set<String> callable = new HashSet<>();
    for (Class<?> type : all()) {
      Set<String> words = new HashSet<>();
      for (Executable member : members(type)) {
        words.addAll(List.of(WORD.split(member.toGenericString())));
      }
      Stream.of(type.getInterfaces()).map(Class::getName).forEach(words::add);
      words.remove(type.getName());
      mentioned.put(type.getName(), words);
      boolean onlyImplemented =
          type.isInterface()
              && Stream.of(type.getDeclaredMethods())
                  .mapToInt(method -> method.getModifiers())
                  .noneMatch(found -> Modifier.isStatic(found) && Modifier.isPublic(found));
      if (!onlyImplemented && !Throwable.class.isAssignableFrom(type)) {
        callable.add(type.getName());
      }
    }
    Set<String> reaching = new HashSet<>();
    boolean grows = true;
    while (grows) {
      grows = false;
      for (Map.Entry<String, Set<String>> type : mentioned.entrySet()) {
        boolean reaches =
            type.getValue().stream()
                .anyMatch(word -> word.startsWith("org.bytedeco.") || reaching.contains(word));
        grows |= reaches && reaching.add(type.getKey());
      }
    }
    reaching.retainAll(callable);
    return reaching;
  }

  private static List<Executable> members(Class<?> type) {
    return Stream.of(type.getDeclaredConstructors(), type.getDeclaredMethods())
        .flatMap(Stream::of)
        .filter(member -> Modifier.isPublic(member.getModifiers()))
        .filter(member -> !member.isSynthetic())
        .map(Executable.class::cast)
        .toList();
  }

  private static List<Class<?>> all() throws IOException, ClassNotFoundException {
    List<String> names;
    try (Stream<Path> files = Files.walk(CLASSES.resolve("org/structkd"))) {
      names =
          files
              .map(file -> CLASSES.relativize(file).toString())
              .filter(name -> name.endsWith(".class") && !name.endsWith("package-info.class"))
              .map(name -> name.substring(0, name.length() - 6).replace('/', '.'))
              .filter(name -> !NOT_THE_LIBRARY.matcher(name).matches())
              .collect(Collectors.toList());
    }
    List<Class<?>> types = new java.util.ArrayList<>();
    for (String name : names) {
      Class<?> type = Class.forName(name, false, PublicTypes.class.getClassLoader());
      if (isPublic(type)) {
        types.add(type);
      }
    }
    return types;
  }

  private static boolean isPublic(Class<?> type) {
    return Modifier.isPublic(type.getModifiers())
        && (type.getEnclosingClass() == null || isPublic(type.getEnclosingClass()))
        && !type.isAnonymousClass();
  }
}
