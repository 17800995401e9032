package org.structkd.recipe;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.databind.cfg.MapperConfig;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.AnnotatedClass;
import com.fasterxml.jackson.databind.introspect.AnnotatedMember;
import com.fasterxml.jackson.databind.introspect.AnnotatedParameter;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.databind.jsontype.NamedType;
import java.lang.reflect.RecordComponent;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.structkd.internal.Words;

/**
 * Tells Jackson what it would else be told by annotations, which the records of other packages do
 * not have: that sealed interfaces are choices by kind, that constants are in lower case, and which
 * components must be given.
 */
final class RecordIntrospector extends JacksonAnnotationIntrospector {
  private static final long serialVersionUID = 1;

  /** The names of our records end with this, behind their kind. */
  private static final String SUFFIX = "Settings";

  /** The kinds of a choice, in the order in which its interface permits them. */
  static List<String> kinds(Class<?> choice) {
    return Stream.of(choice.getPermittedSubclasses()).map(RecordIntrospector::kind).toList();
  }

  /** The kind that a record is of its choice. */
  static String kind(Class<?> record) {
    String name = record.getSimpleName();
    return RecipeBinding.key(
        name.endsWith(SUFFIX) ? name.substring(0, name.length() - SUFFIX.length()) : name);
  }

  /** An enum whose constants have bodies is sealed, too. */
  private static boolean isChoice(Class<?> type) {
    return type.isSealed() && !type.isEnum();
  }

  /** The constants of an enum as recipes spell them. */
  static List<String> constants(Class<?> type) {
    return Stream.of(type.getEnumConstants()).map(one -> Words.of((Enum<?>) one)).toList();
  }

  @Override
  public JsonTypeInfo.@Nullable Value findPolymorphicTypeInfo(
      MapperConfig<?> config, Annotated annotated) {
    return isChoice(annotated.getRawType())
        ? JsonTypeInfo.Value.construct(
            JsonTypeInfo.Id.NAME,
            JsonTypeInfo.As.PROPERTY,
            RecipeBinding.KIND,
            null,
            false,
            true,
            null)
        : null;
  }

  @Override
  public @Nullable List<NamedType> findSubtypes(Annotated annotated) {
    Class<?> type = annotated.getRawType();
    return isChoice(type)
        ? Stream.of(type.getPermittedSubclasses())
            .map(record -> new NamedType(record, kind(record)))
            .toList()
        : null;
  }

  @Override
  public String[] findEnumValues(
      MapperConfig<?> config, AnnotatedClass type, Enum<?>[] values, String[] names) {
    for (int i = 0; i < values.length; i++) {
      names[i] = Words.of(values[i]);
    }
    return names;
  }

  @Override
  public Boolean hasRequiredMarker(AnnotatedMember member) {
    if (!(member instanceof AnnotatedParameter parameter)
        || !parameter.getDeclaringClass().isRecord()) {
      return super.hasRequiredMarker(member);
    }
    RecordComponent component =
        parameter.getDeclaringClass().getRecordComponents()[parameter.getIndex()];
    Class<?> type = component.getType();
    return !component.getAnnotatedType().isAnnotationPresent(Nullable.class)
        && !Collection.class.isAssignableFrom(type)
        && !Map.class.isAssignableFrom(type);
  }
}
