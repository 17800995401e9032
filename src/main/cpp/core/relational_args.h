// core/relational_args.h: checked arguments of the relational loss, as backends receive them.
#ifndef STRUCTKD_CORE_RELATIONAL_ARGS_H
#define STRUCTKD_CORE_RELATIONAL_ARGS_H

#include "core/loss_args.h"
#include "structkd/relational.h"

namespace structkd {

struct RelationalArgs : LossArgs {
  structkd_relation relation;
  bool normalize;
};

}  // namespace structkd

#endif  // STRUCTKD_CORE_RELATIONAL_ARGS_H
