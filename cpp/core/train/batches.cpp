#include "core/train/batches.h"

#include <cassert>
#include <numeric>

#include "core/base/random.h"

namespace fastmlp {

template <class T>
Batches<T>::Batches(const Data<T>& data, const TrainOptions& options, const Shards& shards,
                    const std::function<bool(Index rows)>& joins)
    : data_(data),
      shards_(shards),
      shard_rows_(options.shard_rows.empty() ? std::vector<Index>{data.rows} : options.shard_rows),
      most_rows_(*std::max_element(shard_rows_.begin(), shard_rows_.end())),
      window_rows_(options.window_rows > 0 ? std::min(options.window_rows, most_rows_) : most_rows_),
      batch_size_(std::min(ceil_div(options.batch_size, shards.count()), window_rows_)),
      in_window_(std::size_t(shards.count())),
      joins_(joins && shards.own() > 1 && joins(batch_size_)) {
    assert(shard_rows_.size() == in_window_.size());
    if (options.shuffle && batch_size_ < window_rows_) order_.resize(std::size_t(data.rows));
}

template <class T>
Index Batches<T>::epoch_rows() const {
    return std::accumulate(shard_rows_.begin(), shard_rows_.end(), Index(0));
}

template <class T>
Index Batches<T>::steps_per_epoch() const {
    return most_rows_ / window_rows_ * ceil_div(window_rows_, batch_size_) +
           ceil_div(most_rows_ % window_rows_, batch_size_);
}

template <class T>
void Batches<T>::begin_epoch(const Data<T>& data) {
    window_ = -1;
    begin_window(data);
}

template <class T>
void Batches<T>::begin_window(const Data<T>& data) {
    data_ = data;
    ++window_;
    first_row_ = 0;
    for (std::size_t shard = 0; shard < shard_rows_.size(); ++shard)
        in_window_[shard] = std::clamp<Index>(shard_rows_[shard] - window_ * window_rows_, 0, window_rows_);
    in_hand_ = shards_.own_rows(in_window_);
    assert(in_hand_.back().last == data_.rows);
    begin_step();
}

template <class T>
void Batches<T>::begin_step() {
    step_rows_ = 0;
    for (const Index rows : in_window_) step_rows_ += std::clamp<Index>(rows - first_row_, 0, batch_size_);
    if (!joins_) return;
    joined_order_.clear();
    joined_.clear();
    for (int shard = 0; shard < shards_.own(); ++shard) {
        const Batch<T> batch = of_shard(shard, 0);
        const auto first = Index(joined_order_.size());
        for (Index i = 0; i < batch.rows; ++i) joined_order_.push_back(std::uint32_t(batch.data_row(i)));
        joined_.push_back({first, first + batch.rows});
    }
}

template <class T>
bool Batches<T>::draw_order(std::uint64_t seed, Index epoch, const std::function<bool()>& stops,
                            const std::function<bool(std::uint32_t*)>& draw) {
    if (order_.empty()) return false;
    if (draw && draw(order_.data())) return true;
    const Index windows = ceil_div(most_rows_, window_rows_);
    for (int shard = 0; shard < shards_.own() && !draw; ++shard) {
        const Range rows = in_hand_[std::size_t(shard)];
        const Index drawn = (epoch * windows + window_) * shards_.count() + shards_.first() + shard;
        std::uint32_t* const order = order_.data() + rows.first;
        permutation(seed, Stream::shuffle, std::uint32_t(drawn), order, rows.size(), stops);
        for (Index i = 0; shard > 0 && i < rows.size(); ++i) order[i] += std::uint32_t(rows.first);
    }
    // From places among the rows in hand to places in X.
    if (data_.order && !stops())
        for (Index i = 0; i < data_.rows; ++i) order_[std::size_t(i)] = data_.order[order_[std::size_t(i)]];
    begin_step();
    return false;
}

template <class T>
Batch<T> Batches<T>::of_shard(int shard, double divisor) const {
    const Range in_hand = in_hand_[std::size_t(shard)];
    const Index first = std::min(in_hand.first + first_row_, in_hand.last);
    const std::uint32_t* const order = order_.empty() ? data_.order : order_.data();
    return {.X = data_.X,
            .targets = data_.targets,
            .order = order ? order + first : nullptr,
            .first_row = first,
            .rows = std::min(batch_size_, in_hand.last - first),
            .divisor = divisor};
}

template <class T>
Batch<T> Batches<T>::of_own_shards(double divisor) const {
    return {.X = data_.X,
            .targets = data_.targets,
            .order = joined_order_.data(),
            .rows = Index(joined_order_.size()),
            .divisor = divisor,
            .shards = joined_};
}

template <class T>
void Batches<T>::next_step() {
    first_row_ += batch_size_;
    begin_step();
}

template class Batches<float>;
template class Batches<double>;

}  // namespace fastmlp
