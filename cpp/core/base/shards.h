// Shards: the fixed parts of a run's rows. What is summed over rows is summed in each shard first, and the
// sums of the shards are added in one binary tree of neighbours. So the bits do not depend on which process
// has which shard.
//
//     shard      0   1   2   3   4   5   6   7
//                 \ /     \ /     \ /     \ /
//                  +       +       +       +        Of 2 processes the first has shards 0 to 3, the second
//                   \     /         \     /         4 to 7; each adds its own, then they swap their sums
//                      +               +            and add them.
//                       \             /
//                        ------+------
#pragma once

#include <span>
#include <vector>

#include "core/base/exchange.h"
#include "core/base/types.h"

namespace fastmlp {

class Shards {
public:
    // So many of all processes together, those of a process beside each other; both numbers are powers of
    // two.
    explicit Shards(int count = 1, Exchange* exchange = nullptr)
        : count_(count),
          own_(count / (exchange ? exchange->size() : 1)),
          first_(exchange ? exchange->rank() * own_ : 0),
          exchange_(exchange) {}

    int count() const { return count_; }
    int own() const { return own_; }      // this process's
    int first() const { return first_; }  // the number of the first of them
    Exchange* exchange() const { return exchange_; }
    bool failed() const { return exchange_ && exchange_->failed(); }

    // Of each own shard its rows among those of this process, one shard behind the other, where all shards
    // have so many.
    std::vector<Range> own_rows(const std::vector<Index>& of_shards) const;

    // Adds `width` numbers of each own shard, one shard behind the other, and those of the other processes;
    // the sums take the place of the first shard's.
    void add(std::span<double> numbers, Index width) const;

    // The same for a number of each slice of the parameters, which lie with the processes as
    // ShardedGradient says: in the reversed order of the bits of their ranks.
    double total_of_slices(std::span<double> numbers) const;

    // A number of the first process, for all of them.
    double told(double number) const;

private:
    void add_own(std::span<double> numbers, Index width) const;
    void swap_and_add(int distance, std::span<double> sums) const;

    int count_, own_, first_;
    Exchange* exchange_;
};

}  // namespace fastmlp
