// reference/kernels.h: the entries of the reference backend, one pair per loss.
#ifndef STRUCTKD_REFERENCE_KERNELS_H
#define STRUCTKD_REFERENCE_KERNELS_H

#include "core/backend.h"

namespace structkd::reference {

size_t pairwise_workspace(const Launch&, const PairwiseArgs&);
void pairwise(const Launch&, const PairwiseArgs&, void* workspace);

size_t inter_class_similarity_workspace(const Launch&, const InterClassSimilarityArgs&);
void inter_class_similarity(const Launch&, const InterClassSimilarityArgs&, void* workspace);

size_t pixelwise_workspace(const Launch&, const PixelwiseArgs&);
void pixelwise(const Launch&, const PixelwiseArgs&, void* workspace);

size_t global_structural_sample_workspace(const Launch&, const GlobalStructuralSampleArgs&);
void global_structural_sample(const Launch&, const GlobalStructuralSampleArgs&, void* workspace);

size_t global_structural_workspace(const Launch&, const GlobalStructuralArgs&);
void global_structural(const Launch&, const GlobalStructuralArgs&, void* workspace);

}  // namespace structkd::reference

#endif  // STRUCTKD_REFERENCE_KERNELS_H
