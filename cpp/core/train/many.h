// Several runs at once, each on a thread of its own. What a run computes does not depend on the others.
#pragma once

#include "core/base/parallel.h"
#include "core/core.h"

namespace fastmlp {

// Deals the runs to `threads` threads, the longest first. A thread that finds none left is lent to those
// under way. `interrupted` is asked on the calling thread, as a Monitor does.
void train_many(std::vector<RunAmongMany>& runs, const ManyOptions& options,
                const std::function<bool()>& interrupted);

}  // namespace fastmlp
