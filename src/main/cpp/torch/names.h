// torch/names.h: enumerators come from Java and Python by their names, never by a number whose
// meaning could move.
#ifndef STRUCTKD_TORCH_NAMES_H
#define STRUCTKD_TORCH_NAMES_H

#include <cstddef>
#include <string>
#include <string_view>

#include "torch/errors.h"

namespace structkd {

// One enumerator and its name: that of Java's constant in lower case.
template <class Enum>
struct Named {
  std::string_view name;
  Enum value;
};

// The enumerator of a name. Refuses an unknown one with a sentence that lists those it knows.
template <class Enum, size_t N>
Enum by_name(const char* loss,
             const char* argument,
             const Named<Enum> (&known)[N],
             std::string_view name) {
  std::string names;
  for (const Named<Enum>& one : known) {
    if (one.name == name) return one.value;
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  }
  raise(STRUCTKD_ERR_VALUE, std::string(loss) + ": " + argument + " is \"" + std::string(name) +
                                "\", expected one of: " + names);
}

}  // namespace structkd

#endif  // STRUCTKD_TORCH_NAMES_H
