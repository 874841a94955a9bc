// The rows of an epoch, in the order in which they are trained on, cut into batches: one of each shard for
// each step.
#pragma once

#include <functional>

#include "core/base/shards.h"
#include "core/train/options.h"
#include "core/train/step.h"

namespace fastmlp {

template <class T>
class Batches {
public:
    // `data` has the rows in hand, those of the own shards one behind the other: all of them or, where they
    // come in windows, room for those of one.
    // The own shards' batches are joined to one if joins(rows), where each has so many.
    Batches(const Data<T>& data, const TrainOptions& options, const Shards& shards,
            const std::function<bool(Index rows)>& joins = {});

    Index epoch_rows() const;                         // of all processes
    Index batch_size() const { return batch_size_; }  // the most rows of a shard in a step
    Index steps_per_epoch() const;
    bool copies_rows() const { return data_.order || !order_.empty() || joins_; }
    bool joins() const { return joins_; }
    Index most_rows() const { return joins_ ? batch_size_ * shards_.own() : batch_size_; }  // of a batch

    // The first window of an epoch is in hand ..
    void begin_epoch(const Data<T>& data);
    // .. and the next one.
    void begin_window(const Data<T>& data);
    const Data<T>& data() const { return data_; }

    // Where an order is to be drawn: by the seed, for each shard, or by draw(order), which returns true to
    // stop. True if it did.
    bool draw_order(std::uint64_t seed, Index epoch, const std::function<bool()>& stops,
                    const std::function<bool(std::uint32_t*)>& draw);

    // Of the step at hand: the rows of all processes, and the batch of an own shard or, where they are
    // joined, of all of them.
    Index step_rows() const { return step_rows_; }
    Batch<T> of_shard(int shard, double divisor) const;
    Batch<T> of_own_shards(double divisor) const;

    void next_step();
    bool window_over() const { return step_rows_ == 0; }

private:
    void begin_step();

    Data<T> data_;
    const Shards shards_;
    const std::vector<Index> shard_rows_;               // of an epoch
    const Index most_rows_, window_rows_, batch_size_;  // of a shard: in an epoch, a window, a step
    std::vector<std::uint32_t> order_;                  // of the rows in hand; empty where they stay in order
    Index window_ = 0;                                  // of the epoch
    std::vector<Range> in_hand_;    // of each own shard, the rows of the window among those in hand
    std::vector<Index> in_window_;  // of each shard of all processes, how many they are
    Index first_row_ = 0;           // of the next batch, in the window, of each shard
    const bool joins_;
    std::vector<std::uint32_t> joined_order_;  // of the rows of the step at hand
    std::vector<Range> joined_;                // where each own shard has its rows there
    Index step_rows_ = 0;
};

extern template class Batches<float>;
extern template class Batches<double>;

}  // namespace fastmlp
