#include "core/base/shards.h"

namespace fastmlp {

std::vector<Range> Shards::own_rows(const std::vector<Index>& of_shards) const {
    std::vector<Range> own;
    Index place = 0;
    for (int shard = first_; shard < first_ + own_; ++shard) {
        const Index rows = of_shards[std::size_t(shard)];
        own.push_back({place, place + rows});
        place += rows;
    }
    return own;
}

// By recursive doubling: after each swap all processes of a group, twice as large as before, have its sums.
void Shards::add(std::span<double> numbers, Index width) const {
    add_own(numbers, width);
    if (!exchange_) return;
    for (int distance = 1; distance < exchange_->size(); distance *= 2)
        swap_and_add(distance, numbers.first(std::size_t(width)));
}

double Shards::total_of_slices(std::span<double> numbers) const {
    add_own(numbers, 1);
    if (exchange_)
        for (int distance = exchange_->size() / 2; distance > 0; distance /= 2)
            swap_and_add(distance, numbers.first(1));
    return numbers.front();
}

double Shards::told(double number) const {
    if (!exchange_) return number;
    double sum = exchange_->rank() == 0 ? number : 0;
    for (int distance = 1; distance < exchange_->size(); distance *= 2) swap_and_add(distance, {&sum, 1});
    return sum;
}

void Shards::add_own(std::span<double> numbers, Index width) const {
    for (Index step = 1; step < own_; step *= 2)
        for (Index shard = 0; shard < own_; shard += 2 * step)
            for (Index i = 0; i < width; ++i)
                numbers[std::size_t(shard * width + i)] += numbers[std::size_t((shard + step) * width + i)];
}

void Shards::swap_and_add(int distance, std::span<double> sums) const {
    std::vector<double> received(sums.size());
    if (!exchange_->swap(exchange_->rank() ^ distance, std::as_bytes(sums),
                         std::as_writable_bytes(std::span(received))))
        return;
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += received[i];
}

}  // namespace fastmlp
