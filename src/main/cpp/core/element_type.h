// core/element_type.h: from the dtype of a floating map to the C++ type of its elements.
#ifndef STRUCTKD_CORE_ELEMENT_TYPE_H
#define STRUCTKD_CORE_ELEMENT_TYPE_H

#include "core/half.h"
#include "structkd/core.h"

namespace structkd {
namespace {  // internal linkage: per-ISA sources may not share inline copies

// Calls visit(Element{}) with the element type of a floating map.
template <class Visit>
inline void with_element_type(structkd_dtype dtype, Visit&& visit) {
  switch (dtype) {
    case STRUCTKD_F64:
      visit(double{});
      break;
    case STRUCTKD_F16:
      visit(Half{});
      break;
    case STRUCTKD_BF16:
      visit(BFloat16{});
      break;
    default:
      visit(float{});
      break;
  }
}

}  // namespace
}  // namespace structkd

#endif  // STRUCTKD_CORE_ELEMENT_TYPE_H
