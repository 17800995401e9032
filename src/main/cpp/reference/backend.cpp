// reference/backend.cpp: the table of the reference backend, registered when the library is opened.
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

const Backend backend = {"reference", "plain f64 loops, one thread",
                         STRUCTKD_KERNELS(STRUCTKD_TABLE_VALUE)};

[[maybe_unused]] const bool registered = (register_backend(backend), true);

}  // namespace
}  // namespace structkd::reference
