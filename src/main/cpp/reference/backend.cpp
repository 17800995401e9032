// reference/backend.cpp: the table of the reference backend, registered when the library is opened.
#include "reference/kernels.h"

namespace structkd::reference {
namespace {

const Backend backend = {
    "reference",
    "plain f64 loops, one thread",
    {pairwise_workspace, pairwise},
    {pixelwise_workspace, pixelwise},
    {inter_class_similarity_workspace, inter_class_similarity},
    {global_structural_sample_workspace, global_structural_sample},
    {global_structural_workspace, global_structural},
};

[[maybe_unused]] const bool registered = (register_backend(backend), true);

}  // namespace
}  // namespace structkd::reference
