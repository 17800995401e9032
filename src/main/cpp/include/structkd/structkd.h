/* structkd/structkd.h: the whole C API. C99. */
#ifndef STRUCTKD_STRUCTKD_H
#define STRUCTKD_STRUCTKD_H

#include "structkd/channelwise.h"
#include "structkd/core.h"
#include "structkd/cross_image_relation.h"
#include "structkd/global_structural.h"
#include "structkd/inter_class_similarity.h"
#include "structkd/intra_class_variation.h"
#include "structkd/pairwise.h"
#include "structkd/pixelwise.h"
#include "structkd/relational.h"

#endif /* STRUCTKD_STRUCTKD_H */
