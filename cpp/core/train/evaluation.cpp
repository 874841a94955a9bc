#include "core/train/evaluation.h"

#include <cmath>
#include <numeric>

#include "core/model/accuracy.h"

namespace fastmlp {

template <class T>
Evaluation<T>::Evaluation(const Network<T>& network, const PanelLayout<T>& layout, const T* parameters,
                          const Data<T>& data, const std::vector<Index>& shard_rows, const Shards& shards,
                          int threads)
    : network_(network),
      layout_(layout),
      parameters_(parameters),
      data_(data),
      shards_(shards),
      own_rows_(shards.own_rows(shard_rows)),
      rows_(double(std::accumulate(shard_rows.begin(), shard_rows.end(), Index(0)))),
      scores_classes_(scores_classes(network.architecture().loss)),
      sums_(1 + (scores_classes_ ? 1 : network.outputs())),
      loss_(loss_function<T>(network.architecture())) {
    for (int t = 0; t < threads; ++t) passes_.emplace_back(network, layout.all_weights(parameters));
    if (data.order && !data.X.sparse())
        for (ForwardPass<T>& pass : passes_) pass.make_gathered();
    make_blocks();
    sum_weights();
    if (!scores_classes_) sum_total_squares(shard_rows);
}

// A block has rows of one shard.
template <class T>
void Evaluation<T>::make_blocks() {
    constexpr Index kRows = ForwardPass<T>::kRows;
    for (int shard = 0; shard < shards_.own(); ++shard) {
        const Range rows = own_rows_[std::size_t(shard)];
        for (Index first = rows.first; first < rows.last; first += kRows) {
            blocks_.push_back({first, std::min(first + kRows, rows.last)});
            shard_of_.push_back(shard);
        }
    }
    block_sums_.resize(blocks_.size() * std::size_t(sums_));
}

template <class T>
void Evaluation<T>::sum_weights() {
    std::vector<double> totals(std::size_t(shards_.own()));
    for (int shard = 0; shard < shards_.own(); ++shard) {
        const Range rows = own_rows_[std::size_t(shard)];
        double& total = totals[std::size_t(shard)];
        if (!data_.targets.weights) total = double(rows.size());
        for (Index i = rows.first; data_.targets.weights && i < rows.last; ++i)
            total += double(data_.targets.weights[data_.place(i)]);
    }
    shards_.add(totals, 1);
    weight_sum_ = totals.front();
}

// Centered at the first value of all: where all are equal, a rounded mean would leave some variance.
template <class T>
void Evaluation<T>::sum_total_squares(const std::vector<Index>& shard_rows) {
    const Index O = network_.outputs();
    const auto of_shards = [&](auto function) {
        std::vector<double> totals(std::size_t(shards_.own() * O));
        for (int shard = 0; shard < shards_.own(); ++shard) {
            const Range rows = own_rows_[std::size_t(shard)];
            for (Index j = 0; j < O; ++j)
                for (Index i = rows.first; i < rows.last; ++i)
                    totals[std::size_t(shard * O + j)] +=
                        function(i, j, double(data_.targets.values[data_.place(i) * O + j]));
        }
        shards_.add(totals, O);
        totals.resize(std::size_t(O));
        return totals;
    };
    // The first shards may have no rows.
    const bool has_first =
        std::accumulate(shard_rows.begin(), shard_rows.begin() + shards_.first(), Index(0)) == 0;
    const std::vector<double> firsts =
        of_shards([&](Index i, Index, double value) { return has_first && i == 0 ? value : 0; });
    const std::vector<double> sums =
        of_shards([&](Index, Index j, double value) { return value - firsts[std::size_t(j)]; });
    total_squares_ = of_shards([&](Index, Index j, double value) {
        const double r = value - firsts[std::size_t(j)] - sums[std::size_t(j)] / rows_;
        return r * r;
    });
}

template <class T>
void Evaluation<T>::run(const Team& team) {
    team.deal(Index(blocks_.size()), [&](Index first, Index last) {
        for (Index block = first; block < last; ++block)
            run_block(passes_[std::size_t(team.rank)], std::size_t(block));
    });
    team.barrier();
}

template <class T>
void Evaluation<T>::run_block(ForwardPass<T>& pass, std::size_t block) {
    const Loss loss = network_.architecture().loss;
    const Range rows = blocks_[block];
    const std::uint32_t* const order = data_.order ? data_.order + rows.first : nullptr;
    const T* output = pass.raw(data_.X.from(order ? 0 : rows.first), rows.size(), order);
    double losses[ForwardPass<T>::kRows];
    const LossBatch<T> outputs{.targets = data_.targets,
                               .order = order,
                               .first_row = rows.first,
                               .output = output,
                               .delta = nullptr,
                               .ld = pass.ld(),
                               .outputs = network_.outputs(),
                               .parameters = network_.loss_parameters(),
                               .scale = 1,
                               .losses = losses,
                               .scratch = pass.columns()};
    loss_(outputs, 0, rows.size());
    double* const sums = block_sums_.data() + block * std::size_t(sums_);
    std::fill(sums, sums + sums_, 0.0);
    sums[0] = sum(losses, rows.size());
    if (!scores_classes_) return add_squares(output, pass.ld(), rows, sums + 1);
    for (Index i = 0; i < rows.size(); ++i) sums[1] += right_answer(loss, outputs, i);
}

template <class T>
void Evaluation<T>::add_squares(const T* output, Index ld, Range rows, double* squares) const {
    const bool log_link = network_.architecture().loss == Loss::poisson;
    const Index O = network_.outputs();
    for (Index i = rows.first; i < rows.last; ++i, output += ld) {
        for (Index j = 0; j < O; ++j) {
            const double value = log_link ? std::exp(double(output[j])) : double(output[j]);
            const double r = value - double(data_.targets.values[data_.place(i) * O + j]);
            squares[j] += r * r;
        }
    }
}

template <class T>
typename Evaluation<T>::Result Evaluation<T>::result() const {
    std::vector<double> totals(std::size_t(shards_.own() * sums_));
    for (std::size_t block = 0; block < blocks_.size(); ++block)
        for (Index j = 0; j < sums_; ++j)
            totals[std::size_t(shard_of_[block] * sums_ + j)] +=
                block_sums_[block * std::size_t(sums_) + std::size_t(j)];
    shards_.add(totals, sums_);

    const double l2 = network_.architecture().l2;
    const double penalty = l2 != 0 ? l2 / 2 * layout_.squared_weights(parameters_) : 0;
    const double loss = (weight_sum_ > 0 ? totals[0] / weight_sum_ : 0) + penalty;
    if (scores_classes_) return {loss, totals[1] / rows_};
    double r2 = 0;
    for (std::size_t j = 0; j < total_squares_.size(); ++j) {
        // A constant target has no variance to explain: 1 when it is met, else 0.
        const bool constant = total_squares_[j] == 0;
        r2 += constant ? (totals[j + 1] == 0 ? 1.0 : 0.0) : 1 - totals[j + 1] / total_squares_[j];
    }
    return {loss, r2 / double(total_squares_.size())};
}

template class Evaluation<float>;
template class Evaluation<double>;

}  // namespace fastmlp
