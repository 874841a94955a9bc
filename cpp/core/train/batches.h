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
    Batches(const Data<T>& data, const TrainOptions& options, const Shards& shards);

    Index epoch_rows() const;                         // of all processes
    Index batch_size() const { return batch_size_; }  // the most rows of a shard in a step
    Index steps_per_epoch() const;
    bool copies_rows() const { return data_.order || !order_.empty(); }

    // The first window of an epoch is in hand ..
    void begin_epoch(const Data<T>& data);
    // .. and the next one.
    void begin_window(const Data<T>& data);
    const Data<T>& data() const { return data_; }

    // Where an order is to be drawn: by the seed, for each shard, or by draw(order), which returns true to
    // stop. True if it did.
    bool draw_order(std::uint64_t seed, Index epoch, const std::function<bool()>& stops,
                    const std::function<bool(std::uint32_t*)>& draw);

    // Of the step at hand: the rows of all processes, and those of an own shard, with their divisor.
    Index step_rows() const { return step_rows_; }
    Batch<T> of_shard(int shard, double divisor) const;

    void next_step();
    bool window_over() const { return step_rows_ == 0; }

private:
    void count_step_rows();

    Data<T> data_;
    const Shards shards_;
    const std::vector<Index> shard_rows_;               // of an epoch
    const Index most_rows_, window_rows_, batch_size_;  // of a shard: in an epoch, a window, a step
    std::vector<std::uint32_t> order_;                  // of the rows in hand; empty where they stay in order
    Index window_ = 0;                                  // of the epoch
    std::vector<Range> in_hand_;    // of each own shard, the rows of the window among those in hand
    std::vector<Index> in_window_;  // of each shard of all processes, how many they are
    Index first_row_ = 0;           // of the next batch, in the window, of each shard
    Index step_rows_ = 0;
};

extern template class Batches<float>;
extern template class Batches<double>;

}  // namespace fastmlp
